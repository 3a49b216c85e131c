// A worker for the jobs of an emulator, in the test's own process: createWorker with what a test wants, short rests between
// polls, a ledger in memory, no admin port, and a folder of its own that goes with it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PartnerdWorker, WorkerConfig, WorkerOptions } from "../embed/partnerd-worker.js";
import type { Emulator } from "../emulator/emulator.js";

/**
 * Starts a worker against the emulator; it polls when this resolves. `config` has the keys of a configuration; what it
 * says holds, and everything else is as a test wants it. Action types that the emulator does not know are added to it,
 * and the emulator's default client has its token. Stop it, or let `await using` do so, before the emulator is closed.
 * Throws WorkerConfigError and WorkerStartError.
 */
export async function startWorker(
  emulator: Emulator,
  config: WorkerConfig,
  options: WorkerOptions = {},
): Promise<PartnerdWorker> {
  const workDir = await mkdtemp(join(tmpdir(), "partnerd-worker-"));
  const remove = () => rm(workDir, { recursive: true, force: true });
  try {
    // All of the daemon, which a test that only runs a handler does without.
    const { openWorker } = await import("../embed/embedded-worker.js");
    const given = { credentials: nobodys, ...options };
    const worker = await openWorker(forTests(emulator, config, workDir), given, remove);
    introduce(emulator, config);
    await worker.start();
    return worker;
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The emulator takes any; without them the SDK would look for some on this machine. */
const nobodys = { accessKeyId: "AKIAEMULATOR", secretAccessKey: "of-the-emulator" };
const region = "us-east-1";

function forTests(emulator: Emulator, config: WorkerConfig, workDir: string): WorkerConfig {
  const { clientId, clientToken } = emulator.defaultClient;
  return {
    ...config,
    regions: config.regions ?? [region],
    clientTokens: config.clientTokens ?? { tokens: { [clientId]: clientToken } },
    ledger: config.ledger ?? { store: "memory" },
    admin: { port: 0, ...config.admin },
    artifacts: { workDir, minFreeBytes: "0B", ...config.artifacts },
    polling: { minInterval: "50ms", maxInterval: "200ms", ...config.polling },
    shutdown: { drainTimeout: "5s", cancelGrace: "1s", reportTimeout: "5s", ...config.shutdown },
    aws: { endpoint: emulator.url, ...config.aws },
  };
}

function introduce(emulator: Emulator, { actionTypes, regions = [region] }: WorkerConfig): void {
  const known = new Set(emulator.actionTypes().map((each) => nameOf(each.id, each.region)));
  for (const type of actionTypes) {
    const { category, owner, provider, version } = type;
    const missing = (type.regions ?? regions).filter((each) => !known.has(nameOf(type, each)));
    if (missing.length > 0) emulator.addActionType({ category, owner, provider, version, regions: missing });
  }
}

type Name = Readonly<Record<"owner" | "category" | "provider" | "version", string>>;

function nameOf(type: Name, of: string): string {
  return [of, type.category, type.owner, type.provider, type.version].join("/");
}

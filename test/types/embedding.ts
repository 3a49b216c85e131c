// What must compile of the types for embedding, and what must not: `npm run typecheck` is the test.
import { createWorker, defineHandler, type PartnerdEvent, succeeded, type WorkerConfig } from "../../src/index.js";
import { startEmulator, startWorker } from "../../src/testkit/index.js";

const actionTypes = [{ provider: "Acme", category: "Build", owner: "Custom", version: "1", handler: "build" }] as const;

/** The least. */
export const least: WorkerConfig = { actionTypes, handlers: { build: () => succeeded() } };

/** Every kind of value, in plain types. */
export const whole: WorkerConfig = {
  regions: ["us-east-1"],
  actionTypes: [{ ...actionTypes[0], jobTimeout: "10m", secretProperties: ["Key"], queryParam: { Project: "a" } }],
  handlers: {
    build: defineHandler({ configuration: anything(), run: () => succeeded() }),
    module: { kind: "module", path: "./m.js", maxMemory: "64MiB", breaker: { failures: 3 } },
    command: { kind: "command", command: ["./run.sh", "--fast"], env: { A: "b" } },
    http: { kind: "http", url: "http://127.0.0.1:9000/", secretFile: "/run/secrets/hook", secrets: ["whsec_x"] },
  },
  clientTokens: { source: "file", path: "./tokens.yaml" },
  ledger: { path: "./ledger.db" },
  admin: { port: 0, tokenFile: "./token" },
  artifacts: { maxArchiveBytes: "1GiB", maxEntries: 10, badLinks: "skip" },
  polling: { minInterval: "1s" },
  retry: { details: { maxElapsed: "none", factor: 2 } },
  log: { level: undefined },
};

export const dynamo: WorkerConfig = { ...least, ledger: { store: "dynamodb", table: "t", lease: "30s" } };
// By its default a word may be left out.
export const tokens: WorkerConfig = { ...least, clientTokens: { tokens: { "an-id": "a-token" } } };

export async function embeds(config: WorkerConfig): Promise<string> {
  await using worker = await createWorker(config, { log: process.stdout });
  const off = worker.on("job-reported", ({ job, outcome }) => {
    const id: string = job.jobId;
    const kind: "succeeded" | "continued" | "failed" = outcome.kind;
    return void [id, kind];
  });
  worker.on((event: PartnerdEvent) => void event.atMs);
  off();
  await worker.start();
  const { owed } = await worker.stop({ deadlineMs: 5_000 });
  return owed.toFixed();
}

export async function inTests(): Promise<void> {
  await using emulator = await startEmulator();
  await using worker = await startWorker(emulator, least);
  await worker.stop();
}

export const fromFile = () => createWorker("partnerd.yaml", { handlers: { build: () => succeeded() } });

// @ts-expect-error A key that there is not.
export const unknown: WorkerConfig = { ...least, polling: { interval: "1s" } };
// @ts-expect-error A duration has its unit.
export const bare: WorkerConfig = { ...least, polling: { minInterval: 1_000 } };
// @ts-expect-error No such word.
export const word: WorkerConfig = { ...least, log: { level: "verbose" } };
// @ts-expect-error A key of another word.
export const other: WorkerConfig = { ...least, ledger: { store: "memory", table: "t" } };
// @ts-expect-error The source file needs its path.
export const pathless: WorkerConfig = { ...least, clientTokens: { source: "file" } };
// @ts-expect-error Without action types.
export const nothing: WorkerConfig = { handlers: {} };
// @ts-expect-error A handler of no kind.
export const kindless: WorkerConfig = { ...least, handlers: { build: { path: "./m.js" } } };
// @ts-expect-error An account has no such key.
export const account: WorkerConfig = { ...least, accounts: { shop: { role: "arn" } } };
// @ts-expect-error A section is no secret, and no file holds it.
export const sectionFile: WorkerConfig = { ...least, pollingFile: "polling.yaml" };
// @ts-expect-error A version is a text.
export const version: WorkerConfig = { ...least, actionTypes: [{ ...actionTypes[0], version: 1 }] };
// @ts-expect-error A function that is no handler.
export const idle: WorkerConfig = { ...least, handlers: { build: () => "done" } };
// @ts-expect-error A configuration is not optional.
export const without = () => createWorker();
// @ts-expect-error No such event.
export const event = async () => (await fromFile()).on("job-ended", () => {});

function anything() {
  const validate = (value: unknown) => ({ value });
  return { "~standard": { version: 1, vendor: "test", validate } } as const;
}

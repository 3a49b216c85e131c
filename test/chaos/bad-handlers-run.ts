// One seeded run of a built daemon with two module handlers: one does all that a handler can do to its thread, the other
// does its work. The good jobs must not notice; each bad one must get one result that is true.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { JobView } from "../../src/emulator/emulated-job.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import { seededRandom } from "../../src/emulator/random.js";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const behaves = fileURLToPath(new URL("../fixtures/handlers/thread/behaves.mjs", import.meta.url));
const goodMs = 200;
const goodJobs = 20;
/** Slower polls would hide nothing, and cost the runs time. */
const pollMs = 100;
const lateMs = 1_000;

/** What a job's result must say, whoever of the run ended the thread under it. */
const truths: Readonly<Record<string, RegExp>> = {
  exits: /called process\.exit\(1\)/,
  forks: /called process\.exit\(1\)/,
  "throws in a timer": /uncaught error: out of cheese/,
  "throws nothing in a timer": /uncaught error: undefined/,
  "rejects where nobody listens": /handle a rejected promise: out of wine/,
  "loops for ever": /did not respond for 15 s/,
  "waits on a lock for ever": /did not respond for 15 s/,
  "keeps objects": /more memory than its maxMemory/,
  "keeps buffers in a loop": /more memory than its maxMemory/,
  // What it says faster than the daemon takes it in is memory of its own.
  "prints for ever": /did not respond for 15 s|more memory than its maxMemory/,
  "logs for ever": /did not respond for 15 s|more memory than its maxMemory/,
  "ignores its abort": /took longer than its limit/,
};
/** Those that harm nothing, and succeed unless another ends their thread. */
const harmless = ["closes descriptors", "uses files of its own"];
const refused: Readonly<Record<string, RegExp>> = {
  "kills the process": /cannot send a signal/,
  "forgets an upload": /has no output artifacts/,
};
/** They take 15 s each: not in every run. */
const slow = new Set([
  "loops for ever",
  "waits on a lock for ever",
  "prints for ever",
  "logs for ever",
  "ignores its abort",
]);

export interface BadHandlersRun {
  readonly bad: readonly string[];
  /** Of the good jobs: the longest time from its queueing to its result, beyond its work and a poll. */
  readonly worstLateMs: number;
  readonly breaches: readonly string[];
}

export async function runBadHandlers(seed: number): Promise<BadHandlersRun> {
  const random = seededRandom(seed);
  const isSlow = random() < 0.15;
  const kinds = [...Object.keys(truths), ...harmless, ...Object.keys(refused)].filter(
    (kind) => isSlow || !slow.has(kind),
  );
  const bad = Array.from({ length: 6 }, () => kinds[Math.floor(random() * kinds.length)] ?? "exits");
  const folder = mkdtempSync(join(tmpdir(), "partnerd-chaos-"));
  const emulator = await startEmulator();
  let daemon: Awaited<ReturnType<typeof startDaemon>> | undefined;
  try {
    for (const provider of ["Good", "Bad"]) emulator.addActionType(typeOf(provider));
    daemon = await startDaemon(folder, emulator);
    const badIds: string[] = [];
    const goodIds: string[] = [];
    for (let n = 0; n < goodJobs; n += 1) {
      goodIds.push(emulator.addJob({ actionType: typeOf("Good") }));
      const kind = n % 3 === 0 ? bad[n / 3] : undefined;
      if (kind !== undefined) {
        badIds.push(emulator.addJob({ actionType: typeOf("Bad"), configuration: { Do: kind, Code: "1" } }));
      }
      await sleep(50);
    }
    const all = [...goodIds, ...badIds];
    await emulator.waitFor(() => all.every((id) => isOver(emulator.job(id))), {
      limitMs: 90_000,
      what: "the end of all jobs",
    });
    daemon.child.kill("SIGTERM");
    const [code] = (await once(daemon.child, "exit")) as [number | null];
    const good = goodIds.map((id) => emulator.job(id));
    return {
      bad,
      worstLateMs: Math.max(...good.map(latenessOf)),
      breaches: [
        ...[...Map.groupBy(good.flatMap(breachesOfGood), (breach) => breach)].map(
          ([what, all]) => `${all.length} × ${what}`,
        ),
        ...badIds.flatMap((id, n) => breachesOfBad(emulator.job(id), bad[n] ?? "", bad)),
        ...(code === 0 ? [] : [`the daemon ended in ${code}`]),
        ...emulator.violations().map((violation) => `violation: ${JSON.stringify(violation)}`),
        ...daemon
          .output()
          .filter((line) => !isJson(line))
          .map((line) => `raw output: ${line.slice(0, 100)}`),
      ],
    };
  } finally {
    // A daemon that is left behind would take the jobs of a later emulator at the same port.
    daemon?.child.kill("SIGKILL");
    await emulator.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function typeOf(provider: string) {
  return { category: "Test", owner: "ThirdParty", provider, version: "1" } as const;
}

async function startDaemon(folder: string, emulator: Emulator) {
  const { clientId, clientToken } = emulator.defaultClient;
  writeFileSync(
    join(folder, "good.mjs"),
    `export const handler = () => new Promise((done) => setTimeout(done, ${goodMs}, { kind: "succeeded" }));\n`,
  );
  const config = {
    regions: ["us-east-1"],
    actionTypes: [
      { ...typeOf("Good"), handler: "good" },
      { ...typeOf("Bad"), handler: "bad", jobTimeout: "20s" },
    ],
    handlers: {
      good: { kind: "module", path: "./good.mjs" },
      bad: { kind: "module", path: behaves, maxMemory: "64MiB" },
    },
    clientTokens: { source: "static", tokens: { [clientId]: clientToken } },
    polling: { minInterval: `${pollMs}ms`, maxInterval: `${pollMs}ms` },
    ledger: { store: "memory" },
    artifacts: { workDir: "./work" },
    shutdown: { cancelGrace: "1s" },
    admin: { port: 0 },
    aws: { endpoint: emulator.url },
  };
  writeFileSync(join(folder, "partnerd.yaml"), JSON.stringify(config));
  const child = spawn(process.execPath, [program, "run"], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, AWS_ACCESS_KEY_ID: "AKIATEST", AWS_SECRET_ACCESS_KEY: "nobody's" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const started = Promise.withResolvers<void>();
  const hear = (chunk: string) => {
    text += chunk;
    if (text.includes("worker started")) started.resolve();
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  child.once("exit", (code) => started.reject(new Error(`the daemon ended in ${code}:\n${text}`)));
  await started.promise;
  return { child, output: () => text.split("\n").filter((line) => line !== "") };
}

function isOver(job: JobView | undefined): boolean {
  return job !== undefined && ["Succeeded", "Failed", "TimedOut"].includes(job.status);
}

function latenessOf(job: JobView | undefined): number {
  return (job?.endedAtMs ?? Number.POSITIVE_INFINITY) - (job?.queuedAtMs ?? 0) - goodMs - pollMs;
}

function breachesOfGood(job: JobView | undefined): readonly string[] {
  if (job?.status !== "Succeeded") return [`a good job is ${job?.status}: ${messageOf(job)}`];
  return latenessOf(job) > lateMs ? [`a good job was more than ${lateMs} ms late`] : [];
}

function breachesOfBad(job: JobView | undefined, kind: string, run: readonly string[]): readonly string[] {
  if (!job?.result || job.results.length !== 1) return [`${kind}: ${job?.results.length} results`];
  const message = messageOf(job);
  if (job.status === "Succeeded") return harmless.includes(kind) ? [] : [`${kind}: succeeded`];
  // Any of the run may have ended the thread; with nothing else the result must tell of the job itself.
  const possible = [...run.filter((each) => !slow.has(each) || each !== "ignores its abort"), kind];
  const isTrue = possible.some((each) => (truths[each] ?? refused[each])?.test(message));
  return isTrue ? [] : [`${kind}: said "${message}"`];
}

function messageOf(job: JobView | undefined): string {
  const details = job?.result?.document["failureDetails"];
  return typeof details === "object" && details !== null && "message" in details ? String(details.message) : "";
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

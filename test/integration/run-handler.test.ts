// Promise: what runHandler says of a handler is what the daemon makes of it: the same outcome for the same job.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import {
  continued,
  failed,
  type Handler,
  type HandlerJob,
  JobFailure,
  type Outcome,
  succeeded,
} from "../../src/index.js";
import { type RunHandlerOptions, runHandler, startWorker } from "../../src/testkit/index.js";

const type = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;

/** What the daemon makes of it. `timeout`, or a stop as soon as it runs. */
async function byDaemon(handler: Handler, options: RunHandlerOptions, end?: "deadline" | "stop") {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  emulator.addActionType({
    ...type,
    inputs: { minimumCount: 0, maximumCount: 5 },
    outputs: { minimumCount: 0, maximumCount: 5 },
  });
  const begun = Promise.withResolvers<void>();
  const watched: Handler = (job) => {
    begun.resolve();
    return handler(job);
  };
  const worker = await startWorker(emulator, {
    actionTypes: [{ ...type, handler: "only", jobTimeout: end === "deadline" ? "1s" : "30m" }],
    handlers: { only: watched },
    shutdown: { drainTimeout: "0s", cancelGrace: "500ms" },
  });
  const reported = new Promise<Outcome>((resolve) => worker.on("job-reported", ({ outcome }) => resolve(outcome)));
  const { configuration = {}, inputs = {}, outputs = [] } = options;
  emulator.addJob({
    actionType: type,
    configuration,
    inputs: Object.entries(inputs).map(([name, files]) => ({ name, files: files as Record<string, string> })),
    outputs: outputs.map((name) => ({ name })),
  });
  await begun.promise;
  if (end === "stop") void worker.stop();
  const outcome = await reported;
  await worker.stop();
  return outcome;
}

const onAbort = <T>({ signal }: HandlerJob, then: () => T | Promise<T>) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())).then(then);
const options = { configuration: { Target: "main" }, inputs: { Source: { "src/a.txt": "a" } }, outputs: ["Report"] };

it.each<[string, Handler, ("deadline" | "stop")?]>([
  ["succeeds", ({ configuration }) => succeeded({ summary: configuration["Target"] ?? "" })],
  ["says too much", () => succeeded({ summary: "x".repeat(5_000), outputVariables: { A: "b" } })],
  ["continues", () => continued("t", { percentComplete: 50 })],
  ["fails", () => failed("no", { type: "PermissionError", externalExecutionId: "x" })],
  ["throws a JobFailure", () => Promise.reject(new JobFailure("RevisionOutOfSync", "old"))],
  ["throws an error", () => Promise.reject(new TypeError("no"))],
  ["throws a text", () => Promise.reject("no")],
  ["returns nothing", () => undefined as never],
  ["returns nonsense", () => ({ kind: "done" }) as never],
  [
    "works with artifacts",
    async (job) => {
      await mkdir(join(await job.folder(), "out"));
      const text = await readFile(join(await job.input("Source"), "src/a.txt"), "utf8");
      await writeFile(join(await job.folder(), "out/b.txt"), text);
      await job.output("Report", "out");
      return succeeded({ summary: `${text} ${(await readdir(await job.folder())).includes("out")}` });
    },
  ],
  ["asks for an input that there is not", async (job) => succeeded({ summary: await job.input("Nothing") })],
  ["gives an output that there is not", async (job) => void (await job.output("Nothing", ".")) as never],
  [
    "gives an output without waiting, and it is not a folder",
    (job) => {
      void job.output("Report", "nowhere");
      return succeeded();
    },
  ],
  ["throws at its deadline", (job) => onAbort(job, () => Promise.reject(new Error("aborted"))), "deadline"],
  ["succeeds at its deadline", (job) => onAbort(job, () => succeeded()), "deadline"],
  ["ignores its deadline", () => new Promise(() => {}), "deadline"],
  ["throws at a stop", (job) => onAbort(job, () => Promise.reject(new Error("aborted"))), "stop"],
  ["continues at a stop", (job) => onAbort(job, () => continued("later")), "stop"],
  ["ignores a stop", () => new Promise(() => {}), "stop"],
])("a handler that %s", async (_what, handler, end) => {
  const run = runHandler(handler, { ...options, ...(end === "deadline" ? { timeoutMs: 1_000 } : {}), graceMs: 50 });
  if (end === "deadline") run.passDeadline();
  if (end === "stop") run.stop();
  const [expected, { outcome }] = await Promise.all([byDaemon(handler, options, end), run]);
  expect(outcome).toEqual(expected);
});

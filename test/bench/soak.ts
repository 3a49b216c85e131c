// `npm run soak`: the daemon at 50 jobs/s with 5 % of all calls struck by faults, against an emulator in a process of
// its own. Prints the slope of heap and resident memory after the warm-up with its error, what was left open, and
// what was lost. SOAK_SECONDS (600), SOAK_RATE (50). Exits 1 when something was lost, left open or unhandled, or when
// the heap grows by more than 1 MiB/h beyond its noise. Needs the build, and Node's --expose-gc.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as LoadModule from "../../src/config/load.js";
import type * as DaemonModule from "../../src/daemon.js";
import type * as EmulatorModule from "../../src/emulator/emulator.js";
import type * as ClockModule from "../../src/std/clock.js";
import type * as LogModule from "../../src/std/log.js";
import type * as MaskingModule from "../../src/std/masking.js";

const seconds = Number(process.env["SOAK_SECONDS"] ?? 600);
const rate = Number(process.env["SOAK_RATE"] ?? 50);
/** More than the ended jobs that a ledger remembers (20,000): until then its memory rightly grows. */
const warmUpJobs = Number(process.env["SOAK_WARM_UP_JOBS"] ?? 22_000);
const warmUpRate = rate * 8;
const sampleMs = 5_000;
const slopeMaxMiBPerHour = 1;
const actionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;

type Order = { readonly type: "feed"; readonly perSecond: number; readonly jobs: number } | { readonly type: "report" };
type Told =
  | { readonly type: "listening"; readonly url: string; readonly clientId: string; readonly clientToken: string }
  | { readonly type: "fed" }
  | { readonly type: "report"; readonly given: number; readonly done: number; readonly text: string };

if (process.send) await serveEmulator();
else process.exitCode = await soak();

/** The built program's own modules: this file runs without a compiler. */
function built<Module>(path: string): Promise<Module> {
  return import(pathToFileURL(fileURLToPath(new URL(`../../dist/${path}`, import.meta.url))).href) as Promise<Module>;
}

async function serveEmulator(): Promise<void> {
  const { startEmulator } = await built<typeof EmulatorModule>("emulator/emulator.js");
  const emulator = await startEmulator({ seed: 1, settings: { redeliveryMs: 2_000, keepEnded: 2_000 } });
  emulator.addActionType({ ...actionType, regions: ["us-east-1"] });
  for (const kind of ["throttle", "internal-error", "reset", "lost-answer", "html"] as const) {
    emulator.fault({ kind, probability: 0.01 });
  }
  let given = 0;
  let done = 0;
  let failed = 0;
  emulator.on((event) => {
    if (event.type !== "job-changed") return;
    if (event.to === "Succeeded") done += 1;
    if (event.to === "Failed" || event.to === "TimedOut") failed += 1;
  });
  const tell = (told: Told) => process.send?.(told);
  const feed = async (perSecond: number, jobs: number) => {
    for (let left = jobs; left > 0; ) {
      const count = Math.min(left, Math.max(1, Math.round(perSecond / 10)));
      emulator.addJobs({ actionType, count });
      given += count;
      left -= count;
      await wait(100);
    }
    tell({ type: "fed" });
  };
  process.on("message", (order: Order) => {
    if (order.type === "feed") return void feed(order.perSecond, order.jobs);
    const violations = emulator.violations().length;
    tell({ type: "report", given, done, text: `${failed} failed or timed out, ${violations} violations` });
  });
  process.on("disconnect", () => process.exit(0));
  tell({ type: "listening", url: emulator.url, ...emulator.defaultClient });
}

async function soak(): Promise<number> {
  let strays = 0;
  for (const name of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(name, (error: unknown) => {
      strays += 1;
      console.error(name, error);
    });
  }
  const child = fork(fileURLToPath(import.meta.url));
  const started = await next(child, "listening");
  const openBefore = openResources();
  const folder = mkdtempSync(join(tmpdir(), "partnerd-soak-"));
  const { daemon, ended } = await startDaemon(folder, started);
  console.log(`warming up with ${warmUpJobs} jobs at ${warmUpRate}/s`);
  await order(child, { type: "feed", perSecond: warmUpRate, jobs: warmUpJobs });
  await settled(child);
  console.log(`${seconds} s at ${rate} jobs/s, 5 % of all calls with a fault`);
  const isFed = order(child, { type: "feed", perSecond: rate, jobs: seconds * rate });
  const samples = await sampled(isFed);
  const { given, done, text } = await settled(child);
  await daemon.worker.stop();
  const end = await ended;
  await daemon.close();
  child.disconnect();
  rmSync(folder, { recursive: true, force: true });
  await wait(1_000);
  const openAfter = openResources();
  const heap = slope(samples.map(({ atMs, heap }) => [atMs, heap]));
  const rss = slope(samples.map(({ atMs, rss }) => [atMs, rss]));
  console.log(`jobs: ${given} given, ${done} succeeded, ${text}; owed at the end: ${end.owed}`);
  console.log(`heap after collection: ${shown(heap)}`);
  console.log(`resident memory:       ${shown(rss)}`);
  console.log(`open before ${JSON.stringify(openBefore)}, after ${JSON.stringify(openAfter)}`);
  console.log(`unhandled rejections and exceptions: ${strays}`);
  const leaks = Object.entries(openAfter).filter(([name, count]) => count > (openBefore[name] ?? 0));
  const isGrowing = heap.perHour - 2 * heap.error > slopeMaxMiBPerHour;
  const isBad = given !== done || end.owed > 0 || end.isBroken || strays > 0 || leaks.length > 0 || isGrowing;
  console.log(isBad ? "not well" : "well");
  return isBad ? 1 : 0;
}

async function startDaemon(folder: string, emulator: Extract<Told, { type: "listening" }>) {
  writeFileSync(join(folder, "noop.mjs"), 'export const handler = async () => ({ kind: "succeeded" });\n');
  const path = join(folder, "partnerd.json");
  const settings = {
    regions: ["us-east-1"],
    actionTypes: [{ ...actionType, handler: "noop" }],
    handlers: { noop: { kind: "module", path: "./noop.mjs" } },
    clientTokens: { source: "static", tokens: { [emulator.clientId]: emulator.clientToken } },
    polling: { minInterval: "50ms", maxInterval: "200ms" },
    retry: { poll: { minDelay: "50ms", maxDelay: "200ms" }, throttledPoll: { minDelay: "50ms", maxDelay: "200ms" } },
    ledger: { store: "sqlite", path: "./soak.db" },
    admin: { port: 0 },
    log: { level: "info" },
    aws: { endpoint: emulator.url },
  };
  writeFileSync(path, JSON.stringify(settings));
  process.env["AWS_ACCESS_KEY_ID"] = "soak";
  process.env["AWS_SECRET_ACCESS_KEY"] = "soak";
  process.env["AWS_EC2_METADATA_DISABLED"] = "true";
  const [{ loadConfig }, { Daemon }, { systemClock }, { createLog }, { Masker }] = await Promise.all([
    built<typeof LoadModule>("config/load.js"),
    built<typeof DaemonModule>("daemon.js"),
    built<typeof ClockModule>("std/clock.js"),
    built<typeof LogModule>("std/log.js"),
    built<typeof MaskingModule>("std/masking.js"),
  ]);
  const { config } = await loadConfig({ files: [path], environment: {}, directory: folder, overrides: [] });
  const masker = new Masker();
  const log = createLog({ ...config.log, masker, destination: { write: () => {} } });
  const daemon = await Daemon.build({ config, log, masker, clock: systemClock, environment: {} });
  return { daemon, ended: daemon.run() };
}

interface Sample {
  readonly atMs: number;
  /** In MiB. */
  readonly heap: number;
  readonly rss: number;
}

/** Memory every few seconds until the promise resolves. */
async function sampled(until: Promise<unknown>): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const end = new AbortController();
  const over = until.then(() => end.abort());
  do {
    // Twice: what the first collection leaves to finalizers goes with the second.
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    samples.push({ atMs: performance.now(), heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 });
    // Rejects at the end, and leaves no timer behind then.
    await wait(sampleMs, undefined, { signal: end.signal }).catch(() => {});
  } while (!end.signal.aborted);
  await over;
  return samples;
}

/** Least squares: MiB per hour with its standard error, and the noise around the line. */
function slope(points: readonly (readonly [atMs: number, value: number])[]) {
  const count = points.length;
  const hours = points.map(([atMs]) => atMs / 3_600_000);
  const values = points.map(([, value]) => value);
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [meanX, meanY] = [mean(hours), mean(values)];
  const spread = hours.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
  const perHour = hours.reduce((sum, x, index) => sum + (x - meanX) * ((values[index] ?? 0) - meanY), 0) / spread;
  const rests = hours.map((x, index) => (values[index] ?? 0) - meanY - perHour * (x - meanX));
  const variance = rests.reduce((sum, rest) => sum + rest ** 2, 0) / Math.max(1, count - 2);
  return { perHour, error: Math.sqrt(variance / spread), noise: Math.sqrt(variance), mean: meanY, count };
}

function shown({ perHour, error, noise, mean, count }: ReturnType<typeof slope>): string {
  return (
    `${mean.toFixed(1)} MiB, slope ${perHour.toFixed(2)} ± ${(2 * error).toFixed(2)} MiB/h ` +
    `(two standard errors; ${count} samples, noise ${noise.toFixed(2)} MiB)`
  );
}

/** Timers, sockets and the like that are open, by kind. */
function openResources(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

async function order(child: ChildProcess, given: Extract<Order, { type: "feed" }>): Promise<void> {
  child.send(given);
  await next(child, "fed");
}

/** Waits until every job given has succeeded, a minute at most, and gives the last report. */
async function settled(child: ChildProcess): Promise<Extract<Told, { type: "report" }>> {
  for (let waits = 0; ; waits++) {
    child.send({ type: "report" } satisfies Order);
    const report = await next(child, "report");
    if (report.done === report.given || waits >= 120) return report;
    await wait(500);
  }
}

async function next<Type extends Told["type"]>(
  child: ChildProcess,
  type: Type,
): Promise<Extract<Told, { type: Type }>> {
  for (;;) {
    const [told] = (await once(child, "message")) as [Told];
    if (told.type === type) return told as Extract<Told, { type: Type }>;
  }
}

// `npm run soak`: the daemon at 50 jobs/s with 5 % of all calls struck by faults, against an emulator in a process of
// its own. Prints the slope of heap and resident memory after the warm-up with its error, what was left open, and
// what was lost. SOAK_SECONDS (600), SOAK_RATE (50), SOAK_SAMPLES (a file for the samples). Exits 1 when something was
// lost, left open or unhandled, or when the slope of the heap is above 1 MiB/h or too noisy to tell.
// Needs Node's --expose-gc.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import "../../scripts/sources.mjs";
import type * as DaemonModule from "../../src/compose/daemon.js";
import type * as LoadModule from "../../src/config/load.js";
import type * as EmulatorModule from "../../src/emulator/emulator.js";
import type * as ClockModule from "../../src/std/clock.js";
import type * as LogModule from "../../src/std/log.js";
import type * as MaskingModule from "../../src/std/masking.js";
import { MemorySamples } from "./memory-samples.ts";
import { type Slope, slopeOf } from "./slope.ts";

const seconds = Number(process.env["SOAK_SECONDS"] ?? 600);
const rate = Number(process.env["SOAK_RATE"] ?? 50);
/**
 * Until everything that is bounded is full. Last of all comes the Map of the 20,000 ended jobs that a ledger remembers:
 * V8 counts the deleted entries, too, so its table takes its last size (65,536 places, 0.9 MiB more) when 32,768 jobs
 * have ended, and keeps that size from then on.
 */
const warmUpJobs = Number(process.env["SOAK_WARM_UP_JOBS"] ?? 36_000);
const warmUpRate = rate * 8;
const sliceSeconds = 5;
/** For the last records to be written and the leases to be given back, once the emulator has every result. */
const restMs = 300;
const slopeMaxMiBPerHour = 1;
const actionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;

type Order = { readonly type: "feed"; readonly perSecond: number; readonly jobs: number } | { readonly type: "report" };
type Told =
  | { readonly type: "listening"; readonly url: string; readonly clientId: string; readonly clientToken: string }
  | { readonly type: "fed" }
  | { readonly type: "report"; readonly given: number; readonly done: number; readonly text: string };

if (process.send) await serveEmulator();
else process.exitCode = await soakedWith(fork(fileURLToPath(import.meta.url)));

/** The program's own modules. */
function ours<Module>(path: string): Promise<Module> {
  return import(new URL(`../../src/${path}`, import.meta.url).href) as Promise<Module>;
}

async function serveEmulator(): Promise<void> {
  const { startEmulator } = await ours<typeof EmulatorModule>("emulator/emulator.ts");
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

/** Ends the emulator however the soak ends; an error of the soak itself must not count as one of the daemon's. */
async function soakedWith(child: ChildProcess): Promise<number> {
  try {
    return await soak(child);
  } catch (error) {
    console.error("the soak itself failed:", error);
    return 1;
  } finally {
    if (child.connected) child.disconnect();
  }
}

async function soak(child: ChildProcess): Promise<number> {
  let strays = 0;
  for (const name of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(name, (error: unknown) => {
      strays += 1;
      console.error(name, error);
    });
  }
  const started = await next(child, "listening");
  const openBefore = openResources();
  const folder = mkdtempSync(join(tmpdir(), "partnerd-soak-"));
  const { daemon, ended } = await startDaemon(folder, started);
  console.log(`warming up with ${warmUpJobs} jobs at ${warmUpRate}/s`);
  await order(child, { type: "feed", perSecond: warmUpRate, jobs: warmUpJobs });
  const warm = await settled(child);
  if (warm.done < warm.given) console.log(`the warm-up is not over: ${warm.done} of ${warm.given} jobs`);
  console.log(
    `${seconds} s at ${rate} jobs/s, 5 % of all calls with a fault; a sample at rest every ${sliceSeconds} s`,
  );
  const startedMs = performance.now();
  const samples = await sampled(child);
  const tookMs = performance.now() - startedMs;
  const { given, done, text } = await settled(child);
  await daemon.worker.stop();
  const end = await ended;
  await daemon.close();
  child.disconnect();
  rmSync(folder, { recursive: true, force: true });
  await wait(1_000);
  const openAfter = openResources();
  const heap = slopeOf(samples.atMs, samples.heap);
  console.log(`jobs: ${given} given, ${done} succeeded, ${text}; owed at the end: ${end.owed}`);
  const measured = given - warm.given;
  console.log(
    `of these ${measured} while measured, in ${(tookMs / 1_000).toFixed(0)} s, rests included: ` +
      `${(measured / (tookMs / 1_000)).toFixed(1)}/s`,
  );
  console.log(`heap after collection: ${shown(heap)}`);
  console.log(`outside the heap:      ${shown(slopeOf(samples.atMs, samples.external))}`);
  console.log(`resident memory:       ${shown(slopeOf(samples.atMs, samples.resident))}`);
  console.log(`open before ${JSON.stringify(openBefore)}, after ${JSON.stringify(openAfter)}`);
  console.log(`unhandled rejections and exceptions: ${strays}`);
  const leaks = Object.entries(openAfter).filter(([name, count]) => count > (openBefore[name] ?? 0));
  const wrong = [
    ...(given === done ? [] : [`${given - done} jobs did not succeed`]),
    ...(end.owed > 0 ? [`${end.owed} jobs are owed`] : []),
    ...(end.isBroken ? ["the worker ended by a bug"] : []),
    ...(strays > 0 ? [`${strays} rejections or exceptions were not handled`] : []),
    ...leaks.map(([name, count]) => `${count} ${name} open, ${openBefore[name] ?? 0} before`),
    ...(heap.perHour > slopeMaxMiBPerHour ? [`the heap grows by more than ${slopeMaxMiBPerHour} MiB/h`] : []),
    ...(heap.margin > slopeMaxMiBPerHour ? ["the slope of the heap is too noisy to tell"] : []),
  ];
  console.log(wrong.length > 0 ? `not well: ${wrong.join("; ")}` : "well");
  return wrong.length > 0 ? 1 : 0;
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
    ours<typeof LoadModule>("config/load.ts"),
    ours<typeof DaemonModule>("compose/daemon.ts"),
    ours<typeof ClockModule>("std/clock.ts"),
    ours<typeof LogModule>("std/log.ts"),
    ours<typeof MaskingModule>("std/masking.ts"),
  ]);
  const { config } = await loadConfig({ files: [path], environment: {}, directory: folder, overrides: [] });
  const masker = new Masker();
  const log = createLog({ ...config.log, masker, destination: { write: () => {} } });
  const daemon = await Daemon.build({ config, log, masker, clock: systemClock, environment: {} });
  return { daemon, ended: daemon.run() };
}

/**
 * Feeds slice by slice, and measures after each when every job is over. What jobs under way hold depends on how busy the
 * machine is, makes a noise of half a MiB, and says nothing of what stays.
 */
async function sampled(child: ChildProcess): Promise<MemorySamples> {
  const slices = Math.ceil(seconds / sliceSeconds);
  const samples = new MemorySamples(slices);
  for (let slice = 0; slice < slices; slice++) {
    await order(child, { type: "feed", perSecond: rate, jobs: rate * sliceSeconds });
    await settled(child);
    await wait(restMs);
    samples.take();
  }
  const path = process.env["SOAK_SAMPLES"];
  if (path) writeFileSync(path, samples.toCsv());
  return samples;
}

function shown({ perHour, margin, error, noise, resemblance, first, last, mean, count }: Slope): string {
  const within = `${(perHour - margin).toFixed(2)} to ${(perHour + margin).toFixed(2)}`;
  return (
    `${mean.toFixed(1)} MiB (${first.toFixed(1)} … ${last.toFixed(1)}), slope ${perHour.toFixed(2)} MiB/h, ` +
    `standard error ${error.toFixed(2)}, 95 %: ${within}; ${count} samples, noise ${noise.toFixed(2)} MiB, ` +
    `autocorrelation ${resemblance.toFixed(2)}`
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

/** Waits until every job given has succeeded, five minutes at most, and gives the last report. */
async function settled(child: ChildProcess): Promise<Extract<Told, { type: "report" }>> {
  for (let waits = 0; ; waits++) {
    child.send({ type: "report" } satisfies Order);
    const report = await next(child, "report");
    if (report.done === report.given || waits >= 3_000) return report;
    await wait(100);
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

// `node test/bench/ledger.ts`: what a ledger costs by itself. CPU per job of both ledgers, the event loop beside a
// disk that takes 20 ms per flush (by strace, where it is), the start with many unfinished jobs, the file's size.
// Each part runs in a process of its own, from the sources. Prints; judges nothing.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { JobId, JobKey, Nonce, Region } from "../../src/job/job.ts";
import type { JobEvent } from "../../src/job/lifecycle.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { sourceHook } from "../support/source-hook.ts";

const jobs = Number(process.env["BENCH_JOBS"] ?? 20_000);
const sizeJobs = Number(process.env["BENCH_SIZE_JOBS"] ?? 1_000_000);
const unfinished = 10_000;
const slots = 50;

const story: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: "3" as Nonce },
  { type: "acknowledge-accepted", claim: "ours" },
  { type: "outcome-settled", outcome: { kind: "succeeded", summary: "scanned 1,024 files and found nothing at all" } },
  { type: "report-accepted" },
];

const [part = "all", path = ""] = import.meta.main ? process.argv.slice(2) : [];
const parts: Record<string, () => Promise<void>> = {
  memory: () => cost("memory"),
  sqlite: () => cost("sqlite"),
  loop: () => eventLoop(),
  start: () => startUp(),
  size: () => size(),
};
if (import.meta.main) {
  if (part === "all") everyPart();
  else await parts[part]?.();
}

/** Every part, which prints for itself. */
export async function run(): Promise<readonly []> {
  everyPart();
  return [];
}

function everyPart(): void {
  for (const name of Object.keys(parts)) {
    const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-"));
    const node = ["--import", sourceHook, fileURLToPath(import.meta.url), name, join(folder, "ledger.db")];
    const slow = "inject=fsync,fdatasync:delay_enter=20000";
    const strace = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", slow, process.execPath];
    const { error } =
      name === "loop"
        ? spawnSync("strace", [...strace, ...node], { stdio: "inherit" })
        : spawnSync(process.execPath, node, { stdio: "inherit" });
    if (error) console.log(`${name}: skipped, ${error.message}`);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function cost(kind: "memory" | "sqlite"): Promise<void> {
  const ledger = await open(kind);
  await work(ledger, "warm", Math.ceil(jobs / 4));
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await work(ledger, "job", jobs);
  const { user, system } = process.cpuUsage(before);
  const perSecond = (jobs / (performance.now() - startedMs)) * 1_000;
  const rss = process.memoryUsage.rss() / 2 ** 20;
  console.log(
    `${kind} ledger alone, ${slots} at once: ${perSecond.toFixed(0)} jobs/s, ` +
      `${((user + system) / jobs).toFixed(1)} µs CPU per job, ${rss.toFixed(0)} MiB`,
  );
  await ledger.close();
}

async function eventLoop(): Promise<void> {
  const ledger = await open("sqlite");
  await work(ledger, "warm", 200);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work(ledger, "job", 2_000);
  const ms = (percent: number) => (delay.percentile(percent) / 1e6).toFixed(1);
  console.log(`event loop beside 20 ms flushes: delay p50 ${ms(50)} ms, p99 ${ms(99)} ms, p99.9 ${ms(99.9)} ms`);
  await ledger.close();
}

async function startUp(): Promise<void> {
  const first = await open("sqlite");
  await Promise.all(Array.from({ length: unfinished }, (_, n) => events(first, `left-${n}`, 4)));
  await first.close();
  const startedMs = performance.now();
  const second = await open("sqlite");
  const found = await second.unfinished();
  console.log(`start with ${found.length} unfinished jobs: ${(performance.now() - startedMs).toFixed(0)} ms`);
  await second.close();
}

async function size(): Promise<void> {
  // No distance between transactions: a million jobs are enough to wait for.
  const ledger = await open("sqlite", 0);
  await work(ledger, "job", sizeJobs);
  const bytes = (suffix: string) => statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0;
  const whileOpen = `${mebibytes(bytes(""))} + ${mebibytes(bytes("-wal"))} MiB of log while open`;
  await ledger.close();
  console.log(`file after ${sizeJobs} jobs: ${whileOpen}, ${mebibytes(bytes(""))} MiB closed`);
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2);
}

async function work(ledger: Ledger, prefix: string, count: number): Promise<void> {
  let next = 0;
  const slot = async () => {
    while (next < count) await events(ledger, `${prefix}-${next++}`, 5);
  };
  await Promise.all(Array.from({ length: slots }, slot));
}

/** The first `count` events of a job's life. */
async function events(ledger: Ledger, name: string, count: number): Promise<void> {
  const key: JobKey = {
    region: "eu-west-1" as Region,
    actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
    jobId: `0b0d6f1e-7c5c-4f0e-9f43-${name}` as JobId,
  };
  const lease = await ledger.lease(key);
  if (!lease) throw new Error(`no lease on ${name}`);
  for (const event of story.slice(0, count)) await ledger.record(lease, event);
  await ledger.release(lease);
}

async function open(kind: "memory" | "sqlite", commitSpacingMs = 5): Promise<Ledger> {
  const { systemClock: clock } = await import("../../src/std/clock.ts");
  const recent = { recentMs: 3_600_000, recentMax: 20_000 };
  if (kind === "memory") {
    const { MemoryLedger } = await import("../../src/ledger/memory.ts");
    return new MemoryLedger({ clock, ...recent, groupMs: 0 });
  }
  const { SqliteLedger } = await import("../../src/ledger/sqlite/sqlite-ledger.ts");
  const pace = { commitSpacingMs, commitTimeoutMs: 30_000, probeIntervalMs: 5_000 };
  return SqliteLedger.open({ path, clock, ...recent, ...pace, onHealth: () => {} });
}

// `npm run bench`: this daemon beside an ideal pool over the same SDK, interleaved in one run against one cheap
// endpoint process. Prints medians with their spread, and the ratios; judges nothing.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { type Contestant, Endpoint, startDaemon, startPool } from "./contestants.ts";
import { median, spread } from "./figures.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const jobs = Number(process.env["BENCH_JOBS"] ?? 6_000);
const warmUpJobs = Math.ceil(jobs / 3);

interface Measured {
  readonly jobsPerSecond: number;
  readonly cpuMicrosPerJob: number;
  readonly rssMegabytes: number;
  readonly callsPerJob: number;
}

const endpoint = await Endpoint.start();
try {
  if (isWanted("engine")) await throughput();
  if (isWanted("handlers")) await handlers();
  if (isWanted("pickup")) await pickup();
  if (isWanted("idle")) await idle();
} finally {
  endpoint.stop();
}

/** `npm run bench -- engine handlers …`: only these parts. */
function isWanted(part: string): boolean {
  const wanted = process.argv.slice(2);
  return wanted.length === 0 || wanted.includes(part);
}

/** What a thread of its own costs a module handler: for each job, and while it has none. */
async function handlers(): Promise<void> {
  const rows: Record<"thread" | "none", Measured[]> = { thread: [], none: [] };
  for (let round = 0; round < rounds; round++) {
    for (const isolation of ["thread", "none"] as const) {
      rows[isolation].push(await measure(startDaemon({ endpoint: endpoint.url, isolation })));
    }
  }
  console.log(`\nmodule handlers, ${jobs} no-op jobs, memory ledger, ${rounds} interleaved rounds\n`);
  const cpu = (isolation: "thread" | "none") => rows[isolation].map((row) => row.cpuMicrosPerJob);
  const speed = (isolation: "thread" | "none") => rows[isolation].map((row) => row.jobsPerSecond);
  for (const isolation of ["thread", "none"] as const) {
    const cells = [spread(cpu(isolation)), spread(speed(isolation))];
    console.log(`isolation: ${isolation.padEnd(8)} CPU µs/job ${cells[0]}, jobs/s ${cells[1]}`);
  }
  const ratio = (of: typeof cpu) => (median(of("thread")) / median(of("none"))).toFixed(2);
  console.log(`CPU per job  isolation: thread / none: ${ratio(cpu)} ×`);
  console.log(`jobs/s       isolation: thread / none: ${ratio(speed)} ×`);
  const idle = 20;
  const rss = [];
  for (const idleHandlers of [0, idle]) {
    endpoint.set({ jobs: 0, latencyMs: 0, ratePerSecond: null });
    const contestant = startDaemon({ endpoint: endpoint.url, idleHandlers });
    await wait(10_000);
    rss.push(contestant.rssMegabytes());
    await contestant.stop();
  }
  const [without = 0, having = 0] = rss;
  console.log(`RSS of each idle module handler, of ${idle}: ${((having - without) / idle).toFixed(1)} MB`);
}

/** Jobs per second, CPU and memory of each contestant, one after the other, round after round. */
async function throughput(): Promise<void> {
  const contestants: Record<string, () => Contestant> = {
    "partnerd, memory ledger": () => startDaemon({ endpoint: endpoint.url }),
    "partnerd, sqlite ledger": () => startDaemon({ endpoint: endpoint.url, ledger: "sqlite" }),
    "pool, SDK as it comes": () => startPool(endpoint.url, "plain"),
    "pool, middleware cached": () => startPool(endpoint.url, "cached"),
  };
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, start] of Object.entries(contestants)) {
      const measured = await measure(start());
      results.set(name, [...(results.get(name) ?? []), measured]);
    }
  }
  console.log(`\n${jobs} no-op jobs, 50 at once, ${rounds} interleaved rounds: median (lowest – highest)\n`);
  console.log(`${"".padEnd(26)}${["jobs/s", "CPU µs/job", "RSS MB", "calls/job"].map((h) => h.padStart(24)).join("")}`);
  for (const [name, rows] of results) {
    const cells = [
      spread(rows.map((row) => row.jobsPerSecond)),
      spread(rows.map((row) => row.cpuMicrosPerJob)),
      spread(rows.map((row) => row.rssMegabytes)),
      spread(
        rows.map((row) => row.callsPerJob),
        2,
      ),
    ];
    console.log(`${name.padEnd(26)}${cells.map((cell) => cell.padStart(24)).join("")}`);
  }
  const at = (name: string, of: (row: Measured) => number) => median((results.get(name) ?? []).map(of));
  const ratio = (what: string, of: (row: Measured) => number, a: string, b: string) =>
    console.log(`${what.padEnd(12)} ${a} / ${b}: ${(at(a, of) / at(b, of)).toFixed(2)} ×`);
  console.log();
  for (const pool of ["pool, SDK as it comes", "pool, middleware cached"]) {
    ratio("CPU per job", (row) => row.cpuMicrosPerJob, "partnerd, memory ledger", pool);
    ratio("jobs/s", (row) => row.jobsPerSecond, "partnerd, memory ledger", pool);
    ratio("RSS", (row) => row.rssMegabytes, "partnerd, memory ledger", pool);
  }
  ratio("CPU per job", (row) => row.cpuMicrosPerJob, "partnerd, sqlite ledger", "partnerd, memory ledger");
  ratio("jobs/s", (row) => row.jobsPerSecond, "partnerd, sqlite ledger", "partnerd, memory ledger");
  const sample = 10;
  console.log(
    `jobs/s       partnerd, memory ledger / AWS's sample worker (${sample}/s by its fixed-rate poll): ` +
      `${(at("partnerd, memory ledger", (row) => row.jobsPerSecond) / sample).toFixed(0)} ×`,
  );
}

async function measure(contestant: Contestant): Promise<Measured> {
  try {
    await endpoint.give({ jobs: warmUpJobs, latencyMs: 0, ratePerSecond: null });
    const cpuBefore = contestant.cpuMicros();
    const done = await endpoint.give({ jobs, latencyMs: 0, ratePerSecond: null });
    return {
      jobsPerSecond: jobs / (done.elapsedMs / 1_000),
      cpuMicrosPerJob: (contestant.cpuMicros() - cpuBefore) / jobs,
      rssMegabytes: contestant.rssMegabytes(),
      callsPerJob: done.calls / jobs,
    };
  } finally {
    await contestant.stop();
  }
}

/** From a poll's answer to the handler's first line, at 200 jobs/s and 20 ms for each call. */
async function pickup(): Promise<void> {
  const latencyMs = 20;
  const contestant = startDaemon({ endpoint: endpoint.url });
  try {
    await endpoint.give({ jobs: 400, latencyMs, ratePerSecond: 200 });
    await endpoint.give({ jobs: 2_000, latencyMs, ratePerSecond: 200 });
  } finally {
    // The log is complete only once the process has ended, and the folder goes with it.
    await wait(200);
  }
  const pickups = readFileSync(contestant.logPath, "utf8")
    .split("\n")
    .flatMap((line) => {
      const found = /"pickupMs":(\d+(?:\.\d+)?)/.exec(line);
      return found ? [Number(found[1])] : [];
    })
    .slice(400)
    .sort((a, b) => a - b);
  await contestant.stop();
  const above = (part: number) =>
    ((pickups[Math.floor(pickups.length * part)] ?? Number.NaN) - 2 * latencyMs).toFixed(1);
  console.log(
    `\npickup at 200 jobs/s, ${latencyMs} ms a call (${pickups.length} jobs), above two round trips: ` +
      `p50 ${above(0.5)} ms, p95 ${above(0.95)} ms, p99 ${above(0.99)} ms`,
  );
}

/** Ten action types with nothing to do, at the default intervals. */
async function idle(): Promise<void> {
  endpoint.set({ jobs: 0, latencyMs: 0, ratePerSecond: null });
  const contestant = startDaemon({ endpoint: endpoint.url, actionTypes: 10, minInterval: "1s", maxInterval: "15s" });
  const seconds = Number(process.env["BENCH_IDLE_SECONDS"] ?? 45);
  try {
    await wait(25_000);
    const cpuBefore = contestant.cpuMicros();
    await wait(seconds * 1_000);
    const share = (contestant.cpuMicros() - cpuBefore) / (seconds * 1e6);
    console.log(
      `idle with 10 action types, over ${seconds} s: RSS ${contestant.rssMegabytes().toFixed(0)} MB, ` +
        `CPU ${(share * 100).toFixed(2)} % of a core`,
    );
  } finally {
    await contestant.stop();
  }
}

// `npm run bench [-- NAME…]`: all parts within ten minutes on two cores, or those that are named. Each part is a process
// of its own with a limit of time, so that one that fails or hangs does not take the others along. Prints what it does, then
// a line for each figure: the median, the lowest and highest of interleaved rounds, what was wanted and whether it was
// reached. Writes the lines to bench.json. Exits 1 when a part failed, never because of a figure.
// BENCH_ROUNDS: how many rounds (3), and a part's time grows with them; BENCH_SMOKE=1: small and short, to see that it works.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchLine, lineText, verdictOf } from "./bench-line.ts";
import type { PartTold } from "./bench-part.ts";

interface Part {
  /** For three rounds: no further round begins when it would end later. */
  readonly seconds: number;
  /** Only when it is named: what it shows belongs to one change, or it takes long. */
  readonly isExtra?: boolean;
}

const allParts: Readonly<Record<string, Part>> = {
  engine: { seconds: 89 },
  pickup: { seconds: 90 },
  idle: { seconds: 85 },
  start: { seconds: 32 },
  memory: { seconds: 61 },
  scale: { seconds: 240 },
  artifacts: { seconds: 600, isExtra: true },
  ledger: { seconds: 600, isExtra: true },
  console: { seconds: 600, isExtra: true },
  profile: { seconds: 300, isExtra: true },
  long: { seconds: 7_200, isExtra: true },
};
/** A part that is over its time by so much is ended. */
const limitFactor = 4 / 3;
/** For all that run by default: who is late takes none of the others' time. */
const totalSeconds = 600;
const roundsByDefault = 3;

const parts = Object.keys(allParts).filter((name) => existsSync(new URL(`./${name}.ts`, import.meta.url)));
const named = process.argv.slice(2);
const unknown = named.find((name) => !parts.includes(name));
if (unknown !== undefined) {
  throw new Error(`there is no benchmark ${unknown}; there are ${parts.join(", ")}`);
}
const isSmoke = process.env["BENCH_SMOKE"] === "1";
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isSmoke ? 1 : roundsByDefault));
const secondsOf = (name: string) => (allParts[name]?.seconds ?? 0) * Math.max(1, rounds / roundsByDefault);

interface Ended {
  readonly part: string;
  readonly lines: readonly BenchLine[];
  /** Why there are none, or not all. */
  readonly failure?: string;
}

let running: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    if (running) endGroup(running);
    process.exit(1);
  });
}
const names = named.length > 0 ? named : parts.filter((name) => allParts[name]?.isExtra !== true);
const secondsFor = (some: readonly string[]) => some.reduce((sum, name) => sum + secondsOf(name), 0);
const most = Math.min(
  secondsFor(names) * limitFactor,
  named.length > 0 ? Number.POSITIVE_INFINITY : totalSeconds * Math.max(1, rounds / roundsByDefault),
);
const load = (loadavg()[0] ?? 0).toFixed(1);
console.log(`${names.join(", ")}: ${rounds} rounds, up to ${minutes(most)}; load now ${load}`);
const endMs = performance.now() + most * 1_000;
const ended: Ended[] = [];
for (const [at, name] of names.entries()) {
  const startedMs = performance.now();
  console.log(`\n${name}: up to ${minutes(secondsOf(name))}`);
  const leftSeconds = (endMs - startedMs) / 1_000 - secondsFor(names.slice(at + 1));
  const end = await ran(name, Math.min(secondsOf(name) * limitFactor, leftSeconds));
  console.log(`\n${name}, ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  for (const line of end.lines) console.log(`  ${lineText(line)}`);
  if (end.failure !== undefined) console.log(`  FAILED: ${end.failure}`);
  ended.push(end);
}
const failures = ended.flatMap(({ part, failure }) => (failure === undefined ? [] : [{ part, failure }]));
summarize(ended);
write(ended);
process.exit(failures.length > 0 ? 1 : 0);

/** One part, in a group of processes that is ended with it, whatever it has started. */
async function ran(name: string, limitSeconds: number): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-run-"));
  const options = { name, rounds, isSmoke, seconds: secondsOf(name) };
  const child = spawn(process.execPath, [fileURLToPath(new URL("./bench-part.ts", import.meta.url))], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, TMPDIR: folder, BENCH_PART: JSON.stringify(options) },
  });
  running = child;
  const lines: BenchLine[] = [];
  let failure: string | undefined = "it ended without all of its figures";
  child.on("message", (told: PartTold) => {
    lines.push(...(told.found ?? []));
    if (told.failure !== undefined) failure = told.failure;
    if (told.isOver) failure = undefined;
  });
  const late = setTimeout(() => {
    failure = `it was not over after ${limitSeconds.toFixed(0)} s`;
    endGroup(child);
  }, limitSeconds * 1_000);
  try {
    await once(child, "close");
  } finally {
    clearTimeout(late);
    endGroup(child);
    running = undefined;
    rmSync(folder, { recursive: true, force: true });
  }
  return { part: name, lines, ...(failure !== undefined && { failure }) };
}

function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nothing of the group is left.
  }
}

function summarize(all: readonly Ended[]): void {
  const judged = all.flatMap(({ lines }) => lines).filter((line) => verdictOf(line) !== undefined);
  const missed = judged.filter((line) => verdictOf(line) === "missed");
  console.log(
    `\n${judged.length - missed.length} of ${judged.length} targets reached${missed.length > 0 ? "; missed:" : ""}`,
  );
  for (const line of missed) console.log(`  ${lineText(line)}`);
  for (const { part, failure } of all) if (failure !== undefined) console.log(`  ${part} FAILED: ${failure}`);
}

function write(all: readonly Ended[]): void {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, system: `${process.platform} ${release()} ${arch()}` };
  const lines = all.flatMap((end) => end.lines).map((line) => ({ ...line, verdict: verdictOf(line) }));
  const document = { at: new Date().toISOString(), node: process.version, machine, rounds, lines, failures };
  const file = process.env["BENCH_JSON"] ?? "bench.json";
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`\nwritten to ${file}`);
}

function minutes(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
}

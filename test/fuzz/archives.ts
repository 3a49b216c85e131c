// `npm run fuzz:archives -- --count 1000000 --seed 1`: unpacks archives with changed bytes, one after another, and ends with 1
// at the first that throws what nobody knows, writes or leads out of its folder, or takes more than a second of CPU time.
// Run again with the seed that it names and `--count 1`, it does the same again. Prints counts and the peak of memory.
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeSync,
} from "node:fs";
import nodeModule from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

nodeModule.registerHooks({
  resolve: (specifier, context, next) => next(specifier.replace(/^(\..*)\.js$/, "$1.ts"), context),
});
const { unpackFile } = await import("../../src/artifacts/unpack/unpack-file.ts");
const { refusalOf } = await import("../../src/artifacts/refusal.ts");
const { fileComplete, newProgress } = await import("../../src/artifacts/unpack/growing-file.ts");
const { mutated } = await import("./mutations.ts");

const { values } = parseArgs({
  options: { count: { type: "string", default: "20000" }, seed: { type: "string", default: "1" } },
});
const [count, first] = [Number(values.count), Number(values.seed)];
const cpuMaxMs = 1_000;
const limits = {
  maxArchiveBytes: 2 ** 24,
  maxExtractedBytes: 2 ** 23,
  maxEntries: 500,
  maxRatio: 200,
  maxRatioFromBytes: 2 ** 22,
  maxLinks: 100,
  badLinks: "refuse",
} as const;

/** Ends the process where an archive never ends: nothing else could. */
const at = new Int32Array(new SharedArrayBuffer(4));
const watch = new Worker(
  `const { workerData: at } = require("node:worker_threads");
   let last = -1;
   setInterval(() => {
     if (at[0] === last) { console.error("seed " + last + " hangs"); process.kill(process.pid, "SIGKILL"); }
     last = at[0];
   }, 120000);`,
  { eval: true, workerData: at },
);
watch.unref();

// Memory is quicker than a disk where there is some for files.
const base = mkdtempSync(
  join(lstatSync("/dev/shm", { throwIfNoEntry: false }) ? "/dev/shm" : tmpdir(), "partnerd-fuzz-"),
);
const job = join(base, "job");
mkdirSync(job);
const counts = { unpacked: 0, refused: 0 };
const kinds = new Map<string, number>();
let slowestMs = 0;
let peakMiB = 0;
let failure: string | undefined;
const startedMs = performance.now();
for (let n = 0; n < count && failure === undefined; n++) {
  const seed = first + n;
  at[0] = seed;
  failure = await one(seed);
  if (failure !== undefined) console.log(`seed ${seed}: ${failure}`);
  if (n % 1_000 === 0) peakMiB = Math.max(peakMiB, process.memoryUsage.rss() / 2 ** 20);
  if (n % 100_000 === 99_999)
    console.log(`${n + 1} of ${count}, ${Math.round((performance.now() - startedMs) / 1_000)} s`);
}
rmSync(base, { recursive: true, force: true });
const done = counts.unpacked + counts.refused;
console.log(`${done} archives from seed ${first}: ${counts.unpacked} unpacked, ${counts.refused} refused`);
console.log([...kinds].map(([kind, times]) => `${kind} ${times}`).join(", "));
console.log(`slowest ${Math.round(slowestMs)} ms of CPU time, peak of memory ${Math.round(peakMiB)} MiB`);
console.log(failure === undefined ? "1 passed, 0 failed" : "0 passed, 1 failed");
process.exitCode = failure === undefined ? 0 : 1;
await watch.terminate();

/** What is wrong with how we took this archive; undefined when nothing is. */
async function one(seed: number): Promise<string | undefined> {
  const { title, bytes } = mutated(seed);
  const file = join(job, "raw");
  const into = join(job, "out");
  const fd = openSync(file, "w");
  writeSync(fd, bytes);
  closeSync(fd);
  const progress = newProgress();
  fileComplete(progress);
  const before = process.cpuUsage();
  let thrown: unknown;
  try {
    const { kind } = await unpackFile({ artifact: "A", file, into, plainName: "A", limits, progress });
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  } catch (error) {
    thrown = error;
  }
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1_000;
  slowestMs = Math.max(slowestMs, cpuMs);
  counts[thrown === undefined ? "unpacked" : "refused"]++;
  if (cpuMs > cpuMaxMs) return `${title} took ${Math.round(cpuMs)} ms of CPU time`;
  if (thrown !== undefined && refusalOf(thrown, "A").failure !== "ConfigurationError") {
    return `${title} threw ${thrown instanceof Error ? thrown.stack : String(thrown)}`;
  }
  const there = [...readdirSync(base), ...readdirSync(job).sort()].join(" ");
  if (there !== (thrown === undefined ? "job out raw" : "job raw")) return `${title} left ${there}`;
  const leading = thrown === undefined ? leadsOut(Buffer.from(into), into) : undefined;
  if (leading !== undefined) return `${title}: ${leading} leads out`;
  rmSync(into, { recursive: true, force: true });
  return undefined;
}

/** A link in the folder that leads out of it, followed as far as its text goes; names need not be UTF-8. */
function leadsOut(folder: Buffer, root: string): string | undefined {
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: "buffer" })) {
    const path = Buffer.concat([folder, Buffer.from("/"), entry.name]);
    if (entry.isDirectory()) {
      const found = leadsOut(path, root);
      if (found !== undefined) return found;
    } else if (entry.isSymbolicLink()) {
      const end = resolve(folder.toString("latin1"), readlinkSync(path, "latin1"));
      if (!`${end}/`.startsWith(`${root}/`)) return path.toString();
    }
  }
  return undefined;
}

// `npm run bench [-- NAME…]`: all parts within ten minutes on two cores, or those that are named. Prints a line for each
// figure, medians with the lowest and highest of interleaved rounds, and writes them to bench.json; judges nothing.
// BENCH_ROUNDS: how many rounds; BENCH_SMOKE=1: small and short, to see that it works.
import { existsSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { type BenchLine, type BenchOptions, lineText } from "./bench-line.ts";

interface Part {
  run(options: BenchOptions): Promise<readonly BenchLine[]>;
}

const parts = [
  "engine",
  "pickup",
  "idle",
  "start",
  "memory",
  "scale",
  "artifacts",
  "ledger",
  "console",
  "profile",
].filter((name) => existsSync(new URL(`./${name}.ts`, import.meta.url)));
/** Only when they are named: what they show belongs to one change, or takes long. */
const others = ["artifacts", "ledger", "console", "profile"];

const named = process.argv.slice(2);
const unknown = named.find((name) => !parts.includes(name));
if (unknown !== undefined) {
  throw new Error(`there is no benchmark ${unknown}; there are ${parts.join(", ")}`);
}
const isSmoke = process.env["BENCH_SMOKE"] === "1";
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isSmoke ? 1 : 3));
const found: BenchLine[] = [];
for (const name of named.length > 0 ? named : parts.filter((name) => !others.includes(name))) {
  const startedMs = performance.now();
  const part = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as Part;
  const lines = await part.run({ rounds, isSmoke });
  console.log(`\n${name}, ${rounds} rounds, ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  for (const line of lines) console.log(`  ${lineText(line)}`);
  found.push(...lines);
}
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, system: `${process.platform} ${release()} ${arch()}` };
const file = process.env["BENCH_JSON"] ?? "bench.json";
writeFileSync(
  file,
  `${JSON.stringify({ at: new Date().toISOString(), node: process.version, machine, rounds, lines: found }, null, 2)}\n`,
);
console.log(`\nwritten to ${file}`);
process.exit(0);

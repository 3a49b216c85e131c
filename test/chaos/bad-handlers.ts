// `npm run chaos:handlers -- --runs N --seed S`: plays N runs of handlers that hurt their thread beside good ones, and
// prints what came of them. Exit code 1 when a good job suffered or a bad one got no true result. `--run SEED` plays one.
import { parseArgs } from "node:util";
import { sourceHook } from "../support/source-hook.ts";

await import(sourceHook);
const { runBadHandlers } = await import("./bad-handlers-run.ts");
const { seededRandom } = await import("../../src/emulator/random.ts");

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "200" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 30)) },
    run: { type: "string", multiple: true },
  },
});
const startedMs = Date.now();
const random = seededRandom(Number(values.seed));
const seeds =
  values.run?.map(Number) ?? Array.from({ length: Number(values.runs) }, () => Math.floor(random() * 2 ** 30));
console.log(`bad handlers: ${seeds.length} runs, seed ${values.seed}`);
const lateness: number[] = [];
let broken = 0;
for (const [n, seed] of seeds.entries()) {
  const { bad, worstLateMs, breaches } = await runBadHandlers(seed);
  lateness.push(worstLateMs);
  for (const breach of breaches) console.log(`BREACH in run ${seed} (${bad.join(", ")}): ${breach}`);
  if (breaches.length > 0) broken += 1;
  if ((n + 1) % 20 === 0) console.log(`${n + 1} runs after ${Math.round((Date.now() - startedMs) / 1_000)} s`);
}
lateness.sort((a, b) => a - b);
const at = (share: number) => Math.round(lateness[Math.floor((lateness.length - 1) * share)] ?? 0);
console.log(`latest good job of a run: median ${at(0.5)} ms, p95 ${at(0.95)} ms, worst ${at(1)} ms`);
console.log(`${seeds.length - broken} passed, ${broken} failed, ${Math.round((Date.now() - startedMs) / 1_000)} s`);
process.exitCode = broken === 0 ? 0 : 1;

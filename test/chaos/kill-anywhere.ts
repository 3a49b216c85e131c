// `npm run chaos -- --points N --seed S`: kills daemons anywhere, N times, and prints what came of it. Exit code 1 when
// anything that must hold did not. `--run SEED --kills N` plays one run of a report again.
import { parseArgs } from "node:util";
import { sourceHook } from "../support/source-hook.ts";

await import(sourceHook);
const { killAnywhere, runOnce } = await import("./kill-anywhere-runs.ts");

const { values } = parseArgs({
  options: {
    points: { type: "string", default: process.env["KILL_POINTS"] ?? "1000" },
    seed: { type: "string", default: process.env["KILL_SEED"] ?? String(Math.floor(Math.random() * 2 ** 31)) },
    run: { type: "string" },
    kills: { type: "string", default: "8" },
  },
});

const startedMs = Date.now();
if (values.run !== undefined) {
  const { jobs, places, breaches } = await runOnce(Number(values.run), Number(values.kills));
  console.log(`run ${values.run}: ${jobs} jobs, killed ${places.join(", ")}`);
  for (const breach of breaches) console.log(`BREACH ${breach}`);
  finish(breaches);
} else {
  const points = Number(values.points);
  const seed = Number(values.seed);
  console.log(`kill anywhere: ${points} kills, seed ${seed}`);
  let told = 0;
  const report = await killAnywhere({
    points,
    seed,
    onProgress: (kills, breaches) => {
      for (const breach of breaches) console.log(`BREACH ${breach}`);
      if (kills < told + 100) return;
      told = kills;
      console.log(`${kills} kills after ${Math.round((Date.now() - startedMs) / 1_000)} s`);
    },
  });
  for (const [place, count] of [...report.places].sort()) console.log(`${String(count).padStart(6)}  ${place}`);
  const { kills, runs, jobs, callbacks, places } = report;
  console.log(
    `${kills} kills at ${places.size} places in ${runs} runs, ${jobs} jobs, ${callbacks} by callback, seed ${seed}`,
  );
  finish(report.breaches);
}

function finish(breaches: readonly string[]): void {
  console.log(`${breaches.length} breaches, ${Math.round((Date.now() - startedMs) / 1_000)} s`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

// `npm run chaos:fleet -- --runs N --seed S --parallel P`: plays N runs of a fleet under lost answers, P at a time, and
// prints what came of them. Exit code 1 when anything that must hold did not. `--run SEED` plays one again;
// `--without NAME` leaves out a handler or a kind of deed.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sourceHook } from "../support/source-hook.ts";
import type { FleetReport } from "./fleet/run.ts";

await import(sourceHook);
const { seededRandom } = await import("../../src/emulator/random.ts");
const { chaosEnvironment } = await import("./spawn-daemon.ts");

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: process.env["FLEET_RUNS"] ?? "300" },
    seed: { type: "string", default: process.env["FLEET_SEED"] ?? String(Math.floor(Math.random() * 2 ** 30)) },
    parallel: { type: "string", default: "4" },
    run: { type: "string", multiple: true },
    without: { type: "string", multiple: true, default: [] },
  },
});

const startedMs = Date.now();
const seedOf = seededRandom(Number(values.seed));
const runs = Number(values.runs);
// Even and odd by turns: they differ in what a repeated acknowledge answers.
const seeds =
  values.run?.map(Number) ?? Array.from({ length: runs }, (_, n) => 2 * Math.floor(seedOf() * 2 ** 30) + (n % 2));
const total = {
  runs: 0,
  jobs: 0,
  broken: 0,
  undecided: 0,
  deeds: new Map<string, number>(),
  kinds: new Map<string, number>(),
};
console.log(`fleet under lost answers: ${seeds.length} runs, seed ${values.seed}`);
const waiting = [...seeds];
await Promise.all(Array.from({ length: Math.min(Number(values.parallel), seeds.length) }, playLane));
for (const [deed, count] of [...total.deeds].sort()) console.log(`${String(count).padStart(6)}  ${deed}`);
for (const [kind, count] of [...total.kinds].sort()) console.log(`${String(count).padStart(6)}  breaches, ${kind}`);
const seconds = Math.round((Date.now() - startedMs) / 1_000);
console.log(
  `${total.jobs} jobs in ${total.runs} runs, ${total.broken} runs breached, seed ${values.seed}, ${seconds} s`,
);
if (total.undecided > 0) console.log(`warning: ${total.undecided} runs say nothing: the machine was too busy`);
console.log(`${total.runs - total.broken - total.undecided} passed, ${total.broken} failed`);
process.exitCode = total.broken === 0 ? 0 : 1;

async function playLane(): Promise<void> {
  const lane = fork(join(import.meta.dirname, "fleet", "lane.ts"), values.without, {
    execArgv: ["--import", sourceHook],
    env: { ...process.env, ...chaosEnvironment },
  });
  const ended = once(lane, "exit").then(() => undefined);
  try {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      lane.send(seed);
      const told = new Promise<FleetReport>((resolve) =>
        lane.once("message", (report: FleetReport) => resolve(report)),
      );
      const report = await Promise.race([told, ended]);
      if (!report) throw new Error(`the run of seed ${seed} ended by a fault of its own`);
      tell(report);
    }
  } finally {
    if (lane.connected) lane.disconnect();
  }
}

function tell({ seed, jobs, deeds, breaches, undecided, evidence, tookMs }: FleetReport): void {
  total.runs += 1;
  total.jobs += jobs;
  for (const deed of deeds) total.deeds.set(deed, (total.deeds.get(deed) ?? 0) + 1);
  if (breaches.length > 0) total.broken += 1;
  else if (undecided.length > 0) total.undecided += 1;
  for (const breach of breaches) {
    const kind = breach.slice(0, breach.indexOf(":"));
    total.kinds.set(kind, (total.kinds.get(kind) ?? 0) + 1);
  }
  for (const breach of breaches) console.log(`BREACH run ${seed}: ${breach}`);
  for (const breach of undecided) console.log(`UNDECIDED run ${seed}: ${breach}`);
  for (const line of evidence) console.log(line);
  if (process.env["FLEET_VERBOSE"]) console.log(`run ${seed}: ${jobs} jobs, ${deeds.join(" ")}, ${tookMs} ms`);
  else if (total.runs % 20 === 0)
    console.log(`${total.runs} runs after ${Math.round((Date.now() - startedMs) / 1_000)} s`);
}

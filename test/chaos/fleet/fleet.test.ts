// Promise: whatever the network, the table and its machines do to a fleet, no job is lost or worked twice at a time.
// The small size of `npm run chaos:fleet`; FLEET_RUNS makes it larger, FLEET_SEED plays one again.
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../../../src/emulator/random.js";
import { type Dynamo, startDynamo } from "../../support/dynamo.js";
import { runFleet } from "./run.js";

const runs = Number(process.env["FLEET_RUNS"] ?? 0);
const seed = Number(process.env["FLEET_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const draw = seededRandom(seed);
// Even and odd by turns: they differ in what a repeated acknowledge answers.
const seeds = Array.from({ length: runs }, (_, n) => 2 * Math.floor(draw() * 2 ** 30) + (n % 2));

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());

it.skipIf(runs === 0)(
  `loses no job and works none twice at a time in ${runs} runs, seed ${seed}`,
  { timeout: 60_000 + runs * 60_000 },
  async () => {
    // Nearly all of a run is waiting.
    const reports = await Promise.all(seeds.map((one) => runFleet(one, dynamo)));
    for (const { seed: one, jobs, deeds, undecided } of reports) {
      console.log(`run ${one}: ${jobs} jobs, ${deeds.join(" ")}`, ...undecided);
    }
    expect(
      reports.flatMap(({ breaches, evidence }) => (breaches.length === 0 ? [] : [...breaches, ...evidence])),
    ).toEqual([]);
  },
);

// Promise: however the daemons of a fleet are killed, three at a time over one DynamoDB table, every job ends with
// exactly one result. FLEET_ROUNDS makes it larger, KILL_SEED plays one again.
import { expect, it } from "vitest";
import { dynamoRegion, startDynamo } from "../support/dynamo.js";
import { runFleet } from "./kill-anywhere-runs.js";

const rounds = Number(process.env["FLEET_ROUNDS"] ?? 2);
const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

it(`ends every job with exactly one result when a fleet is killed ${rounds} times over, seed ${seed}`, {
  timeout: 120_000 + rounds * 20_000,
}, async () => {
  const dynamo = await startDynamo();
  try {
    const table = await dynamo.createTable();
    const { endpoint } = dynamo;
    const ledger = { store: "dynamodb", table, region: dynamoRegion, endpoint, leaseMs: 5_000 } as const;
    const { jobs, places, breaches } = await runFleet(seed, rounds, ledger);
    console.log(`${places.length} kills at ${new Set(places).size} places, ${jobs} jobs, seed ${seed}`);
    expect(breaches).toEqual([]);
    expect(places).toHaveLength(3 * rounds);
  } finally {
    await dynamo.close();
  }
});

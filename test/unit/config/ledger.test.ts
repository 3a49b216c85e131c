// The settings of the ledger that a fleet shares.
import { expect, it } from "vitest";
import { least, load } from "./support.js";

it("needs no more than the word dynamodb", async () => {
  const { config, warnings } = await load(`${least}ledger: { store: dynamodb }\n`);
  expect(config.ledger).toEqual({ store: "dynamodb", table: "partnerd-ledger", leaseMs: 30_000 });
  expect(warnings).toEqual([]);
});

it("takes table, Region, endpoint and lease, also from the environment", async () => {
  const text = `${least}ledger: { store: dynamodb, table: our.jobs, endpoint: "http://127.0.0.1:8000" }\n`;
  const environment = { PARTNERD_LEDGER_REGION: "eu-west-1", PARTNERD_LEDGER_LEASE: "10s" };
  expect((await load(text, { environment })).config.ledger).toEqual({
    store: "dynamodb",
    table: "our.jobs",
    endpoint: "http://127.0.0.1:8000",
    region: "eu-west-1",
    leaseMs: 10_000,
  });
});

it.each(["table: our-jobs", "region: eu-west-1", 'endpoint: "http://127.0.0.1:8000"', "lease: 10s"])(
  "warns of %s when the store is another",
  async (setting) => {
    const { warnings } = await load(`${least}ledger: { store: sqlite, ${setting} }\n`);
    expect(warnings.map((warning) => warning.what)).toEqual([
      `ledger.${setting.replace(/:.*/, "")} is not used by the store sqlite`,
    ]);
  },
);

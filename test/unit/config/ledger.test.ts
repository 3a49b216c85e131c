// The settings of the ledger that a fleet shares.
import { expect, it } from "vitest";
import { least, load, mistakesOf, optionsFor } from "./support.js";

it("needs no more than the word dynamodb", async () => {
  const { config, warnings } = await load(`${least}ledger: { store: dynamodb }\n`);
  expect(config.ledger).toMatchObject({ store: "dynamodb", table: "partnerd-ledger", leaseMs: 30_000 });
  expect(warnings).toEqual([]);
});

it("takes table, Region, endpoint and lease, also from the environment", async () => {
  const text = `${least}ledger: { store: dynamodb, table: our.jobs, endpoint: "http://127.0.0.1:8000" }\n`;
  const environment = { PARTNERD_LEDGER_REGION: "eu-west-1", PARTNERD_LEDGER_LEASE: "10s" };
  expect((await load(text, { environment })).config.ledger).toMatchObject({
    store: "dynamodb",
    table: "our.jobs",
    endpoint: "http://127.0.0.1:8000",
    region: "eu-west-1",
    leaseMs: 10_000,
  });
});

it.each([
  ["lease: 5s", "5s", "write lease: 6s or more, or lower shutdown.cancelGrace"],
  ["lease: 30s", "25s", "write lease: 33s or more, or lower shutdown.cancelGrace"],
  ["", "25s", "write lease: 33s or more, or lower shutdown.cancelGrace"],
  ["lease: 10m", "10m", "lower shutdown.cancelGrace"],
])("refuses { %s } for handlers with a grace of %s, and says what would do", async (lease, grace, remedy) => {
  const text = `${least}ledger: { store: dynamodb, ${lease} }\nshutdown: { cancelGrace: ${grace} }\n`;
  await expect(load(text)).rejects.toMatchObject({
    mistakes: [{ what: expect.stringMatching(/^ledger.lease .* is too short for shutdown.cancelGrace/), remedy }],
  });
});

it.each([
  ["6s", "5s"],
  ["5s", "2s"],
  ["30s", "22s"],
])("takes a lease of %s for a grace of %s", async (lease, grace) => {
  const text = `${least}ledger: { store: dynamodb, lease: ${lease} }\nshutdown: { cancelGrace: ${grace} }\n`;
  expect((await load(text)).config.ledger).toMatchObject({ store: "dynamodb" });
});

it("does not ask the lease of a fleet to fit where there is none", async () => {
  await load(`${least}ledger: { store: sqlite }\nshutdown: { cancelGrace: 10m }\n`);
});

it.each(["table: our-jobs", "region: eu-west-1", 'endpoint: "http://127.0.0.1:8000"', "lease: 10s"])(
  "warns of %s when the store is another",
  async (setting) => {
    const { warnings } = await load(`${least}ledger: { store: sqlite, ${setting} }\n`);
    expect(warnings.map((warning) => warning.what)).toEqual([
      `ledger.${setting.replace(/:.*/, "")} has no effect with store: sqlite`,
    ]);
  },
);

it("warns of a file for a store that has none, but not when the store was changed from outside", async () => {
  const text = `${least}ledger: { path: ./jobs.db }\n`;
  const warnings = async (source: string, environment: Record<string, string> = {}) =>
    (await load(source, { environment })).warnings.map((warning) => warning.what);
  expect(await warnings(text.replace("{ path", "{ store: memory, path"))).toEqual([
    "ledger.path has no effect with store: memory",
  ]);
  expect(await warnings(text, { PARTNERD_LEDGER_STORE: "dynamodb" })).toEqual([]);
});

it("says how much is remembered of ended jobs, whatever the store", async () => {
  const history = async (text: string, environment = {}) => {
    const { config } = await load(`${least}ledger: ${text}`, { environment });
    return config.ledger.history;
  };
  expect(await history("{ store: memory }")).toEqual({ maxJobs: 20_000, maxAgeMs: 7 * 86_400_000 });
  const some = "{ store: dynamodb, history: { maxJobs: 0, maxAge: 24h } }";
  expect(await history(some)).toEqual({ maxJobs: 0, maxAgeMs: 86_400_000 });
  const environment = { PARTNERD_LEDGER_HISTORY_MAX_JOBS: "50", PARTNERD_LEDGER_HISTORY_MAX_AGE: "48h" };
  expect(await history("{ store: sqlite }", environment)).toEqual({ maxJobs: 50, maxAgeMs: 2 * 86_400_000 });
  expect(await mistakesOf(optionsFor(`${least}ledger: { history: { maxJobs: -1, maxAge: 1m } }`))).toHaveLength(2);
});

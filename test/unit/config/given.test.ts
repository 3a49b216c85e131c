// Promise: a configuration given as an object means what the same keys mean in a file, and all of its mistakes are told.
import { expect, it } from "vitest";
import { type LoadOptions, loadConfig } from "../../../src/config/load.js";
import { folder, least, load, mistakesOf } from "./support.js";

const actionType = { provider: "Acme", category: "Test", owner: "Custom", version: "1", handler: "h" };
const smallest = {
  regions: ["us-east-1"],
  actionTypes: [actionType],
  handlers: { h: { kind: "module", path: "./h.js" } },
};

function given(object: unknown, functions: readonly string[] = []): LoadOptions {
  return { files: [], object, functions, environment: {}, directory: "/somewhere", overrides: [] };
}

const withoutPlaces = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(/"\/[^"]*\//g, '"/'));

it("means what the same file means", async () => {
  const { config } = await loadConfig(given(smallest));
  expect(withoutPlaces(config)).toEqual(withoutPlaces((await load(least)).config));
  expect(config.handlers["h"]).toMatchObject({ path: "/somewhere/h.js" });
});

it("takes a value that is undefined for one that is absent, and Object.create(null) for an object", async () => {
  const log = Object.assign(Object.create(null), { level: "warn", format: undefined });
  expect((await loadConfig(given({ ...smallest, admin: undefined, log }))).config.log).toEqual({
    level: "warn",
    format: "json",
  });
});

it("tells every mistake at once, by the keys", async () => {
  const wrong = {
    ...smallest,
    polling: { minInterval: 1_000, interval: "1s" },
    log: { level: "verbose" },
    worker: { maxConcurrentJobs: new Date(0) },
    admin: { port: () => 1 },
  };
  expect(await mistakesOf(given(wrong))).toEqual([
    "worker.maxConcurrentJobs is not a plain value; write strings, numbers, lists and plain objects",
    "admin.port is not a plain value; write strings, numbers, lists and plain objects",
    expect.stringMatching(/^the key polling\.interval is unknown/),
    expect.stringMatching(/^polling\.minInterval is 1000, a number without a unit; write /),
    expect.stringMatching(/^log\.level is "verbose"/),
  ]);
});

it.each<[string, unknown, RegExp]>([
  ["null", null, /^the configuration is not an object/],
  ["a list", [smallest], /^the configuration is not an object/],
  ["a class", new Map(), /^the configuration is not a plain value/],
  ["a number", 5, /^the configuration is not an object/],
])("says what %s is not", async (_what, object, mistake) => {
  expect(await mistakesOf(given(object))).toEqual([expect.stringMatching(mistake)]);
});

it("ends with an object that holds itself, or a million values", async () => {
  const endless: Record<string, unknown> = { ...smallest };
  endless["self"] = endless;
  expect(await mistakesOf(given(endless))).toEqual([expect.stringContaining("is nested too deeply")]);
  const many = { ...smallest, artifacts: Array.from({ length: 100_000 }, () => 1) };
  expect(await mistakesOf(given(many))).toEqual([expect.stringContaining("holds too many values")]);
});

it("has handlers that are functions, over those of a file too", async () => {
  const { handlers: _, ...rest } = smallest;
  expect((await loadConfig(given(rest, ["h"]))).config.handlers["h"]).toMatchObject({
    kind: "module",
    isolation: "none",
  });
  const directory = folder({ "partnerd.yaml": least.replace("handlers:", "#") });
  const file = { ...given(undefined, ["h"]), files: ["partnerd.yaml"], directory };
  expect((await loadConfig(file)).config.handlers["h"]).toMatchObject({ kind: "module" });
  expect(await mistakesOf({ ...file, functions: ["no name!"] })).toEqual([
    expect.stringMatching(/handler "h" is not in handlers/),
    expect.stringContaining('"no name!" is not a valid handler name'),
  ]);
});

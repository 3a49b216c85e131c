import { expect, test } from "vitest";
import type { EmulatedJob } from "../../../src/emulator/emulated-job.js";
import { JobStore } from "../../../src/emulator/job-store.js";

const queue = { region: "r", actionType: "Custom/Build/Acme/1", queryValue: undefined };

function job(id: string, region = "r"): EmulatedJob {
  return {
    seed: {
      id,
      region,
      actionType: { category: "Build", owner: "Custom", provider: "Acme", version: "1" },
      flavour: "Custom",
      configuration: {},
      pipeline: { name: "p", stage: "s", action: "a", actionExecutionId: "x", executionId: "e" },
      inputs: [],
      outputs: [],
      delayMs: 0,
      jobTimeoutMs: 1,
    },
    status: "Created",
    nonce: undefined,
    createdAtMs: 0,
    queuedAtMs: undefined,
    acknowledgedAtMs: undefined,
    endedAtMs: undefined,
    continuedBy: undefined,
    retriedBy: undefined,
    accepted: undefined,
    offers: [],
    details: [],
    acknowledges: [],
    results: [],
    counts: { offers: 0, details: 0, acknowledges: 0, results: 0 },
    cancelWait: () => {},
    cancelTimeout: () => {},
  };
}

test("queues keep their order, and a job that leaves and comes back is last", () => {
  const store = new JobStore();
  const [a, b, c] = [job("a"), job("b"), job("c")];
  for (const one of [a, b, c]) {
    store.add(one);
    store.move(one, "Queued", 10);
  }
  store.move(a, "Dispatched", 10);
  store.move(a, "Queued", 10);
  expect(store.waiting(queue, 10)).toEqual([b, c, a]);
  expect(store.waiting(queue, 1)).toEqual([b]);
  expect(store.counts()).toMatchObject({ Queued: 3, Created: 0, Dispatched: 0 });
});

test("the same id in two Regions is two jobs, forgotten apart", () => {
  const store = new JobStore();
  const [here, there] = [job("a", "here"), job("a", "there")];
  store.add(here);
  store.add(there);
  store.move(here, "Failed", 0);
  expect(store.find("here", "a")).toBeUndefined();
  expect(store.find("there", "a")).toBe(there);
  expect(store.findAnywhere("a")).toBe(there);
  expect([...store.all()]).toEqual([there]);
  store.move(there, "TimedOut", 0);
  expect(store.findAnywhere("a")).toBeUndefined();
  expect(Object.values(store.counts()).every((count) => count === 0)).toBe(true);
});

test("clear leaves nothing", () => {
  const store = new JobStore();
  store.add(job("a"));
  store.clear();
  expect([...store.all()]).toEqual([]);
  expect(store.has("r", "a")).toBe(false);
  expect(store.counts().Created).toBe(0);
});

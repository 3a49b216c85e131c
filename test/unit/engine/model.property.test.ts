// The engine against a service, a ledger and an operator that do what they like, in any order: every job ends with
// exactly one result, or is held by somebody. All pieces are the real ones but CodePipeline, the store and the clock.
import fc from "fast-check";
import { expect, it } from "vitest";
import { faults, operations } from "./model/service.js";
import { ModelWorld, type Setting, type Step } from "./model/world.js";

const setting: fc.Arbitrary<Setting> = fc.record({
  reading: fc.record({
    freshNonceAtRedelivery: fc.boolean(),
    freshNonceAtDetails: fc.boolean(),
    repeatedAcknowledge: fc.constantFrom("InProgress", "not-ours"),
    putAfterEnd: fc.constantFrom("over", "gone"),
    detailsAfterEnd: fc.constantFrom("answered", "gone"),
    latencyMs: fc.constantFrom(0, 7),
  }),
  afterCrash: fc.constantFrom("fail", "rerun"),
  isFleet: fc.boolean(),
  writeMs: fc.constantFrom(0, 5),
  jobs: fc.array(
    fc.record({
      owner: fc.constantFrom("ThirdParty", "Custom"),
      handlerMs: fc.constantFrom(0, 50, 20_000, 3_600_000),
      isCalledBack: fc.boolean(),
      client: fc.constantFrom("a", "b"),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  entry: fc.constant({ hasBreaker: false }),
});

const who = fc.constantFrom(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("fault"),
      operation: fc.constantFrom(...operations),
      fault: fc.constantFrom(...faults),
      times: fc.constantFrom(1, 2, 20),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(1, 300, 5_000, 70_000, 700_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("heal", "offer-again", "ledger-fails", "ledger-works", "disk-full", "disk-free"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("crash", "pause", "resume", "stop", "take-over"), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("crash-at-write"), who, when: fc.constantFrom("before", "after") }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("order"),
      kind: fc.constantFrom("fail", "release"),
      job: fc.constantFrom(0, 1, 2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end-all") }) },
) as fc.Arbitrary<Step>;

async function judge(setting: Setting, steps: readonly Step[]): Promise<void> {
  const deps = new ModelWorld(setting);
  for (const each of steps) await deps.step(each);
  await deps.quiet();
  const { service, store, disturbed, released, runs } = deps;
  for (const { key, state, accepted, handlerMs } of service.jobs.values()) {
    const { jobId } = key;
    const mayHaveNone = released.has(jobId) || disturbed.has("end");
    if (!mayHaveNone) expect({ jobId, state, results: accepted.length }).toEqual({ jobId, state: "over", results: 1 });
    if (disturbed.size === 0 && handlerMs < 300_000) expect(accepted.map(({ kind }) => kind)).toEqual(["succeeded"]);
    if (!disturbed.has("ledger") && !released.has(jobId) && setting.afterCrash === "fail") {
      expect(runs.get(jobId) ?? 0).toBeLessThanOrEqual(1);
    }
  }
  expect([...store.rows.values()].map(({ record }) => record)).toEqual([]);
  for (const { worker } of deps.processes) {
    expect({ inFlight: worker.inFlight, working: worker.slots.working, owed: worker.slots.owed }).toEqual({
      inFlight: 0,
      working: 0,
      owed: 0,
    });
  }
  await deps.stop();
  for (const { worker, end } of deps.processes) {
    expect([worker.slots.busy, end]).toMatchObject([0, { owed: 0, isBroken: false }]);
  }
  expect(deps.clock.pending).toBe(0);
  expect([...service.violations, ...deps.bugs]).toEqual([]);
}

const runs = (numRuns: number) => ({
  numRuns: Number(process.env["MODEL_RUNS"] ?? numRuns),
  seed: Number(process.env["MODEL_SEED"] ?? 1),
});

it("ends every job with exactly one result, whatever happens to it", async () => {
  await fc.assert(fc.asyncProperty(setting, fc.array(step, { maxLength: 25 }), judge), runs(200));
});

/** What makes a claim uncertain, and nothing else: a crowd of other steps hides it. */
const doubtful = fc.oneof(
  fc.record({
    do: fc.constant("fault"),
    operation: fc.constantFrom("details", "acknowledge", "acknowledge", "put"),
    fault: fc.constantFrom("lost", "done and lost", "late", "done and crash", "crash", "throttled"),
    times: fc.constantFrom(1, 2, 20),
  }),
  fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(300, 5_000, 70_000, 700_000) }),
  fc.record({ do: fc.constantFrom("heal", "offer-again", "offer-again", "disk-full", "disk-free") }),
  fc.record({ do: fc.constantFrom("crash", "pause", "resume"), who: fc.constant(0) }),
) as fc.Arbitrary<Step>;

it("ends every job with exactly one result when nobody is sure whose it is", async () => {
  const alone = setting.map(({ jobs, ...rest }) => ({ ...rest, isFleet: false, jobs: jobs.slice(0, 1) }));
  await fc.assert(fc.asyncProperty(alone, fc.array(doubtful, { maxLength: 14 }), judge), {
    ...runs(400),
    examples: [
      // No poll could bring the offer for which the result waited, and that counted.
      [
        {
          reading: {
            freshNonceAtRedelivery: true,
            freshNonceAtDetails: false,
            repeatedAcknowledge: "InProgress",
            putAfterEnd: "over",
            detailsAfterEnd: "answered",
            latencyMs: 0,
          },
          afterCrash: "fail",
          isFleet: false,
          writeMs: 0,
          jobs: [{ owner: "Custom", handlerMs: 0, isCalledBack: false, client: "a" }],
          entry: { hasBreaker: false },
        },
        [
          { do: "fault", operation: "acknowledge", fault: "lost", times: 20 },
          { do: "wait", ms: 300 },
          { do: "pause", who: 0 },
          { do: "offer-again" },
          { do: "heal" },
          { do: "wait", ms: 700_000 },
        ],
      ],
    ],
  });
});

/** Customers that are held back, handlers that fail, and a configuration that changes under the jobs. */
const changing = fc.oneof(
  { weight: 4, arbitrary: step },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("reload"),
      who,
      to: fc.constantFrom(
        "as it was",
        "ThirdParty alone",
        "Custom alone",
        "none",
        "one project",
        "one slot",
        "other pace",
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash"), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(300, 5_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("handler"), is: fc.constantFrom("well", "broken", "short") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clock-steps"), ms: fc.constantFrom(-7_200_000, 7_200_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wake"), who }) },
) as fc.Arbitrary<Step>;
const crowded: fc.Arbitrary<Setting> = fc
  .tuple(
    setting,
    fc.array(
      fc.record({
        owner: fc.constantFrom("ThirdParty", "Custom"),
        handlerMs: fc.constantFrom(0, 50, 20_000, 120_000),
        isCalledBack: fc.boolean(),
        client: fc.constantFrom("a", "a", "b"),
      }),
      { minLength: 2, maxLength: 6 },
    ) as fc.Arbitrary<Setting["jobs"]>,
    fc.record({
      serialBy: fc.constantFrom(undefined, "client", "configuration.Project"),
      maxConcurrentJobsPerClient: fc.constantFrom(undefined, 1),
      hasBreaker: fc.boolean(),
      hasQueries: fc.boolean(),
    }) as fc.Arbitrary<Setting["entry"]>,
  )
  .map(([whole, jobs, entry]) => ({ ...whole, jobs, entry }));

it("ends every job with exactly one result while the configuration, its customers' limits and its handlers change", async () => {
  await fc.assert(fc.asyncProperty(crowded, fc.array(changing, { maxLength: 20 }), judge), runs(200));
});

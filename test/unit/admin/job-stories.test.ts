// Promise: a job's story says where it stands and how it got there, in the form of its schema; it shows no secret, and
// however much happens it stays within its limits.
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JobStories, type StoryLimits } from "../../../src/admin/job-stories.js";
import { type JobStory, jobStorySchema, notShown } from "../../../src/admin/job-story.js";
import { jobFields } from "../../../src/admin/log-fields.js";
import type { ShownDetails, UntimedEvent } from "../../../src/engine/events.js";
import type { AccountName, ActionType, ClientId, JobId, JobKey, Region } from "../../../src/job/job.js";
import { type JobState, jobMoves } from "../../../src/job/lifecycle.js";
import { continued, failed, type Outcome, succeeded } from "../../../src/job/outcome.js";
import { oneOfEach } from "./event-log-samples.js";

const startMs = Date.UTC(2026, 0, 1);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const keyOf = (jobId: string): JobKey => ({
  region: "us-east-1" as Region,
  actionType,
  jobId: jobId as JobId,
  clientId: "c" as ClientId,
});
const isStory = new Ajv2020({ strict: true, formats: { "date-time": /^\d{4}-\d\d-\d\dT/ } }).compile(jobStorySchema);

function given(limits: Partial<StoryLimits> = {}) {
  const stories = new JobStories({ mask: (text) => text.replaceAll("hunter2", "[secret]"), limits });
  let nowMs = startMs;
  const see = (event: UntimedEvent) => {
    nowMs += 10;
    stories.observe({ ...event, atMs: nowMs });
  };
  const move = (jobId: string, ...states: readonly [JobState, ...JobState[]]) => {
    for (const [index, to] of states.entries()) {
      if (index === 0) continue;
      const from = states[index - 1] as JobState;
      const by = Object.entries(jobMoves[from]).find(([, state]) => state === to)?.[0] as "job-lost";
      see({ type: "job-changed", key: keyOf(jobId), from, to, by });
    }
  };
  const start = (jobId: string, more: { execution?: string; isContinuation?: boolean; details?: ShownDetails } = {}) =>
    see({
      type: "job-started",
      key: keyOf(jobId),
      handler: "scan",
      pickupMs: 5,
      deadlineMs: startMs + 60_000,
      isContinuation: more.isContinuation ?? false,
      pipelineName: "shop",
      stageName: "Check",
      actionName: "Scan",
      actionExecutionId: more.execution,
      ...(more.details ? { details: more.details } : {}),
    });
  const report = (jobId: string, outcome: Outcome) => {
    move(jobId, "running", "settled");
    see({ type: "job-settled", key: keyOf(jobId), outcome, cause: "returned", durationMs: 1_500.4 });
    move(jobId, "settled", "reported");
    const work = { handler: "scan", pipelineName: "shop", actionName: "Scan", durationMs: 5 };
    see({ type: "job-reported", key: keyOf(jobId), outcome, attempts: 2, owedMs: 5, ...work, isPresumed: false });
  };
  const hear = (jobId: string, msg: string, more: object = {}) => {
    const { region, clientId } = keyOf(jobId);
    const fields = { jobId, actionType: "ThirdParty/Test/Acme-Scan/1", region, clientId, event: "handler-log" };
    stories.hear(JSON.stringify({ level: "info", time: new Date(nowMs).toISOString(), ...fields, ...more, msg }));
  };
  const story = (jobId: string): JobStory => {
    const found = stories.story(keyOf(jobId));
    if (!found) throw new Error(`there is no story of ${jobId}`);
    expect(isStory(found), JSON.stringify(isStory.errors)).toBe(true);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    return found;
  };
  return { stories, see, move, start, report, hear, story };
}

it("tells a job's states with times, its attempts, its place, its lines and its outcome", () => {
  const { see, move, start, report, hear, story } = given();
  move("a", "polled", "detailed", "acknowledging");
  const fault = {
    kind: "throttled",
    operation: "AcknowledgeThirdPartyJob",
    code: "Throttled",
    message: "m hunter2",
  } as const;
  for (const attempt of [1, 2]) see({ type: "call-retried", key: keyOf("a"), fault, attempt, delayMs: 5 });
  move("a", "acknowledging", "running");
  start("a");
  hear("a", "hello", { of: 1 });
  hear("b", "of nobody");
  expect(story("a")).toMatchObject({
    state: "running",
    since: "2026-01-01T00:00:00.050Z",
    chain: [{ end: "running" }],
  });
  report("a", succeeded({ summary: "fine" }));
  expect(story("a")).toEqual({
    version: 1,
    source: "daemon",
    jobId: "a",
    region: "us-east-1",
    actionType: "ThirdParty/Test/Acme-Scan/1",
    clientId: "c",
    handler: "scan",
    pipelineName: "shop",
    stageName: "Check",
    actionName: "Scan",
    state: "reported",
    since: "2026-01-01T00:00:00.090Z",
    deadline: "2026-01-01T00:01:00.000Z",
    states: [
      { state: "polled", at: "2026-01-01T00:00:00.055Z", retries: [] },
      { state: "detailed", at: "2026-01-01T00:00:00.010Z", retries: [] },
      {
        state: "acknowledging",
        at: "2026-01-01T00:00:00.020Z",
        retries: [
          {
            operation: "AcknowledgeThirdPartyJob",
            failures: 2,
            code: "Throttled",
            message: "m [secret]",
            at: "2026-01-01T00:00:00.040Z",
          },
        ],
      },
      { state: "running", at: "2026-01-01T00:00:00.050Z", retries: [] },
      { state: "settled", at: "2026-01-01T00:00:00.070Z", retries: [] },
      { state: "reported", at: "2026-01-01T00:00:00.090Z", retries: [] },
    ],
    chain: [{ jobId: "a", at: "2026-01-01T00:00:00.060Z", end: "succeeded" }],
    outcome: { kind: "succeeded", summary: "fine" },
    cause: "returned",
    durationMs: 1_500,
    reported: { at: "2026-01-01T00:00:00.100Z", attempts: 2 },
    log: {
      lines: [
        { at: "2026-01-01T00:00:00.060Z", level: "info", event: "handler-log", text: "hello", fields: { of: 1 } },
      ],
      leftOut: 0,
    },
  });
});

describe("a chain", () => {
  it("has the jobs of one action execution, in order", () => {
    const { start, report, story } = given();
    start("a", { execution: "x" });
    report("a", continued("t", { percentComplete: 40 }));
    start("other", { execution: "y" });
    start("b", { execution: "x", isContinuation: true });
    const chain = [
      { jobId: "a", end: "continued", percentComplete: 40 },
      { jobId: "b", end: "running" },
    ];
    expect(story("a").chain).toMatchObject(chain);
    expect(story("b").chain).toMatchObject(chain);
    expect(story("other").chain).toHaveLength(1);
  });

  it("without an execution's id goes on with a continuation, and begins anew with any other job", () => {
    const { start, report, story } = given();
    start("a");
    report("a", continued("t"));
    start("b", { isContinuation: true });
    report("b", succeeded());
    start("c");
    expect(story("b").chain.map(({ jobId }) => jobId)).toEqual(["a", "b"]);
    expect(story("c").chain.map(({ jobId }) => jobId)).toEqual(["c"]);
  });

  it("stays as long as its stories, and no longer than its limit", () => {
    const { start, report, story } = given();
    for (let step = 0; step < 120; step += 1) {
      start(`j${step}`, { execution: "x", isContinuation: step > 0 });
      report(`j${step}`, continued("t"));
    }
    expect(story("j119").chain).toHaveLength(50);
  });
});

it("tells how a job ended without a result, and forgets it when it is offered again", () => {
  const { see, move, story } = given();
  move("a", "polled", "detailed", "dropped");
  see({ type: "job-dropped", key: keyOf("a"), from: "detailed", reason: "draining", message: "a drain" });
  expect(story("a")).toMatchObject({ state: "dropped", end: { kind: "dropped", reason: "draining" } });
  move("a", "polled", "detailed");
  expect(story("a")).toMatchObject({ state: "detailed" });
  expect(story("a").end).toBeUndefined();
  see({ type: "job-unfinished", key: keyOf("b"), state: "running", isOurs: true, message: "stopped" });
  expect(story("b").end).toMatchObject({ kind: "unfinished", reason: "running" });
  see({ type: "job-recovered", key: keyOf("b"), state: "running", ageMs: 4_000 });
  expect(story("b")).toMatchObject({ state: "running", takenAt: expect.any(String) });
  expect(story("b").end).toBeUndefined();
  see({ type: "callback-awaited", key: keyOf("b"), untilMs: startMs });
  see({ type: "order-taken", key: keyOf("b"), order: "fail", state: "running" });
  expect(story("b")).toMatchObject({ callbackUntil: "2026-01-01T00:00:00.000Z", order: "fail" });
});

describe("secrets", () => {
  const told: readonly [string, Outcome][] = [
    ["variables", succeeded({ outputVariables: { Key: "a hunter2" }, externalExecutionId: "x hunter2" })],
    ["a revision", succeeded({ revision: { revision: "hunter2", changeIdentifier: "c" } })],
    ["a continuation", continued("step hunter2")],
    ["a failure", failed("no", { externalExecutionId: "hunter2" })],
  ];

  it.each(told)("are masked in %s", (_what, outcome) => {
    const { start, report, story } = given();
    start("a");
    report("a", outcome);
    expect(JSON.stringify(story("a"))).not.toContain("hunter2");
    expect(JSON.stringify(story("a").outcome)).toContain("[secret]");
  });

  it.each(told)("that nobody knows here are not shown, in %s", (_what, outcome) => {
    const { report, story } = given();
    report("a", outcome);
    expect(JSON.stringify(story("a"))).not.toContain("hunter2");
    expect(JSON.stringify(story("a").outcome)).toContain(notShown);
  });
});

describe("limits", () => {
  it("hold for the lines of one job: the last are kept, and the others counted", () => {
    const { start, hear, story } = given({ linesOfOne: 3 });
    start("a");
    for (let line = 0; line < 10; line += 1)
      hear("a", `line ${line} ${"x".repeat(5_000)}`, { much: "y".repeat(9_000) });
    const { lines, leftOut } = story("a").log;
    expect(leftOut).toBe(7);
    expect(lines.map(({ text }) => text.slice(0, 6))).toEqual(["line 7", "line 8", "line 9"]);
    for (const line of lines) {
      expect(line.text.length).toBeLessThanOrEqual(2_000);
      expect(line.fields).toEqual({ leftOut: true });
    }
  });

  it("forget ended jobs before those that run", () => {
    const { stories, start, report } = given({ stories: 3 });
    start("runs");
    for (const job of ["a", "b", "c", "d"]) {
      start(job);
      report(job, succeeded());
    }
    expect(stories.keys().map(({ jobId }) => jobId)).toEqual(["runs", "c", "d"]);
  });

  it("hold whatever comes in whatever order", () => {
    const job = fc.integer({ min: 0, max: 8 }).map((number) => `job-${number}`);
    const action = fc.oneof(
      fc.tuple(fc.constant("hear" as const), job, fc.string({ maxLength: 300 })),
      fc.tuple(fc.constant("start" as const), job, fc.constantFrom("x", "y")),
      fc.tuple(fc.constant("report" as const), job, fc.string({ maxLength: 300 })),
      fc.tuple(fc.constant("see" as const), fc.constantFrom(...Object.values(oneOfEach)), fc.constant("")),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const { stories, hear, start, report, see } = given({ stories: 4, linesOfOne: 3, characters: 600 });
        for (const [what, of, text] of actions) {
          if (what === "hear") hear(of, text);
          else if (what === "start") start(of, { execution: text });
          else if (what === "report") report(of, succeeded({ summary: text }));
          else see(of);
          expect(stories.keys().length).toBeLessThanOrEqual(4);
          expect(stories.characters).toBeLessThanOrEqual(600);
          let lines = 0;
          for (const key of stories.keys()) {
            const story = stories.story(key);
            expect(isStory(story), JSON.stringify(isStory.errors)).toBe(true);
            lines += (story?.log.lines ?? []).reduce((sum, line) => sum + line.text.length, 0);
          }
          expect(lines).toBeLessThanOrEqual(stories.characters);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("take no line for a job's that only looks so", () => {
    const { stories, start, hear, story } = given();
    start("a");
    for (const line of ['{"jobId":"a"}', '{"jobId":', "null", '"jobId":', '["jobId"]', '{"x":{"jobId":"a"}}']) {
      stories.hear(line);
    }
    hear("a", "mine");
    expect(story("a").log.lines).toHaveLength(1);
  });
});

it("gives a line to the job of its account, whatever a handler's own field is called", () => {
  const { stories, see, hear, story } = given();
  const shops: JobKey = { ...keyOf("twin"), account: "shop" as AccountName };
  for (const key of [keyOf("twin"), shops]) see({ type: "job-recovered", key, state: "running", ageMs: 5 });
  hear("twin", "said by the one without a name", { account: "shop" });
  const { region } = shops;
  const fields = { ...jobFields(shops), event: "handler-log", account: "shop", region };
  stories.hear(
    JSON.stringify({ level: "info", time: new Date(startMs).toISOString(), ...fields, msg: "said by shop" }),
  );
  const said = (key: JobKey) => stories.story(key)?.log.lines.map(({ text }) => text);
  expect([said(keyOf("twin")), said(shops)]).toEqual([["said by the one without a name"], ["said by shop"]]);
  expect(story("twin").jobId).toBe("twin");
});

it("has the job's configuration and artifacts as its start told them, and sizes as they become known", () => {
  const { see, move, start, story } = given();
  move("a", "acknowledging", "running");
  const moved = (way: "in" | "out", name: string) =>
    see({ type: "artifact-moved", key: keyOf("a"), way, name, bytes: 1_024 });
  moved("in", "Source");
  expect(story("a").inputs).toBeUndefined();
  const configuration = [{ name: "ApiKey", value: "[secret]" }];
  start("a", { isContinuation: true, details: { configuration, inputs: ["Source", "Docs"], outputs: ["Report"] } });
  expect(story("a")).toMatchObject({ isContinuation: true, configuration, outputs: [{ name: "Report" }] });
  moved("in", "Docs");
  moved("out", "Report");
  moved("out", "Other");
  expect(story("a").inputs).toEqual([{ name: "Source" }, { name: "Docs", bytes: 1_024 }]);
  expect(story("a").outputs).toEqual([{ name: "Report", bytes: 1_024 }]);
});

it("counts configurations to what it keeps at most", () => {
  const { stories, move, start } = given({ characters: 10_000 });
  const configuration = Array.from({ length: 50 }, (_, at) => ({ name: `P${at}`, value: "v".repeat(300) }));
  for (let job = 0; job < 20; job++) {
    move(`j${job}`, "acknowledging", "running");
    start(`j${job}`, { details: { configuration, inputs: [], outputs: [] } });
    expect(stories.characters).toBeLessThanOrEqual(10_000);
  }
});

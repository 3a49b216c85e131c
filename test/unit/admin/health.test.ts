// Live and ready: every reason, alone and together, and nothing that is none.
import { describe, expect, it } from "vitest";
import { type HealthStatus, type LedgerState, type LoopsStatus, live, ready } from "../../../src/admin/health.js";

const nowMs = 10_000_000;
const poller = {
  region: "eu-west-1",
  actionType: "ThirdParty/Test/Acme-Scan/1",
  lastPollAtMs: (nowMs - 1_000) as number | undefined,
  lastGoodPollAtMs: (nowMs - 1_000) as number | undefined,
  failures: 0,
  lastFault: undefined as HealthStatus["pollers"][number]["lastFault"],
};
const refused = { kind: "denied", operation: "PollForJobs", code: "ExpiredToken", message: "it has expired" } as const;
const other = { ...poller, region: "us-east-1" };
const denied = { region: poller.region, actionType: poller.actionType, operation: "AcknowledgeJob", message: "no" };
const unpolled = { ...poller, lastPollAtMs: undefined, lastGoodPollAtMs: undefined };
const good = { isDraining: false, isPaused: false, shortOfRoom: undefined, pollers: [poller], denials: [] };
const writable: LedgerState = { writable: true };
const broken = (...pollers: readonly (typeof poller)[]) => ({
  handler: "scan",
  state: "open" as const,
  broken: { sinceMs: 0, code: "ENOENT", message: "its program does not exist" },
  pollers,
});

describe("ready", () => {
  it.each<[string, Partial<HealthStatus>, LedgerState, string[]]>([
    ["all is well", {}, writable, []],
    ["a poller has not polled", { pollers: [poller, unpolled] }, writable, ["not-yet-polled"]],
    [
      "one of ten was never answered",
      { pollers: [...Array(9).fill(poller), { ...poller, lastGoodPollAtMs: undefined, failures: 1 }] },
      writable,
      [],
    ],
    [
      "no poller was ever answered",
      { pollers: Array(3).fill({ ...poller, lastGoodPollAtMs: undefined, failures: 1 }) },
      writable,
      ["breaker-open"],
    ],
    [
      "the only poller that was answered has not failed often yet",
      {
        pollers: [
          { ...poller, failures: 4 },
          { ...poller, lastGoodPollAtMs: undefined, failures: 4 },
        ],
      },
      writable,
      [],
    ],
    ["a call of the only poller's jobs is denied", { denials: [denied] }, writable, ["breaker-open"]],
    ["a call of one of two pollers' jobs is denied", { pollers: [poller, other], denials: [denied] }, writable, []],
    ["it drains", { isDraining: true }, writable, ["draining"]],
    ["it is paused", { isPaused: true }, writable, ["paused"]],
    ["its fleet is paused", { fleet: { pause: { sinceMs: 0, by: "ada" } } }, writable, ["fleet-paused"]],
    ["both are", { isPaused: true, fleet: { pause: { sinceMs: 0, by: "ada" } } }, writable, ["paused", "fleet-paused"]],
    ["every poller fails again and again", { pollers: [{ ...poller, failures: 5 }] }, writable, ["breaker-open"]],
    [
      "every poller is refused",
      { pollers: [{ ...poller, failures: 1, lastFault: refused }] },
      writable,
      ["breaker-open"],
    ],
    ["a poller was refused and is not any more", { pollers: [{ ...poller, lastFault: refused }] }, writable, []],
    ["one of two is refused", { pollers: [poller, { ...poller, failures: 9, lastFault: refused }] }, writable, []],
    ["a poller fails a few times", { pollers: [{ ...poller, failures: 4 }] }, writable, []],
    ["one of two pollers fails", { pollers: [poller, { ...poller, failures: 99 }] }, writable, []],
    ["the disk is full", { shortOfRoom: "/work has 1 MiB" }, writable, ["no-room"]],
    [
      "the machine is short",
      { shortage: { sinceMs: 0, code: "EMFILE", reason: "out of open files" } },
      writable,
      ["machine-short"],
    ],
    ["the only handler is broken", { handlers: [broken(poller)] }, writable, ["handler-broken"]],
    ["the only handler is on trial", { handlers: [{ ...broken(poller), state: "half-open" }] }, writable, []],
    ["one handler of two is broken", { pollers: [poller, other], handlers: [broken(other)] }, writable, []],
    [
      "one poller's handler is broken and the other is refused",
      { pollers: [poller, { ...other, failures: 9, lastFault: refused }], handlers: [broken(poller)] },
      writable,
      ["breaker-open", "handler-broken"],
    ],
    ["the ledger is not writable", {}, { writable: false, reason: "disk full" }, ["ledger-not-writable"]],
    [
      "all goes wrong",
      { isDraining: true, isPaused: true, pollers: [{ ...unpolled, failures: 7 }] },
      { writable: false },
      ["not-yet-polled", "draining", "paused", "breaker-open", "ledger-not-writable"],
    ],
  ])("judges when %s", (_, change, ledger, expected) => {
    const { ready: isReady, reasons } = ready({ ...good, ...change }, ledger);
    expect(reasons.map(({ reason }) => reason)).toEqual(expected);
    expect(isReady).toBe(expected.length === 0);
  });

  it("names the pollers that have not polled, and why the ledger cannot be written", () => {
    const status = { ...good, pollers: [unpolled] };
    expect(ready(status, { writable: false, reason: "disk full" }).reasons.map(({ message }) => message)).toEqual([
      "no poll has been made yet: ThirdParty/Test/Acme-Scan/1 in eu-west-1",
      "the ledger is not writable: disk full",
    ]);
  });

  it("says which call of its jobs is denied, as the reason or as a note", () => {
    const why = "CodePipeline denied AcknowledgeJob (no)";
    const [reason] = ready({ ...good, denials: [denied] }, writable).reasons;
    expect(reason?.message).toBe(`no action type works: ${why}`);
    const { notes } = ready({ ...good, pollers: [poller, other], denials: [denied] }, writable);
    const message = `ThirdParty/Test/Acme-Scan/1 in eu-west-1: ${why}`;
    expect(notes).toEqual([{ note: "call-denied", message }]);
  });

  it("says which handler is broken, as the reason or as a note", () => {
    const why = "handler scan is broken (its program does not exist)";
    const [reason] = ready({ ...good, handlers: [broken(poller)] }, writable).reasons;
    expect(reason?.message).toBe(`no action type works: ${why}`);
    const { notes } = ready({ ...good, pollers: [poller, other], handlers: [broken(poller)] }, writable);
    const message = `ThirdParty/Test/Acme-Scan/1 in eu-west-1: ${why}`;
    expect(notes).toEqual([{ note: "handler-broken", message }]);
  });

  it("says once why CodePipeline answers no poller", () => {
    const pollers = [poller, poller].map((each) => ({ ...each, failures: 2, lastFault: refused }));
    expect(ready({ ...good, pollers }, writable).reasons.map(({ message }) => message)).toEqual([
      "no action type works: CodePipeline does not answer its polls (it has expired)",
    ]);
  });

  it("notes the pollers that are in trouble while others are answered, and why", () => {
    const inTrouble = [
      { ...poller, region: "eu-south-2", lastGoodPollAtMs: undefined, failures: 1, lastFault: refused },
      { ...poller, region: "us-east-1", failures: 5 },
    ];
    const pollers = [poller, ...inTrouble, { ...poller, failures: 1 }];
    expect(ready({ ...good, pollers }, writable)).toEqual({
      ready: true,
      reasons: [],
      notes: [
        {
          note: "poller-unanswered",
          message: "ThirdParty/Test/Acme-Scan/1 in eu-south-2: CodePipeline does not answer its polls (it has expired)",
        },
        {
          note: "poller-unanswered",
          message:
            "ThirdParty/Test/Acme-Scan/1 in us-east-1: CodePipeline does not answer its polls (no reason is known)",
        },
      ],
    });
    expect(ready({ ...good, pollers: inTrouble }, writable)).toMatchObject({ ready: false, notes: [] });
  });
});

describe("live", () => {
  const limitMs = 600_000;
  const lateMs = limitMs + 1;
  const status: LoopsStatus = { isDraining: false, isPaused: false, inFlight: 0, loops: [] };
  const loop = (doing: LoopsStatus["loops"][number]["doing"], overdueMs: number) => ({
    region: "eu-west-1",
    actionType: "ThirdParty/Test/Acme-Scan/1",
    doing,
    overdueMs,
  });
  const turning = loop("resting", -1_000);
  const out: LedgerState = { writable: false };

  it.each<[string, boolean, Partial<LoopsStatus>, LedgerState?]>([
    ["it rests", true, { loops: [turning] }],
    ["it rests for an hour", true, { loops: [loop("resting", -3_600_000)] }],
    ["its rest has been over for a while", true, { loops: [loop("resting", limitMs)] }],
    ["its rest has been over for long", false, { loops: [turning, loop("resting", lateMs)] }],
    ["its rest has been over for long in a pause", false, { isPaused: true, loops: [loop("resting", lateMs)] }],
    ["it waits for a slot that jobs hold", true, { inFlight: 1, loops: [loop("waiting-for-slot", 9 * lateMs)] }],
    ["it waits for a slot that a poll holds", true, { loops: [loop("waiting-for-slot", lateMs), loop("polling", 9)] }],
    ["it waits for a slot that nobody holds", false, { loops: [turning, loop("waiting-for-slot", lateMs)] }],
    ["it waits for the end of a pause", true, { isPaused: true, loops: [loop("at-gate", 9 * lateMs)] }],
    ["it waits at the gate for nothing", false, { loops: [loop("at-gate", lateMs)] }],
    ["its poll does not end", false, { loops: [loop("polling", lateMs)] }],
    ["what its poll brought cannot be written", true, { loops: [loop("polling", lateMs)] }, out],
    ["its first poll never came", false, { loops: [loop("starting", lateMs)] }],
    ["its first poll has still time", true, { loops: [loop("starting", 1_000)] }],
    ["what was left cannot be read", true, { loops: [loop("starting", lateMs)] }, out],
    ["the ledger cannot be written, which excuses no rest", false, { loops: [loop("resting", lateMs)] }, out],
    ["it drains", true, { isDraining: true, loops: [loop("polling", lateMs), loop("resting", lateMs)] }],
    ["its single pass is over", true, { loops: [loop("ended", lateMs)] }],
  ])("judges when %s", (_, expected, change, ledger = writable) => {
    expect(live({ ...status, ...change }, ledger).live).toBe(expected);
  });

  it("names the poller that stands still, where and for how long", () => {
    expect(live({ ...status, loops: [loop("waiting-for-slot", 720_000)] }, writable).reasons).toEqual([
      {
        reason: "poller-stuck",
        message: "ThirdParty/Test/Acme-Scan/1 in eu-west-1 has stopped polling (waiting for slot, overdue for 12 min)",
      },
    ]);
  });
});

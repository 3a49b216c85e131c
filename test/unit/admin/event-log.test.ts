// What a person on duty reads: one line for each event, at its level, and for a lasting fault only now and then.
import { describe, expect, it } from "vitest";
import { verdictOn } from "../../../src/admin/verdict.js";
import type { GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import type { UntimedEvent } from "../../../src/engine/events.js";
import type { LostReason } from "../../../src/job/lifecycle.js";
import { continued, failed, type Outcome, succeeded } from "../../../src/job/outcome.js";
import { logEvents } from "../../../src/std/log-events.js";
import { statusWith } from "../../support/admin-status.js";
import {
  dropped,
  jobFields,
  key,
  lineOf,
  linesOf,
  oneOfEach,
  polled,
  pollerFields,
  pollFailed,
  reported,
  retried,
  started,
} from "./event-log-samples.js";

/** What a line about a result says of the work. */
const work = { handler: "scan", pipeline: "Shop", action: "Scan", durationMs: 7 };

/** What programs go by: a line without its text. */
function named(event: UntimedEvent) {
  const { message: _, ...line } = lineOf(event);
  return line;
}

describe("each event", () => {
  it.each<readonly [UntimedEvent["type"], string, string, object]>([
    ["worker-started", "info", "worker-started", { pollers: 2, slots: 5 }],
    [
      "poll-finished",
      "debug",
      "poll-finished",
      { ...pollerFields, limit: 5, offered: 3, taken: 2, durationMs: 9, nextPollMs: 1_000 },
    ],
    ["poll-failed", "warn", "poll-failed", { ...pollerFields, code: "ECONNRESET", failures: 1, nextPollMs: 1_500 }],
    ["poll-recovered", "info", "poll-recovered", { ...pollerFields, failures: 4 }],
    ["offer-repeated", "debug", "offer-repeated", jobFields],
    ["job-changed", "debug", "job-changed", { ...jobFields, from: "polled", to: "detailed", by: "details-received" }],
    ["callback-awaited", "info", "callback-awaited", { ...jobFields, until: "2026-01-01T00:00:01.000Z" }],
    ["job-settled", "debug", "job-settled", { ...jobFields, outcome: "succeeded", cause: "returned", durationMs: 7 }],
    [
      "job-reported",
      "info",
      "job-succeeded",
      { ...jobFields, ...work, outcome: "succeeded", owedMs: 3, summary: undefined },
    ],
    ["job-dropped", "info", "job-dropped", { ...jobFields, reason: "not-ours", state: "acknowledging" }],
    ["call-retried", "debug", "call-retried", { ...jobFields, code: "ECONNRESET", attempt: 1, delayMs: 13 }],
    ["result-refused", "error", "result-rejected", { ...jobFields, code: "ECONNRESET" }],
    ["job-unfinished", "error", "job-unfinished", { ...jobFields, state: "settled" }],
    ["handler-abandoned", "error", "handler-abandoned", { ...jobFields, handler: "scan" }],
    ["job-recovered", "info", "job-recovered", { ...jobFields, state: "running", ageMs: 4_000 }],
    ["order-taken", "warn", "job-failed-by-operator", { ...jobFields, state: "running" }],
    ["ledger-failed", "error", "ledger-failed", {}],
    ["bug", "error", "internal-error", { stack: "at x" }],
    ["paused", "info", "paused", {}],
    ["resumed", "info", "resumed", {}],
    ["drain-started", "info", "drain-started", { inFlight: 2, timeoutMs: 25_000 }],
    ["drain-hurried", "warn", "handlers-stopping", { inFlight: 1 }],
    ["drain-finished", "info", "stopped", { owed: 0, results: 0, durationMs: 11 }],
  ])("%s is one line of level %s", (type, level, event, fields) => {
    expect(named(oneOfEach[type])).toEqual({ level, event, fields });
  });

  it.each(Object.values(oneOfEach))("$type makes one line, which says something and survives JSON", (event) => {
    const { message, fields } = lineOf(event);
    expect(message).toMatch(/^\S.*\S$/);
    expect(() => JSON.stringify(fields)).not.toThrow();
  });

  it.each(Object.values(oneOfEach))("$type has only the levels and fields of the catalogue", (event) => {
    for (const { level, event: name, fields } of linesOf(event)) {
      expect(logEvents[name].levels).toContain(level);
      expect(
        Object.keys(fields).filter((field) => !(logEvents[name].fields as readonly string[]).includes(field)),
      ).toEqual([]);
    }
  });

  it.each(Object.values(oneOfEach).filter((event) => "key" in event && event.key))(
    "$type is found by its job's fields",
    (event) => {
      expect(lineOf(event).fields).toMatchObject(jobFields);
    },
  );

  it("tells no client of a custom job, which has none", () => {
    const { clientId: _, ...custom } = key;
    expect(lineOf({ type: "offer-repeated", key: custom }).fields).toEqual({ ...pollerFields, jobId: "job-1" });
  });
});

describe("a job's start", () => {
  it("tells handler, pipeline and deadline", () => {
    expect(named(started)).toEqual({
      level: "info",
      event: "job-started",
      fields: {
        ...jobFields,
        handler: "scan",
        pipeline: "Shop",
        action: "Scan",
        actionExecutionId: "exec-1",
        continuation: undefined,
        pickupMs: 5,
        deadline: "2026-01-01T00:01:00.000Z",
      },
    });
  });

  it("says when it continues with earlier work", () => {
    expect(lineOf({ ...started, isContinuation: true } as UntimedEvent).fields["continuation"]).toBe(true);
  });
});

describe("a job's report", () => {
  it.each<readonly [Outcome, string, string, object]>([
    [
      succeeded({ summary: "fine", externalExecutionId: "e" }),
      "info",
      "job-succeeded",
      { summary: "fine", externalExecutionId: "e" },
    ],
    [
      continued("t", { percentComplete: 40, summary: "half" }),
      "info",
      "job-continued",
      { percentComplete: 40, summary: "half" },
    ],
    [
      failed("no disk", { type: "SystemUnavailable" }),
      "warn",
      "job-failed",
      { failureType: "SystemUnavailable", failure: "no disk" },
    ],
  ])("tells the outcome %o, and what was worked for how long", (outcome, level, event, fields) => {
    const line = lineOf(reported(outcome));
    expect(line).toMatchObject({ level, event, fields: { ...jobFields, ...work, outcome: outcome.kind, ...fields } });
  });

  it("tells attempts only when it took several, and a presumption only when there is one", () => {
    expect(Object.keys(lineOf(reported(succeeded())).fields)).not.toContain("attempts");
    expect(Object.keys(lineOf(reported(succeeded())).fields)).not.toContain("presumed");
    expect(lineOf(reported(succeeded(), { attempts: 2, isPresumed: true })).fields).toMatchObject({
      attempts: 2,
      presumed: true,
    });
  });

  it("shows neither a continuation token nor output variables, which are the customer's", () => {
    const outcomes = [continued("token-hidden"), succeeded({ outputVariables: { A: "value-hidden" } })];
    const events = outcomes.flatMap((outcome): readonly UntimedEvent[] => [
      reported(outcome),
      { type: "job-settled", key, outcome, cause: "returned", durationMs: 1 },
    ]);
    expect(JSON.stringify(linesOf(...events))).not.toContain("hidden");
  });
});

describe("the end of a drain", () => {
  const done = { owed: 0, results: 0, isDurable: true, isRead: true };
  it.each([
    [done, "info", "all results reported"],
    [
      { ...done, owed: 8, results: 8 },
      "error",
      "8 results owed; they are in the ledger, and the next start reports them",
    ],
    [{ ...done, owed: 1, results: 1 }, "error", "1 result owed; it is in the ledger, and the next start reports it"],
    [
      { ...done, owed: 3, results: 2 },
      "error",
      "2 results owed and 1 job unfinished; they are in the ledger, and the next start finishes them",
    ],
    [
      { ...done, owed: 2, results: 0, isDurable: false },
      "error",
      "2 jobs unfinished; the memory ledger loses them, and CodePipeline waits until the action times out",
    ],
    [{ ...done, isRead: false }, "error", "the ledger was not read, and jobs that it holds stay in it"],
  ] as const)("says what is held, as the page does: %o", (held, level, text) => {
    const { owed, results } = held;
    const fields = { owed, results, durationMs: 10 };
    const event = { type: "drain-finished", ...held, durationMs: 10 } as const;
    expect(lineOf(event)).toEqual({ level, event: "stopped", message: `stopped; ${text}`, fields });
    const page = verdictOn(statusWith({ isDraining: true, end: held }), { writable: true });
    expect(page).toMatchObject({ tone: level === "info" ? "busy" : "bad", headline: `Stopped; ${text}` });
  });
});

describe("a dropped job", () => {
  const levels: Readonly<Record<LostReason, string>> = {
    "not-ours": "info",
    draining: "info",
    paused: "info",
    "taken-over": "info",
    gone: "warn",
    over: "warn",
    "no-details": "warn",
    unreachable: "warn",
    "token-rejected": "warn",
    released: "warn",
    "ledger-unwritable": "warn",
    "no-room": "warn",
    "machine-short": "debug",
    "handler-broken": "debug",
    "not-its-turn": "debug",
    denied: "error",
    refused: "error",
  };

  it.each(Object.entries(levels))("that is %s before the work is of level %s", (reason, level) => {
    for (const from of ["polled", "detailed", "acknowledging"] as const) {
      expect(lineOf(dropped(reason as LostReason, from)).level).toBe(level);
    }
  });

  // Whoever released it knows that, and whoever took it over reports it.
  const isNobodysLoss = (reason: string) => reason === "released" || reason === "taken-over";

  it.each(Object.keys(levels).filter((reason) => !isNobodysLoss(reason)) as LostReason[])(
    "that is %s after the work is a lost outcome, an error",
    (reason) => {
      for (const from of ["running", "settled"] as const) expect(lineOf(dropped(reason, from)).level).toBe("error");
    },
  );

  it.each(Object.keys(levels).filter(isNobodysLoss) as LostReason[])(
    "that is %s after the work is no lost outcome, and a warning",
    (reason) => {
      for (const from of ["running", "settled"] as const) expect(lineOf(dropped(reason, from)).level).toBe("warn");
    },
  );
});

describe("a fault that lasts", () => {
  /** The counts at which a line comes that people see. */
  const milestones = [3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];

  it("is told when polling begins to fail, and ever more rarely while it does", () => {
    const counts = [...Array.from({ length: 3_001 }, (_, at) => at + 1), 10_000, 30_000, 100_000, 300_000, 1_000_000];
    const told = counts.filter((count) => lineOf(pollFailed(count)).level === "warn");
    expect(told).toEqual([1, ...milestones]);
  });

  it("is told for one job's call from the third attempt on", () => {
    const counts = Array.from({ length: 1_001 }, (_, at) => at + 1);
    const told = counts.filter((count) => lineOf(retried(count)).level === "warn");
    expect(told).toEqual(milestones.filter((count) => count <= 1_001));
  });

  it("is an error each time it is told when it will not pass by itself", () => {
    for (const kind of ["misconfigured", "rejected"] as const) {
      expect(linesOf(pollFailed(1, kind), pollFailed(2, kind), pollFailed(3, kind)).map((line) => line.level)).toEqual([
        "error",
        "debug",
        "error",
      ]);
    }
  });

  it.each<readonly [GatewayFaultKind, string]>([
    ["misconfigured", "check category, owner, provider, version and Region of the action type"],
    ["rejected", "check the action type's configuration"],
    ["throttled", "polling slows down"],
    ["unavailable", "polling continues"],
  ])("says what to do about it when it is %s", (kind, remedy) => {
    expect(lineOf(pollFailed(1, kind)).message).toBe(`PollForThirdPartyJobs failed; ${remedy}`);
  });
});

describe("offers that cannot be read", () => {
  it("are told one by one, besides the poll", () => {
    expect(linesOf(polled(["the answer has no jobId", "the answer has no nonce"]))).toMatchObject([
      {
        level: "warn",
        event: "offer-unreadable",
        message: expect.stringContaining("the answer has no jobId"),
      },
      {
        level: "warn",
        event: "offer-unreadable",
        message: expect.stringContaining("the answer has no nonce"),
      },
      { level: "debug", event: "poll-finished" },
    ]);
  });
});

describe("every line", () => {
  it("has no field that could hold a secret", () => {
    const names = Object.values(oneOfEach).flatMap((event) =>
      linesOf(event).flatMap((line) => Object.keys(line.fields)),
    );
    expect(
      names.filter((name) => /token|secret|nonce|credential|password|configuration|variables/i.test(name)),
    ).toEqual([]);
  });

  it("takes no member along that an event should not have had", () => {
    for (const event of Object.values(oneOfEach)) {
      const overfull = Object.assign(
        { ...event },
        { clientToken: "hidden", nonce: "hidden", job: { secret: "hidden" } },
      );
      expect(JSON.stringify(linesOf(overfull))).not.toContain("hidden");
    }
  });
});

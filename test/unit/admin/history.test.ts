// What the status page remembers: outcomes, minutes and progress, and that none of it grows without an end.
import { describe, expect, it } from "vitest";
import { History } from "../../../src/admin/history.js";
import type { UntimedEvent } from "../../../src/engine/events.js";
import type { ActionType, ClientId, JobId, JobKey, Region } from "../../../src/job/job.js";
import { continued, failed, type Outcome, succeeded } from "../../../src/job/outcome.js";

const work = { handler: "h", pipelineName: "p", actionName: "a", durationMs: 5 };

const startMs = Date.UTC(2026, 0, 1, 2, 0);
const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const region = "us-east-1" as Region;
const keyOf = (jobId: string): JobKey => ({ region, actionType, jobId: jobId as JobId, clientId: "c" as ClientId });

function given() {
  const history = new History();
  const see = (event: UntimedEvent, afterMs = 0) => history.observe({ ...event, atMs: startMs + afterMs });
  const start = (jobId: string, afterMs = 0, more: { isContinuation?: boolean; pickupMs?: number } = {}) =>
    see(
      {
        type: "job-started",
        key: keyOf(jobId),
        handler: "scan",
        pickupMs: more.pickupMs ?? 20,
        deadlineMs: 0,
        isContinuation: more.isContinuation ?? false,
        pipelineName: "Shop",
        actionName: "Scan",
        actionExecutionId: undefined,
      },
      afterMs,
    );
  const end = (jobId: string, outcome: Outcome, afterMs = 0) => {
    see({ type: "job-settled", key: keyOf(jobId), outcome, cause: "returned", durationMs: 1_500 }, afterMs);
    see(
      { type: "job-reported", key: keyOf(jobId), outcome, attempts: 1, owedMs: 5, ...work, isPresumed: false },
      afterMs,
    );
  };
  const look = (afterMs = 0) => history.view(startMs + afterMs);
  return { see, start, end, look };
}

describe("recent outcomes", () => {
  it("come newest first, with what the handler said and how long it took", () => {
    const { start, end, look } = given();
    start("a");
    end("a", succeeded({ summary: "fine" }), 1_000);
    start("b");
    end("b", failed("no target", { type: "ConfigurationError" }), 2_000);
    expect(look().recent).toMatchObject([
      { jobId: "b", end: "failed", reason: "ConfigurationError", text: "no target", tookMs: 1_500, handler: "scan" },
      { jobId: "a", end: "succeeded", reason: undefined, text: "fine", clientId: "c", atMs: startMs + 1_000 },
    ]);
  });

  it("tell of jobs that were let go and of those that a stop left", () => {
    const { see, look } = given();
    see({ type: "job-dropped", key: keyOf("a"), from: "polled", reason: "token-rejected", message: "wrong token" });
    see({ type: "job-unfinished", key: keyOf("b"), state: "settled", isOurs: true, message: "stopped" });
    expect(look().recent).toMatchObject([
      { jobId: "b", end: "unfinished", reason: "settled", text: "stopped" },
      { jobId: "a", end: "dropped", isTrouble: true, reason: "token-rejected", text: "wrong token", tookMs: undefined },
    ]);
  });

  it("are five hundred at most, and their texts are cut", () => {
    const { end, look } = given();
    for (let at = 0; at < 700; at++) end(`${at}`, succeeded({ summary: "x".repeat(2_000) }));
    expect(look().recent).toHaveLength(500);
    expect(look().recent[0]?.jobId).toBe("699");
    expect(look().recent[0]?.text).toHaveLength(301);
  });
});

describe("what went wrong", () => {
  it("is not pushed out by successes, however many there are", () => {
    const { end, look } = given();
    end("bad", failed("no target"));
    for (let at = 0; at < 2_000; at++) end(`${at}`, succeeded());
    expect(look().recent.some(({ jobId }) => jobId === "bad")).toBe(false);
    expect(look().troubles).toMatchObject([{ jobId: "bad", text: "no target" }]);
  });

  it("is a thousand at most, the latest of them", () => {
    const { end, look } = given();
    for (let at = 0; at < 1_500; at++) end(`${at}`, failed("no"));
    expect(look().troubles).toHaveLength(1_000);
    expect([look().troubles[0]?.jobId, look().troubles.at(-1)?.jobId]).toEqual(["1499", "500"]);
  });

  it("has no drop that is ordinary in a fleet, a drain or a pause", () => {
    const { see, look } = given();
    for (const reason of ["not-ours", "paused", "draining", "token-rejected"] as const) {
      see({ type: "job-dropped", key: keyOf(reason), from: "polled", reason, message: "it was" });
    }
    expect(look().troubles.map(({ reason }) => reason)).toEqual(["token-rejected"]);
    expect(look().hour.at(-1)?.dropped).toBe(1);
  });
});

describe("the last hour", () => {
  it("counts by action type and by client, too", () => {
    const { see, end, look } = given();
    end("a", succeeded());
    end("b", failed("no"));
    see({ type: "job-dropped", key: keyOf("c"), from: "running", reason: "gone", message: "it is gone" });
    const counts = { succeeded: 1, continued: 0, failed: 1, dropped: 1 };
    expect([...(look().hour.at(-1)?.byType ?? [])]).toEqual([["ThirdParty/Test/Acme-Scan/1", counts]]);
    expect(look().clients).toEqual([{ clientId: "c", ...counts }]);
  });

  it("is always sixty minutes, the last of them this one", () => {
    const { look } = given();
    const { hour } = look(90_000);
    expect(hour).toHaveLength(60);
    expect(hour.at(-1)?.startMs).toBe(startMs + 60_000);
  });

  it("counts results and pickups by the minute, and forgets what is older", () => {
    const { start, end, look } = given();
    start("a", 0, { pickupMs: 30 });
    end("a", succeeded(), 59_000);
    end("b", failed("no"), 61_000);
    end("c", continued("t"), 62_000);
    const { hour } = look(90_000);
    expect(hour.at(-2)).toMatchObject({ succeeded: 1, continued: 0, failed: 0, pickups: [30] });
    expect(hour.at(-1)).toMatchObject({ succeeded: 0, continued: 1, failed: 1, pickups: [] });
    expect(look(3_660_000).hour.reduce((sum, minute) => sum + minute.succeeded + minute.failed, 0)).toBe(0);
  });

  it("keeps a few hundred pickups of a minute, the last ones", () => {
    const { start, look } = given();
    for (let at = 0; at < 1_000; at++) start(`${at}`, 0, { pickupMs: at });
    const pickups = look().hour.at(-1)?.pickups ?? [];
    expect(pickups).toHaveLength(300);
    expect(Math.min(...pickups)).toBe(700);
  });
});

describe("progress", () => {
  it("goes from a continued job to the next one of its action, and ends with it", () => {
    const { start, end, look } = given();
    start("a");
    end("a", continued("t", { percentComplete: 40 }));
    start("b", 0, { isContinuation: true });
    expect(look().percent.get("us-east-1/b")).toBe(40);
    end("b", succeeded());
    start("c");
    expect([...look().percent]).toEqual([]);
  });
});

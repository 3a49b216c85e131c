// Live and ready: every reason, alone and together, and nothing that is none.
import { describe, expect, it } from "vitest";
import { type HealthStatus, type LedgerState, live, ready } from "../../../src/admin/health.js";

const nowMs = 10_000_000;
const poller = {
  region: "eu-west-1",
  actionType: "ThirdParty/Test/Acme-Scan/1",
  lastGoodPollAtMs: (nowMs - 1_000) as number | undefined,
  nextPollAtMs: (nowMs + 1_000) as number | undefined,
  failures: 0,
  lastFault: undefined as HealthStatus["pollers"][number]["lastFault"],
};
const refused = { kind: "denied", operation: "PollForJobs", code: "ExpiredToken", message: "it has expired" } as const;
const good = {
  atMs: nowMs,
  startedAtMs: 0,
  isDraining: false,
  isPaused: false,
  shortOfRoom: undefined,
  pollers: [poller],
  inFlight: 0,
};
const writable: LedgerState = { writable: true };

describe("ready", () => {
  it.each<[string, Partial<HealthStatus>, LedgerState, string[]]>([
    ["all is well", {}, writable, []],
    [
      "a poller has not been answered",
      { pollers: [poller, { ...poller, lastGoodPollAtMs: undefined }] },
      writable,
      ["not-yet-polled"],
    ],
    ["it drains", { isDraining: true }, writable, ["draining"]],
    ["it is paused", { isPaused: true }, writable, ["paused"]],
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
    ["the ledger cannot be written", {}, { writable: false, reason: "disk full" }, ["ledger-not-writable"]],
    [
      "all goes wrong",
      { isDraining: true, isPaused: true, pollers: [{ ...poller, lastGoodPollAtMs: undefined, failures: 7 }] },
      { writable: false },
      ["not-yet-polled", "draining", "paused", "breaker-open", "ledger-not-writable"],
    ],
  ])("judges when %s", (_, change, ledger, expected) => {
    const { ready: isReady, reasons } = ready({ ...good, ...change }, ledger);
    expect(reasons.map(({ reason }) => reason)).toEqual(expected);
    expect(isReady).toBe(expected.length === 0);
  });

  it("names the pollers that have not polled, and why the ledger cannot be written", () => {
    const status = { ...good, pollers: [{ ...poller, lastGoodPollAtMs: undefined }] };
    expect(ready(status, { writable: false, reason: "disk full" }).reasons.map(({ message }) => message)).toEqual([
      "no poll has been answered yet: ThirdParty/Test/Acme-Scan/1 in eu-west-1",
      "the ledger cannot be written: disk full",
    ]);
  });

  it("says once why CodePipeline answers no poller", () => {
    const pollers = [poller, poller].map((each) => ({ ...each, failures: 2, lastFault: refused }));
    expect(ready({ ...good, pollers }, writable).reasons.map(({ message }) => message)).toEqual([
      "no poller is answered by CodePipeline: it has expired",
    ]);
  });
});

describe("live", () => {
  const late = { ...poller, nextPollAtMs: nowMs - 600_001 };

  it.each<[string, boolean, Partial<HealthStatus>, LedgerState?]>([
    ["it polls", true, {}],
    ["a poll is late", true, { pollers: [{ ...poller, nextPollAtMs: nowMs - 600_000 }] }],
    ["a poll is far too late", false, { pollers: [poller, late] }],
    ["the first poll never came", false, { pollers: [{ ...poller, nextPollAtMs: undefined }] }],
    [
      "the first poll has still time",
      true,
      { startedAtMs: nowMs - 1_000, pollers: [{ ...poller, nextPollAtMs: undefined }] },
    ],
    ["every poll fails", true, { pollers: [{ ...poller, failures: 99, lastGoodPollAtMs: undefined }] }],
    ["it drains", true, { isDraining: true, pollers: [late] }],
    ["the disk is full", true, { shortOfRoom: "/work has 1 MiB", pollers: [late] }],
    ["it is paused", true, { isPaused: true, pollers: [late] }],
    ["jobs are in hand, be it only for their results to be taken", true, { inFlight: 1, pollers: [late] }],
    ["the ledger cannot be written", true, { pollers: [late] }, { writable: false }],
  ])("judges when %s", (_, expected, change, ledger = writable) => {
    expect(live({ ...good, ...change }, ledger).live).toBe(expected);
  });

  it("names the poller that stands still", () => {
    expect(live({ ...good, pollers: [late] }, writable).reasons).toEqual([
      { reason: "poller-stuck", message: "ThirdParty/Test/Acme-Scan/1 in eu-west-1 has stopped polling" },
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { type ReportedDaemon, SystemdReports, statusText } from "../../../src/cli/systemd-reports.js";
import type { WorkerEvent } from "../../../src/engine/events.js";
import type { Message } from "../../../src/std/systemd.js";
import { FakeClock } from "../../support/fake-clock.js";

type Status = ReturnType<ReportedDaemon["status"]>;
const poller = { region: "us-east-1", actionType: "ThirdParty/Test/Acme-Scan/1", failures: 0, lastGoodPollAtMs: 1 };
const idle = {
  slots: { busy: 0, max: 5, working: 0, owed: 0 },
  jobs: [] as unknown[],
  pollers: [poller] as unknown[],
  isDraining: false,
  isPaused: false,
};
const event = (type: string) => ({ type, atMs: 0 }) as unknown as WorkerEvent;

function start(options: { watchdogMs?: number; environment?: Record<string, string>; readyWaitMs?: number } = {}) {
  const clock = new FakeClock();
  const told: Message[] = [];
  const logged: string[] = [];
  const state = { status: idle, live: true };
  const watchdog = options.watchdogMs === undefined ? {} : { WATCHDOG_USEC: String(options.watchdogMs * 1_000) };
  const reports = new SystemdReports({
    environment: options.environment ?? { NOTIFY_SOCKET: "/run/of/nobody", ...watchdog },
    pid: 7,
    clock,
    log: {
      info: (event, _, message) => logged.push(`${event}: ${message}`),
      error: (event, _, message) => logged.push(`${event}: ${message}`),
    },
    readyWaitMs: options.readyWaitMs ?? 30_000,
    notifier: { send: (message) => told.push(message), flushed: async () => {} },
  });
  reports.begin({
    status: () => state.status as unknown as Status,
    live: () => ({
      live: state.live,
      reasons: state.live ? [] : [{ reason: "poller-stuck", message: "it has stopped polling" }],
    }),
  });
  const names = () => told.map((message) => Object.keys(message).filter((name) => name !== "STATUS"));
  return { clock, told, logged, state, reports, names };
}

describe("ready", () => {
  it("comes with the first good poll", async () => {
    const { reports, names, clock, told } = start();
    reports.observe(event("poll-failed"));
    expect(names()).toEqual([["EXTEND_TIMEOUT_USEC"]]);
    reports.observe(event("poll-finished"));
    expect(told.at(-1)).toEqual({ READY: "1", STATUS: "polling: 0 of 5 slots busy, 0 results owed" });
    reports.observe(event("poll-finished"));
    await clock.advance(30_000);
    expect(names()).toEqual([["EXTEND_TIMEOUT_USEC"], ["READY"]]);
  });

  it("comes after the wait at the latest; until then more time is asked for", async () => {
    const { names, clock } = start({ readyWaitMs: 25_000 });
    await clock.advance(24_999);
    expect(names()).toEqual([["EXTEND_TIMEOUT_USEC"], ["EXTEND_TIMEOUT_USEC"], ["EXTEND_TIMEOUT_USEC"]]);
    await clock.advance(1);
    expect(names().at(-1)).toEqual(["READY"]);
  });

  it("is said again after a minute, in case it was lost", async () => {
    const { reports, names, clock } = start();
    reports.observe(event("poll-finished"));
    await clock.advance(59_999);
    expect(names()).toHaveLength(2);
    await clock.advance(1);
    expect(names()).toEqual([["EXTEND_TIMEOUT_USEC"], ["READY"], ["READY"]]);
  });

  it("does not come any more once it stops", async () => {
    const { reports, names, clock } = start();
    reports.observe(event("drain-started"));
    reports.observe(event("poll-finished"));
    await clock.advance(60_000);
    expect(names().flat()).not.toContain("READY");
  });
});

describe("the sign of life", () => {
  it("comes three times for each time that systemd waits, from ready on", async () => {
    const { reports, names, clock } = start({ watchdogMs: 60_000 });
    await clock.advance(10_000);
    expect(names().flat()).not.toContain("WATCHDOG");
    reports.observe(event("poll-finished"));
    await clock.advance(120_000);
    expect(names().filter((each) => each.includes("WATCHDOG"))).toHaveLength(7);
  });

  it("is looked at oftener when systemd waits less", async () => {
    const { reports, names, clock } = start({ watchdogMs: 3_000 });
    reports.observe(event("poll-finished"));
    await clock.advance(9_000);
    expect(names().filter((each) => each.includes("WATCHDOG"))).toHaveLength(10);
  });

  it("is withheld while the loops do not turn, and that is told once", async () => {
    const { reports, names, clock, state, logged } = start({ watchdogMs: 60_000 });
    reports.observe(event("poll-finished"));
    state.live = false;
    await clock.advance(60_000);
    expect(names().filter((each) => each.includes("WATCHDOG"))).toHaveLength(1);
    expect(logged).toEqual([expect.stringMatching(/^watchdog-withheld: .* it has stopped polling/)]);
    state.live = true;
    await clock.advance(10_000);
    expect(names().at(-1)).toContain("WATCHDOG");
  });

  it("is not given where nobody waits for it", async () => {
    const { reports, names, clock } = start();
    reports.observe(event("poll-finished"));
    await clock.advance(600_000);
    expect(names().flat()).not.toContain("WATCHDOG");
  });
});

describe("a reload", () => {
  it("is told with its time when it begins, and as ready when it is over, however it ends", async () => {
    const { reports, told } = start();
    reports.observe(event("poll-finished"));
    const over = Promise.withResolvers<void>();
    const reload = reports.reloading(() => over.promise);
    expect(told.at(-1)).toMatchObject({ RELOADING: "1", MONOTONIC_USEC: expect.stringMatching(/^\d+$/) });
    // Another one meanwhile is part of it.
    await reports.reloading(async () => {});
    expect(told).toHaveLength(3);
    over.reject(new Error("refused"));
    await expect(reload).rejects.toThrow("refused");
    expect(told.at(-1)).toMatchObject({ READY: "1" });
    expect(told).toHaveLength(4);
  });

  it("makes nobody ready before the first poll, and stops no stop", async () => {
    const { reports, names } = start();
    await reports.reloading(async () => {});
    expect(names().flat()).not.toContain("READY");
    reports.observe(event("drain-started"));
    await reports.reloading(async () => {});
    expect(names().flat()).not.toContain("RELOADING");
  });
});

it("asks for more time again and again while it drains, and says what is left", async () => {
  const { reports, told, clock, state } = start();
  reports.observe(event("poll-finished"));
  state.status = { ...idle, isDraining: true, slots: { busy: 2, max: 5, working: 0, owed: 0 } };
  reports.observe(event("drain-started"));
  const draining = {
    STOPPING: "1",
    STATUS: "draining: 2 of 5 slots busy, 0 results owed",
    EXTEND_TIMEOUT_USEC: "40000000",
  };
  expect(told.at(-1)).toEqual(draining);
  const before = told.length;
  await clock.advance(60_000);
  expect(told.slice(before)).toEqual(Array.from({ length: 6 }, () => draining));
});

it("leaves no timer behind, and says nothing more", async () => {
  const { reports, told, clock } = start({ watchdogMs: 3_000 });
  reports.observe(event("poll-finished"));
  await reports.close();
  const before = told.length;
  expect(clock.pending).toBe(0);
  reports.observe(event("drain-started"));
  await clock.advance(600_000);
  expect(told).toHaveLength(before);
});

it("does nothing where no systemd listens", async () => {
  const { reports, told, clock } = start({ environment: { WATCHDOG_USEC: "3000000" } });
  reports.observe(event("poll-finished"));
  let reloads = 0;
  await reports.reloading(async () => {
    reloads += 1;
  });
  await reports.close();
  expect({ told, pending: clock.pending, reloads }).toEqual({ told: [], pending: 0, reloads: 1 });
});

describe("statusText", () => {
  const job = (state: string) => ({ state });
  const fault = { code: "ExpiredTokenException" };
  it.each([
    [{}, "polling: 0 of 5 slots busy, 0 results owed"],
    [{ jobs: [job("settled"), job("running")] }, "polling: 0 of 5 slots busy, 1 result owed"],
    [{ isPaused: true }, "paused: 0 of 5 slots busy, 0 results owed"],
    [{ isPaused: true, isDraining: true }, "draining: 0 of 5 slots busy, 0 results owed"],
    [
      { pollers: [{ ...poller, failures: 3, lastFault: fault }, poller] },
      "polling: 0 of 5 slots busy, 0 results owed, 1 of 2 pollers fail (ExpiredTokenException)",
    ],
    [
      { pollers: [{ ...poller, lastGoodPollAtMs: undefined }, poller] },
      "polling: 0 of 5 slots busy, 0 results owed, 1 of 2 pollers have no answer yet",
    ],
  ])("%j: %s", (change, expected) => expect(statusText({ ...idle, ...change } as unknown as Status)).toBe(expected));
});

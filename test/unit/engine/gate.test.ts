// Every reason for which no job is taken, alone and together, and that a wait at the gate ends when they do.
import { describe, expect, it } from "vitest";
import type { ArtifactStore } from "../../../src/artifacts/artifacts.js";
import { Gate } from "../../../src/engine/gate.js";
import type { FleetPause } from "../../../src/job/fleet.js";
import type { LedgerHealth } from "../../../src/ledger/ledger.js";
import { flightOver } from "../../support/flight.js";

async function given() {
  const { context, clock, events } = await flightOver({});
  const drain = new AbortController();
  let health: LedgerHealth = { writable: true };
  let room: ReturnType<ArtifactStore["room"]> = { isEnough: true };
  const fleet: { pause: FleetPause | undefined } = { pause: undefined };
  const { ledger, artifacts } = context.deps;
  const deps = {
    ...context.deps,
    ledger: Object.assign(Object.create(ledger), { health: () => health, fleet }),
    artifacts: { ...artifacts, room: () => room },
  };
  const gate = new Gate({ ...context, deps, scopes: { ...context.scopes, poll: drain.signal } });
  const close = {
    draining: () => drain.abort(),
    paused: () => gate.pause(),
    "ledger-unwritable": () => {
      health = { writable: false, reason: "disk full" };
    },
    "no-room": () => {
      room = { isEnough: false, reason: "1 GB is free" };
    },
  };
  const open = () => {
    gate.resume();
    health = { writable: true };
    room = { isEnough: true };
  };
  return { gate, clock, events, close, open, fleet };
}
type Reason = keyof Awaited<ReturnType<typeof given>>["close"];
const reasons: readonly Reason[] = ["draining", "paused", "ledger-unwritable", "no-room"];

describe("the gate", () => {
  it.each(reasons)("is closed by %s alone", async (reason) => {
    const { gate, close } = await given();
    expect(gate.closedBy()).toBeUndefined();
    close[reason]();
    expect(gate.closedBy()?.reason).toBe(reason);
  });

  it("names the reason that lasts longest first", async () => {
    const { gate, close } = await given();
    const named: unknown[] = [];
    for (const reason of reasons.toReversed()) {
      close[reason]();
      named.push(gate.closedBy()?.reason);
    }
    expect(named).toEqual(reasons.toReversed());
  });

  it.each<Reason>(["paused", "ledger-unwritable", "no-room"])("lets who waits through when %s ends", async (reason) => {
    const { gate, clock, close, open } = await given();
    close[reason]();
    let isThrough = false;
    let looks = 0;
    const passing = gate
      .pass(new AbortController().signal, () => (looks += 1))
      .then(() => {
        isThrough = true;
      });
    await clock.advance(10_000);
    // Of a pause there is nothing to look at.
    expect([isThrough, looks]).toEqual([false, reason === "paused" ? 1 : 11]);
    open();
    await clock.advance(1_000);
    await passing;
    expect(clock.pending).toBe(0);
  });

  it.each(reasons)("lets who waits go when the signal aborts, closed by %s", async (reason) => {
    const { gate, clock, close } = await given();
    close[reason]();
    const waiting = new AbortController();
    const passing = gate.pass(waiting.signal);
    await clock.advance(100);
    waiting.abort();
    await passing;
    expect(clock.pending).toBe(0);
  });

  it("is closed while the fleet is paused, as the ledger knows it, and opens within a second of its end", async () => {
    const { gate, clock, events, fleet } = await given();
    fleet.pause = { sinceMs: 0, by: "ada" };
    expect(gate.closedBy()).toEqual({ reason: "paused", message: expect.stringContaining("the fleet was paused") });
    let isThrough = false;
    const passing = gate.pass(new AbortController().signal).then(() => {
      isThrough = true;
    });
    // An operator's resume of this process alone does not open it.
    gate.pause();
    gate.resume();
    await clock.advance(60_000);
    expect(isThrough).toBe(false);
    fleet.pause = undefined;
    await clock.advance(1_000);
    await passing;
    expect(events.map(({ type }) => type)).toEqual(["paused", "resumed"]);
    expect(clock.pending).toBe(0);
  });

  it("tells a pause and a lack of room once, and their ends", async () => {
    const { gate, events, close, open } = await given();
    for (let time = 0; time < 3; time++) {
      close["no-room"]();
      close.paused();
      gate.resume();
      gate.closedBy();
    }
    close.paused();
    close.paused();
    open();
    open();
    gate.closedBy();
    const told = events.map(({ type }) => type);
    expect(told.filter((type) => type.startsWith("room"))).toEqual(["room-short", "room-regained"]);
    expect(told.filter((type) => type === "paused")).toHaveLength(4);
    expect(told.filter((type) => type === "resumed")).toHaveLength(4);
  });
});

// One job in flight: what is written before it is done, what goes on without its ledger, and which order comes too late.
import { describe, expect, it } from "vitest";
import { JobInFlight } from "../../../src/engine/in-flight.js";
import type { Nonce } from "../../../src/job/job.js";
import type { JobEvent, JobState } from "../../../src/job/lifecycle.js";
import { succeeded } from "../../../src/job/outcome.js";
import { type Lease, LedgerError } from "../../../src/ledger/ledger.js";
import { flightOver, key, offer } from "../../support/flight.js";

const fresh = "9" as Nonce;

async function given() {
  const made = await flightOver({});
  const { ledger } = made.context.deps;
  const recorded: JobEvent["type"][] = [];
  let fault: LedgerError | undefined;
  const record = ledger.record.bind(ledger);
  ledger.record = async (lease, event) => {
    if (fault) throw fault;
    recorded.push(event.type);
    await record(lease, event);
  };
  const fail = (message?: string) => {
    fault = message === undefined ? undefined : new LedgerError("unwritable", message);
  };
  return { ...made, recorded, fail };
}

const path: readonly JobEvent[] = [
  { type: "details-received" },
  { type: "acknowledge-sent", nonce: offer.nonce },
  { type: "acknowledge-accepted", claim: "ours" },
  { type: "outcome-settled", outcome: succeeded() },
  { type: "report-accepted" },
];
const states: readonly JobState[] = ["polled", "detailed", "acknowledging", "running", "settled", "reported"];

describe("what is recorded", () => {
  it("is not asked for when it cannot be", async () => {
    const { flight, fail } = await given();
    await flight.note({ type: "details-received" });
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    fail("disk full");
    await expect(flight.ask(offer.nonce)).rejects.toThrow("disk full");
    expect([flight.state, flight.claim.is]).toEqual(["detailed", "none"]);
  });

  it("is a nonce once: asking again with it needs no disk, with another one it does", async () => {
    const { flight, recorded, fail } = await given();
    await flight.note({ type: "details-received" });
    await flight.ask(offer.nonce);
    fail("disk full");
    await flight.ask(offer.nonce);
    await expect(flight.ask(fresh)).rejects.toThrow("disk full");
    expect(recorded).toEqual(["details-received", "acknowledge-sent"]);
  });

  it("may be missing for what has happened: the job goes on, and the event says so", async () => {
    const { flight, events, fail } = await given();
    fail("disk full");
    for (const event of path) await flight.note(event);
    expect(flight.state).toBe("reported");
    expect(events.filter(({ type }) => type === "ledger-failed")).toHaveLength(path.length);
  });

  it("is one event after the other, also of those that come at once", async () => {
    const { flight, events } = await given();
    await Promise.all(path.map((event) => flight.note(event)));
    expect(events.map((event) => event.type === "job-changed" && [event.from, event.to])).toEqual(
      path.map((_, index) => [states[index], states[index + 1]]),
    );
  });

  it("of a job that somebody else has is no fault of the ledger", async () => {
    const { context, flight, slots, name, events } = await given();
    const lost = new AbortController();
    const lease: Lease = { key, state: "running", lost: lost.signal };
    const { ledger, clock } = context.deps;
    const taken = new JobInFlight({
      config: flight.config,
      lease,
      slot: slots.forJob(name),
      ledger,
      emit: context.emit,
      polledAtMs: clock.monotonic(),
    });
    lost.abort();
    expect(taken.loss?.reason).toBe("taken-over");
    expect(taken.apply({ kind: "release" })).toBe(false);
    await taken.note({ type: "outcome-settled", outcome: succeeded() });
    expect(events.map(({ type }) => type)).toEqual(["job-changed"]);
  });
});

describe("an offer of a job in flight", () => {
  it.each([
    ["the newest, and once", [{ nonce: offer.nonce }, { nonce: fresh }], fresh],
    ["and outdates the nonce, if it names none", [{}], undefined],
  ] as const)("is read: %s", async (_what, offers, nonce) => {
    const { flight } = await given();
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    for (const each of offers) flight.putOffer(each);
    flight.readOffer();
    expect(flight.claim).toEqual({ is: "none", ...(nonce && { nonce }) });
    flight.learn({ type: "fresh-nonce", nonce: "10" as Nonce });
    flight.readOffer();
    expect(flight.claim).toEqual({ is: "none", nonce: "10" });
  });

  it("is asked about one question at a time, also after one that failed", async () => {
    const { flight } = await given();
    const order: string[] = [];
    const first = Promise.withResolvers<void>();
    const one = flight.inTurn(async () => {
      await first.promise;
      order.push("first");
      throw new Error("no");
    });
    const two = flight.inTurn(async () => order.push("second"));
    first.resolve();
    await expect(one).rejects.toThrow("no");
    await two;
    expect(order).toEqual(["first", "second"]);
  });
});

describe("an order", () => {
  const rows: Readonly<Record<JobState, readonly [fail: boolean, release: boolean]>> = {
    polled: [true, true],
    detailed: [true, true],
    acknowledging: [true, true],
    running: [true, true],
    settled: [false, true],
    reported: [false, false],
    dropped: [false, false],
  };

  it.each(Object.entries(rows))(
    "for a job that is %s is taken, or comes too late",
    async (state, [fails, releases]) => {
      const at = async () => {
        const { flight } = await given();
        const steps = state === "dropped" ? [{ type: "job-lost", reason: "gone" } as const] : path;
        for (const event of steps) if (flight.state !== state) await flight.note(event);
        return flight;
      };
      expect((await at()).apply({ kind: "fail", message: "no" })).toBe(fails);
      expect((await at()).apply({ kind: "release" })).toBe(releases);
    },
  );

  it("to fail is taken once, and gives way to a release", async () => {
    const { flight } = await given();
    expect(flight.apply({ kind: "fail", message: "first" })).toBe(true);
    expect(flight.apply({ kind: "fail", message: "second" })).toBe(false);
    expect([flight.failure?.message, flight.failing.aborted]).toEqual(["first", true]);
    expect(flight.apply({ kind: "release" })).toBe(true);
    expect([flight.loss?.reason, flight.givenUp.aborted]).toEqual(["released", true]);
    expect(flight.apply({ kind: "release" })).toBe(false);
  });

  it("is told to whoever runs its handler, also one that was given before", async () => {
    const { flight } = await given();
    const told: string[] = [];
    flight.whenOrdered(() => told.push(flight.loss ? "given up" : "failed"));
    expect(told).toEqual([]);
    flight.apply({ kind: "fail", message: "first" });
    flight.whenOrdered(() => told.push("again"));
    expect(told).toEqual(["failed", "again"]);
    flight.whenOrdered(undefined);
    flight.apply({ kind: "release" });
    expect(told).toEqual(["failed", "again"]);
  });

  it("to fail comes too late once something else ended the job's work", async () => {
    const { flight } = await given();
    flight.endCause = "timed-out";
    expect(flight.apply({ kind: "fail", message: "no" })).toBe(false);
  });
});

describe("who waits for the outcome to be recorded", () => {
  it("is told when it is", async () => {
    const { flight } = await given();
    const recorded = flight.outcomeRecorded();
    for (const event of path.slice(0, 4)) await flight.note(event);
    await recorded;
  });

  it("is told when CodePipeline has it though the ledger has not", async () => {
    const { flight, fail } = await given();
    const recorded = flight.outcomeRecorded();
    fail("disk full");
    for (const event of path) await flight.note(event);
    await recorded;
  });

  it("is told when the job ends without one", async () => {
    const { flight } = await given();
    const recorded = flight.outcomeRecorded();
    flight.end();
    await expect(recorded).rejects.toThrow("ended without an outcome");
  });
});

import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { claim, clearDoubt } from "../../../src/engine/claiming.js";
import type { EngineContext } from "../../../src/engine/context.js";
import { Gate } from "../../../src/engine/gate.js";
import type { JobInFlight } from "../../../src/engine/in-flight.js";
import { JobStart } from "../../../src/engine/job-start.js";
import type { Nonce } from "../../../src/job/job.js";
import { flightOver, key, offer } from "../../support/flight.js";

const fault = { operation: "AcknowledgeJob", message: "no" };
const noAnswer = () => new GatewayError({ ...fault, kind: "unavailable", code: "TimeoutError", isAmbiguous: true });
const usedUp = () => new GatewayError({ ...fault, kind: "not-ours", code: "InvalidNonceException" });

/** The first attempt is not answered; the job is offered again; the second attempt's nonce is used up. */
async function askedTwice(nonceOfNewOffer: Nonce) {
  const sent: Nonce[] = [];
  const { context, flight, clock } = await flightOver({
    acknowledge: async (_, nonce) => {
      sent.push(nonce);
      if (sent.length > 1) throw usedUp();
      flight.putOffer({ nonce: nonceOfNewOffer });
      throw noAnswer();
    },
  });
  await flight.note({ type: "details-received" });
  flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
  const claiming = claim(context, flight);
  while (sent.length < 2) await clock.advance(1);
  return { end: await claiming, sent, is: flight.claim.is };
}

describe("a job that is offered again while its acknowledgement has no answer", () => {
  it("may be ours all the same when the nonce is the old one: what was sent first may have come since", async () => {
    expect(await askedTwice(offer.nonce)).toEqual({
      end: { kind: "work" },
      is: "presumed",
      sent: [offer.nonce, offer.nonce],
    });
  });

  it("is somebody else's when the nonce is a new one: ours was over before it was asked for with that", async () => {
    const newer = "5" as Nonce;
    expect(await askedTwice(newer)).toMatchObject({
      end: { kind: "dropped", reason: "not-ours" },
      sent: [offer.nonce, newer],
    });
  });
});

it("is not guessed to be ours when it was offered again by the time its nonce was refused", async () => {
  const newer = "5" as Nonce;
  const { context, flight } = await flightOver({
    acknowledge: async (_, nonce) => {
      if (nonce !== newer) throw usedUp();
      return "InProgress";
    },
    detailsAgain: async (of) => {
      flight.putOffer({ nonce: newer });
      return { key: of, configuration: {}, pipeline: {}, inputs: [], outputs: [] };
    },
  });
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  flight.learn({ type: "no-answer" });
  expect(await claim(context, flight)).toEqual({ kind: "work" });
  expect(flight.claim.is).toBe("ours");
});

it("gives its slot up from the first attempt on that may have made the job ours, whatever failed before", async () => {
  const throttled = () => new GatewayError({ ...fault, kind: "throttled", code: "ThrottlingException" });
  const isWorking: boolean[] = [];
  const { context, flight, clock } = await flightOver({
    acknowledge: async () => {
      isWorking.push(flight.slot.isWorking);
      if (isWorking.length > 4) return "InProgress";
      throw isWorking.length < 3 ? throttled() : noAnswer();
    },
  });
  await flight.note({ type: "details-received" });
  flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
  const claiming = claim(context, flight);
  while (isWorking.length < 5) await clock.advance(1);
  await claiming;
  expect(isWorking).toEqual([true, true, true, false, false]);
});

describe("a job that was offered anew after it gave its slot up for an acknowledgement without an answer", () => {
  const newer = "5" as Nonce;

  /** Its slot went to another job meanwhile. */
  async function withoutSlot() {
    const sent: Nonce[] = [];
    const made = await flightOver({
      acknowledge: async (_, nonce) => {
        sent.push(nonce);
        if (nonce !== newer) throw noAnswer();
        return "InProgress";
      },
    });
    const { context, flight, clock, slots, name } = made;
    await flight.note({ type: "details-received" });
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    const stop = new AbortController();
    const own = { ...context, scopes: { ...context.scopes, poll: stop.signal } };
    const claiming = claim({ ...own, gate: new Gate(own) }, flight);
    while (flight.slot.isWorking) await clock.advance(0);
    const other = slots.forJob(name);
    await other.work(stop.signal);
    flight.putOffer({ nonce: newer });
    for (let turn = 0; turn < 5; turn++) await clock.advance(2);
    expect(sent).toEqual([offer.nonce]);
    return { ...made, claiming, other, sent, stop };
  }

  it("is not taken without a slot", async () => {
    const { claiming, flight, other, sent } = await withoutSlot();
    other.free();
    expect(await claiming).toEqual({ kind: "work" });
    expect([sent, flight.slot.isWorking]).toEqual([[offer.nonce, newer], true]);
  });

  it("is left to be offered again when a drain begins before it has one", async () => {
    const { claiming, sent, stop } = await withoutSlot();
    stop.abort();
    expect(await claiming).toMatchObject({ kind: "dropped", reason: "draining" });
    expect(sent).toEqual([offer.nonce]);
  });

  it("is not asked for once an operator released it", async () => {
    const { claiming, flight, sent } = await withoutSlot();
    flight.apply({ kind: "release" });
    expect(await claiming).toMatchObject({ kind: "dropped", reason: "released" });
    expect(sent).toEqual([offer.nonce]);
  });
});

it("takes the answer to an offer of a job that an older partnerd presumed ours without recording so", async () => {
  const { context, flight, events } = await flightOver({}, { is: "presumed" });
  await flight.note({ type: "details-received" });
  await flight.note({ type: "acknowledge-sent", nonce: offer.nonce });
  flight.putOffer({ nonce: "5" as Nonce });
  expect(await claim(context, flight)).toEqual({ kind: "work" });
  expect([flight.claim.is, flight.state]).toEqual(["ours", "acknowledging"]);
  expect(events.filter(({ type }) => type !== "job-changed")).toEqual([]);
});

it("has it in the ledger when an offer makes a presumed job ours: the next process must not doubt it", async () => {
  const { context, flight } = await flightOver({}, { is: "presumed" });
  await flight.note({ type: "details-received" });
  await flight.note({ type: "acknowledge-sent", nonce: offer.nonce });
  await flight.note({ type: "acknowledge-accepted", claim: "presumed" });
  flight.putOffer({ nonce: "5" as Nonce });
  expect(await clearDoubt(context, flight)).toBe(true);
  const { ledger } = context.deps;
  await ledger.release(flight.lease);
  expect(await ledger.unfinished()).toMatchObject([{ claim: { is: "ours" } }]);
});

describe("a job that nothing was asked of yet", () => {
  /** Paused before the claim, or while the ledger writes that it is asked for. */
  async function paused(when: "before" | "during the write") {
    const sent: Nonce[] = [];
    const { context, flight } = await flightOver({
      acknowledge: async (_, nonce) => {
        sent.push(nonce);
        return "InProgress";
      },
    });
    const { ledger } = context.deps;
    const record = ledger.record.bind(ledger);
    ledger.record = async (lease, event) => {
      await record(lease, event);
      if (event.type === "acknowledge-sent" && when === "during the write") context.gate.pause();
    };
    await flight.note({ type: "details-received" });
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    if (when === "before") context.gate.pause();
    return { end: await claim(context, flight), sent, state: flight.state };
  }

  it.each([
    ["before", "detailed"],
    ["during the write", "acknowledging"],
  ] as const)("is not asked for when nothing may be, from %s on", async (when, state) => {
    expect(await paused(when)).toMatchObject({ end: { kind: "dropped", reason: "paused" }, sent: [], state });
  });
});

describe("an acknowledgement that waits for its turn while CodePipeline throttles", () => {
  async function given() {
    const sent: Nonce[] = [];
    const { context, flight, clock } = await flightOver({
      acknowledge: async (_, nonce) => {
        sent.push(nonce);
        return "InProgress";
      },
    });
    await flight.note({ type: "details-received" });
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    context.budgets.of(key).ended(true);
    const claiming = claim(context, flight);
    return { context, flight, clock, claiming, sent };
  }

  it("is not made in a pause that began meanwhile", async () => {
    const { context, clock, claiming, sent } = await given();
    await clock.advance(1);
    context.gate.pause();
    await clock.advance(1_000);
    expect(await claiming).toMatchObject({ kind: "dropped", reason: "paused" });
    expect(sent).toEqual([]);
  });

  it("is made with the nonce of the offer that came meanwhile", async () => {
    const newer = "5" as Nonce;
    const { flight, clock, claiming, sent } = await given();
    await clock.advance(1);
    flight.putOffer({ nonce: newer });
    await clock.advance(1_000);
    expect(await claiming).toEqual({ kind: "work" });
    expect(sent).toEqual([newer]);
  });
});

describe("a job that a poll offers again, without a nonce, while its acknowledgement waits", () => {
  const newer = "5" as Nonce;
  /** Makes it wait; what it returns ends that. */
  const waits: Readonly<Record<string, (context: EngineContext, flight: JobInFlight) => () => void>> = {
    "for its call's turn": (context) => {
      context.budgets.of(key).ended(true);
      return () => {};
    },
    "for its handler to begin earlier jobs": ({ deps: { clock } }, flight) => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      flight.start = new JobStart({
        clock,
        windowMs: 60_000,
        isProbe: () => false,
        mayEnter: () => false,
        enter: () => promise,
        mayMeet: () => true,
        meet: async () => true,
        runsBy: () => {},
        short: () => {},
        change: () => {},
      });
      return () => resolve(true);
    },
  };

  it.each(Object.entries(waits))(
    "%s, is acknowledged with the nonce that its details have by then",
    async (_, wait) => {
      const sent: Nonce[] = [];
      let fetched = 0;
      const { context, flight, clock } = await flightOver({
        acknowledge: async (_key, nonce) => {
          sent.push(nonce);
          return "InProgress";
        },
        detailsAgain: async () => {
          fetched++;
          if (fetched > 3) throw new Error("again and again");
          // Polls may be faster than this call.
          flight.putOffer({});
          return { ...offer, nonce: newer };
        },
      });
      await flight.note({ type: "details-received" });
      flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
      const goOn = wait(context, flight);
      const claiming = claim(context, flight);
      await clock.advance(1);
      for (let times = 0; times < 3; times++) flight.putOffer({});
      expect(fetched).toBe(0);
      goOn();
      await clock.advance(2_000);
      expect([await claiming, sent, fetched]).toEqual([{ kind: "work" }, [newer], 1]);
    },
  );
});

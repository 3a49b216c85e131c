import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { claim } from "../../../src/engine/claiming.js";
import type { Nonce } from "../../../src/job/job.js";
import { flightOver, key, offer } from "../../support/flight.js";

const fault = { operation: "AcknowledgeJob", message: "no" };
const noAnswer = () => new GatewayError({ ...fault, kind: "unavailable", code: "TimeoutError", isAmbiguous: true });
const usedUp = () => new GatewayError({ ...fault, kind: "not-ours", code: "InvalidNonceException" });

/** The first attempt is not answered; the job is offered again; the second attempt's nonce is used up. */
async function askedTwice(nonceOfNewOffer: Nonce) {
  const sent: Nonce[] = [];
  const { parts, flight, clock } = await flightOver({
    acknowledge: async (_, nonce) => {
      sent.push(nonce);
      if (sent.length > 1) throw usedUp();
      flight.putOffer({ key, job: { ...offer, nonce: nonceOfNewOffer } });
      throw noAnswer();
    },
  });
  await flight.note({ type: "details-received" });
  flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
  const claiming = claim(parts, flight);
  while (sent.length < 2) await clock.advance(1);
  return { end: await claiming, sent, is: flight.claim.is };
}

describe("a job that is offered again while its acknowledge has no answer", () => {
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
  const { parts, flight } = await flightOver({
    acknowledge: async (_, nonce) => {
      if (nonce !== newer) throw usedUp();
      return "InProgress";
    },
    detailsAgain: async (of) => {
      flight.putOffer({ key: of, job: { ...offer, nonce: newer } });
      return { key: of, configuration: {}, pipeline: {}, inputs: [], outputs: [] };
    },
  });
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  flight.learn({ type: "no-answer" });
  expect(await claim(parts, flight)).toEqual({ kind: "work" });
  expect(flight.claim.is).toBe("ours");
});

describe("a job that nothing was asked of yet", () => {
  /** Paused before the claim, or while the ledger writes that it is asked for. */
  async function paused(when: "before" | "during the write") {
    const sent: Nonce[] = [];
    const { parts, flight } = await flightOver({
      acknowledge: async (_, nonce) => {
        sent.push(nonce);
        return "InProgress";
      },
    });
    const { ledger } = parts.world;
    const record = ledger.record.bind(ledger);
    ledger.record = async (lease, event) => {
      await record(lease, event);
      if (event.type === "acknowledge-sent" && when === "during the write") parts.gate.pause();
    };
    await flight.note({ type: "details-received" });
    flight.learn({ type: "fresh-nonce", nonce: offer.nonce });
    if (when === "before") parts.gate.pause();
    return { end: await claim(parts, flight), sent, state: flight.state };
  }

  it.each([
    ["before", "detailed"],
    ["during the write", "acknowledging"],
  ] as const)("is not asked for when nothing may be, from %s on", async (when, state) => {
    expect(await paused(when)).toMatchObject({ end: { kind: "dropped", reason: "paused" }, sent: [], state });
  });
});

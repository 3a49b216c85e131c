// A job that is only presumed to be ours, and the result of which is put: whatever comes between, CodePipeline has it
// once. Kill anywhere found each of these; here they are one by one, without a process.
import { describe, expect, it, vi } from "vitest";
import { GatewayError, type JobGateway } from "../../../src/codepipeline/gateway.js";
import { clearDoubt } from "../../../src/engine/claiming.js";
import { report } from "../../../src/engine/reporting.js";
import type { Nonce } from "../../../src/job/job.js";
import { succeeded } from "../../../src/job/outcome.js";
import { flightOver, key, offer } from "../../support/flight.js";

function refusal(kind: "over" | "gone", operation = "PutJobSuccessResult"): GatewayError {
  return new GatewayError({ kind, operation, code: "InvalidJobStateException", message: "not in progress" });
}

async function presumed(gateway: Partial<JobGateway>) {
  const made = await flightOver(gateway, { is: "presumed" });
  const { flight, context, events } = made;
  await flight.note({ type: "details-received" });
  await flight.note({ type: "acknowledge-sent", nonce: offer.nonce });
  await flight.note({ type: "acknowledge-accepted", claim: "presumed" });
  await flight.note({ type: "outcome-settled", outcome: succeeded() });
  const reporting = (from: "due" | "unanswered") => report(context, flight, succeeded(), from);
  return { ...made, reporting, last: () => events.at(-1) };
}

describe("the result of a job that was only presumed to be ours", () => {
  it("is put again when an offer made the job ours while a put was under way that is refused all the same", async () => {
    const first = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let puts = 0;
    const { context, flight, reporting, last } = await presumed({
      put: async () => {
        puts += 1;
        if (puts > 1) return;
        begun.resolve();
        await first.promise;
      },
    });
    const reported = reporting("unanswered");
    await begun.promise;
    flight.putOffer({ nonce: offer.nonce });
    expect(await clearDoubt(context, flight)).toBe(true);
    first.reject(refusal("over"));
    await reported;
    expect(last()).toMatchObject({ type: "job-reported", attempts: 2, isPresumed: false });
    expect(puts).toBe(2);
  });

  it.each([
    ["says that the job is over", { acknowledge: async () => "Succeeded", detailsAgain: async () => offer }],
    ["knows nothing of the job any more", { detailsAgain: () => Promise.reject(refusal("gone", "GetJobDetails")) }],
  ] satisfies [string, Partial<JobGateway>][])(
    "counts as accepted at once when CodePipeline %s",
    async (_, answers) => {
      const { reporting, last } = await presumed({ put: () => Promise.reject(refusal("over")), ...answers });
      await reporting("unanswered");
      expect(last()).toMatchObject({ type: "job-reported", isPresumed: true });
    },
  );

  it("is lost, not accepted, when CodePipeline says that the job is over and no put was ever made", async () => {
    const { reporting, last } = await presumed({
      put: () => Promise.reject(refusal("over")),
      acknowledge: async () => "TimedOut",
      detailsAgain: async () => offer,
    });
    await reporting("due");
    expect(last()).toMatchObject({ type: "job-dropped", reason: "over" });
  });

  it("holds no slot any more while a slow disk takes the last record", async () => {
    const written = Promise.withResolvers<void>();
    const { flight, context, slots, name, reporting } = await presumed({});
    const { ledger } = context.deps;
    const recording = Promise.withResolvers<void>();
    vi.spyOn(ledger, "record").mockImplementation(async () => {
      recording.resolve();
      await written.promise;
    });
    const reported = reporting("due");
    await recording.promise;
    expect([flight.slot.isWorking, slots.freeFor(name)]).toEqual([false, 1]);
    written.resolve();
    await reported;
  });

  it("does not keep its lane from polling for the offer that it waits for", async () => {
    const refused = Promise.withResolvers<void>();
    const { flight, clock, slots, name, reporting, last } = await presumed({
      put: async () => {
        if (flight.claim.is === "ours") return;
        refused.resolve();
        throw refusal("over");
      },
    });
    const reported = reporting("due");
    await refused.promise;
    await clock.advance(0);
    expect([flight.slot.isWorking, slots.owed]).toEqual([false, 1]);
    expect(slots.freeFor(name)).toBe(1);
    flight.putOffer({ nonce: offer.nonce });
    await clock.advance(10);
    await reported;
    expect(last()).toMatchObject({ type: "job-reported", isPresumed: false });
  });

  it("waits for an offer for ten minutes in which polls are made, and not one of a pause", async () => {
    const { flight, context, clock, reporting, last } = await presumed({ put: () => Promise.reject(refusal("over")) });
    const second = { minDelayMs: 1_000, maxDelayMs: 1_000, factor: 1, maxElapsedMs: Number.POSITIVE_INFINITY };
    Object.assign(context.limits.retry, { report: second });
    let isEnded = false;
    const reported = reporting("due").then(() => {
      isEnded = true;
    });
    await clock.advance(5 * 60_000);
    context.gate.pause();
    await clock.advance(30 * 60_000);
    context.gate.resume();
    await clock.advance(5 * 60_000 - 1_000);
    expect([isEnded, flight.claim.is]).toEqual([false, "doubted"]);
    await clock.advance(2_000);
    await reported;
    expect(last()).toMatchObject({ type: "job-dropped", from: "settled", reason: "not-ours" });
    // Others may have had the offers: the next one that comes here is a new job, and no repeat.
    await context.deps.ledger.release(flight.lease);
    expect(await context.deps.ledger.lease(key)).toBeDefined();
  });
});

describe("an acknowledgement that is answered InProgress after the job has left", () => {
  /** Offered again while its handler runs; the answer comes late. */
  async function lateAnswer() {
    const answer = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    const made = await presumed({
      acknowledge: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    made.flight.putOffer({ nonce: offer.nonce });
    const cleared = clearDoubt(made.context, made.flight);
    await asked.promise;
    return { ...made, cleared, answer: () => answer.resolve("InProgress") };
  }

  it.each([
    ["with its result", async ({ reporting }) => reporting("due")],
    ["for the next start", async () => {}],
  ] satisfies [string, (made: Awaited<ReturnType<typeof presumed>>) => Promise<void>][])(
    "is no bug and no fault of the ledger: it left %s",
    async (_, leave) => {
      const made = await lateAnswer();
      const { flight, context, events, cleared, answer } = made;
      await leave(made);
      flight.end();
      await context.deps.ledger.release(flight.lease);
      const before = events.length;
      answer();
      expect(await cleared).toBe(true);
      expect(events.slice(before)).toEqual([]);
    },
  );
});

it.each([
  [
    "an operator released",
    async (made: Awaited<ReturnType<typeof presumed>>) => made.flight.apply({ kind: "release" }),
  ],
  ["has left", async (made: Awaited<ReturnType<typeof presumed>>) => made.flight.end()],
])("asks for no job any more that %s while its nonce was fetched", async (_, leave) => {
  const fetching = Promise.withResolvers<void>();
  const fetched = Promise.withResolvers<typeof offer>();
  let asked = 0;
  const made = await presumed({
    detailsAgain: () => {
      fetching.resolve();
      return fetched.promise;
    },
    acknowledge: async () => {
      asked += 1;
      return "InProgress";
    },
  });
  made.flight.putOffer({});
  const cleared = clearDoubt(made.context, made.flight);
  await fetching.promise;
  await leave(made);
  fetched.resolve(offer);
  await expect(cleared).rejects.toThrow(GatewayError);
  expect(asked).toBe(0);
});

it.each(["Queued", "Dispatched", "Created", undefined])(
  "waits for another offer of a job that came too late for the last one, by the answer %s",
  async (status) => {
    let asked = 0;
    const made = await presumed({
      detailsAgain: async () => ({ ...offer, nonce: String(asked) as Nonce }),
      acknowledge: async () => {
        asked += 1;
        return asked < 3 ? status : "InProgress";
      },
      put: async () => {
        if (made.flight.claim.is !== "ours") throw refusal("over");
      },
    });
    const reported = made.reporting("due");
    for (let turn = 0; turn < 20; turn++) await made.clock.advance(2);
    await reported;
    expect(made.last()).toMatchObject({ type: "job-reported", isPresumed: false });
    expect(asked).toBe(3);
  },
);

// A job that is only presumed to be ours, and the result of which is put: whatever comes between, CodePipeline has it
// once. Kill anywhere found each of these; here they are one by one, without a process.
import { describe, expect, it } from "vitest";
import { GatewayError, type JobGateway } from "../../src/codepipeline/gateway.js";
import { confirm } from "../../src/engine/acknowledging.js";
import { report } from "../../src/engine/reporter.js";
import { succeeded } from "../../src/job/outcome.js";
import { flightOver, offer } from "../support/flight.js";

function refusal(kind: "over" | "gone", operation = "PutJobSuccessResult"): GatewayError {
  return new GatewayError({ kind, operation, code: "InvalidJobStateException", message: "not in progress" });
}

async function presumed(gateway: Partial<JobGateway>) {
  const made = await flightOver(gateway);
  made.flight.isPresumed = true;
  return made;
}

describe("the result of a job that was only presumed to be ours", () => {
  it("is put again when an offer made the job ours while a put was under way that is refused all the same", async () => {
    const first = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let puts = 0;
    const { parts, flight } = await presumed({
      put: async () => {
        puts += 1;
        if (puts > 1) return;
        begun.resolve();
        await first.promise;
      },
    });
    const reporting = report(parts, flight, succeeded(), true);
    await begun.promise;
    flight.newerOffer = offer;
    expect(await confirm(parts, flight)).toBe("ours");
    first.reject(refusal("over"));
    expect(await reporting).toMatchObject({ kind: "accepted", attempts: 2, isPresumed: false });
    expect(puts).toBe(2);
  });

  it.each([
    ["says that the job is over", { acknowledge: async () => "Succeeded", detailsAgain: async () => offer }],
    ["knows nothing of the job any more", { detailsAgain: () => Promise.reject(refusal("gone", "GetJobDetails")) }],
  ] satisfies [string, Partial<JobGateway>][])(
    "counts as accepted at once when CodePipeline %s",
    async (_, answers) => {
      const { parts, flight } = await presumed({ put: () => Promise.reject(refusal("over")), ...answers });
      expect(await report(parts, flight, succeeded(), true)).toMatchObject({ kind: "accepted", isPresumed: true });
    },
  );

  it("is lost, not accepted, when CodePipeline says that the job is over and no put was ever made", async () => {
    const { parts, flight } = await presumed({
      put: () => Promise.reject(refusal("over")),
      acknowledge: async () => "TimedOut",
      detailsAgain: async () => offer,
    });
    expect(await report(parts, flight, succeeded(), false)).toMatchObject({ kind: "lost", reason: "over" });
  });

  it("does not keep its lane from polling for the offer that it waits for", async () => {
    const refused = Promise.withResolvers<void>();
    const { parts, flight, clock, slots, name } = await presumed({
      put: async () => {
        if (!flight.isPresumed) return;
        refused.resolve();
        throw refusal("over");
      },
    });
    const reporting = report(parts, flight, succeeded(), false);
    await refused.promise;
    await clock.advance(0);
    expect(flight.slot.isParked).toBe(true);
    expect(slots.freeFor(name)).toBe(1);
    flight.newerOffer = offer;
    await clock.advance(10);
    expect(await reporting).toMatchObject({ kind: "accepted", isPresumed: false });
  });
});

import { expect, it } from "vitest";
import { drop, leave } from "../../../src/engine/ending.js";
import { flightOver, key, offer } from "../../support/flight.js";

it("drops a job for good: the ledger forgets it, and it is told how far it had come", async () => {
  const { context, flight, events } = await flightOver({});
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  await drop(context, flight, { reason: "gone", message: "no such job" });
  expect(flight.state).toBe("dropped");
  expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "acknowledging", reason: "gone" });
  await context.deps.ledger.release(flight.lease);
  expect(await context.deps.ledger.unfinished()).toEqual([]);
  expect(await context.deps.ledger.lease(key)).toBeDefined();
});

it("leaves a job as it is, in the ledger", async () => {
  const { context, flight, events } = await flightOver({});
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  leave(context, flight, "stopped");
  expect(flight.state).toBe("acknowledging");
  expect(events.at(-1)).toEqual({
    type: "job-unfinished",
    key,
    state: "acknowledging",
    isOurs: true,
    message: "stopped",
  });
  await context.deps.ledger.release(flight.lease);
  expect(await context.deps.ledger.unfinished()).toMatchObject([{ claim: { is: "unanswered", nonce: offer.nonce } }]);
});

import { expect, it } from "vitest";
import { drop, leave } from "../../../src/engine/ending.js";
import { flightOver, key, offer } from "../../support/flight.js";

it("drops a job for good: the ledger forgets it, and it is told how far it had come", async () => {
  const { parts, flight, events } = await flightOver({});
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  await drop(parts, flight, { reason: "gone", message: "no such job" });
  expect(flight.state).toBe("dropped");
  expect(events.at(-1)).toMatchObject({ type: "job-dropped", from: "acknowledging", reason: "gone" });
  await parts.world.ledger.release(flight.lease);
  expect(await parts.world.ledger.unfinished()).toEqual([]);
  expect(await parts.world.ledger.lease(key)).toBeDefined();
});

it("leaves a job as it is, in the ledger", async () => {
  const { parts, flight, events } = await flightOver({});
  await flight.note({ type: "details-received" });
  await flight.ask(offer.nonce);
  leave(parts, flight, "stopped");
  expect(flight.state).toBe("acknowledging");
  expect(events.at(-1)).toEqual({ type: "job-left", key, state: "acknowledging", isOurs: true, message: "stopped" });
  await parts.world.ledger.release(flight.lease);
  expect(await parts.world.ledger.unfinished()).toMatchObject([{ claim: { is: "unanswered", nonce: offer.nonce } }]);
});

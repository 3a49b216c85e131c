import { expect, it } from "vitest";
import { recover } from "../../../src/engine/recovery.js";
import { Runner } from "../../../src/engine/runner.js";
import type { JobId, JobKey, Nonce } from "../../../src/job/job.js";
import { flightOver, key, offer } from "../../support/flight.js";

it("asks for a job with the nonce of the offer that came while it waited for a slot", async () => {
  const sent = Promise.withResolvers<Nonce>();
  const { parts, flight, slots, lane } = await flightOver({
    acknowledge: async (_, nonce) => {
      sent.resolve(nonce);
      return "InProgress";
    },
  });
  const { ledger } = parts.world;
  const other: JobKey = { ...key, jobId: "job-2" as JobId };
  const lease = await ledger.lease(other);
  if (!lease) throw new Error("no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
  await ledger.release(lease);
  const runner = new Runner(parts);
  const recovering = recover(parts, runner, slots, await ledger.unfinished());
  slots.open({ name: "another", group: "another" }, 1);
  const slot = (await slots.take("another", 1, parts.scopes.poll))?.use();
  if (!slot) throw new Error("no slot");
  expect(await runner.take({ key: other, job: { ...offer, key: other } }, lane, slot, 0)).toBe(false);
  flight.slot.free();
  await recovering;
  expect(await sent.promise).toBe(offer.nonce);
});

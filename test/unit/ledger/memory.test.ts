import { expect, it } from "vitest";
import type { ClientId, JobId, JobKey, Nonce, Region } from "../../../src/job/job.js";
import type { Lease } from "../../../src/ledger/ledger.js";
import { MemoryLedger } from "../../../src/ledger/memory.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const sent = { type: "acknowledge-sent", nonce: "1" as Nonce } as const;

function keyOf(id: string): JobKey {
  return {
    region: "us-east-1" as Region,
    actionType: { category: "Test", owner: "ThirdParty", provider: "P", version: "1" },
    jobId: id as JobId,
    clientId: "c" as ClientId,
  };
}

/** Leases so many jobs whose details have come; `ask` records the acknowledgement of one and notes when it resolves. */
async function given(jobs: number, groupMs: number) {
  const clock = new FakeClock();
  const ledger = new MemoryLedger({ clock, recentMs: 1_000, recentMax: 10, groupMs });
  const leases: Lease[] = [];
  for (let index = 0; index < jobs; index++) {
    const lease = await ledger.lease(keyOf(`job-${index}`));
    if (!lease) throw new Error("no lease");
    await ledger.record(lease, { type: "details-received" });
    leases.push(lease);
  }
  const resolved: number[] = [];
  const startMs = clock.now();
  const ask = (index: number) => {
    const lease = leases[index];
    if (lease) void ledger.record(lease, sent).then(() => resolved.push(clock.now() - startMs));
  };
  return { clock, resolved, ask, leases };
}

it("lets a lone job go on at once, and those that come with it in one group", async () => {
  const { clock, resolved, ask, leases } = await given(4, 2);
  ask(0);
  await settle();
  expect(resolved).toEqual([0]);
  ask(1);
  ask(2);
  await settle();
  expect(resolved).toEqual([0]);
  // What is recorded is recorded at once; only going on waits.
  expect(leases[2]?.state).toBe("acknowledging");
  await clock.advance(2);
  expect(resolved).toEqual([0, 2, 2]);
  await clock.advance(2);
  ask(3);
  await settle();
  expect(resolved).toEqual([0, 2, 2, 4]);
  expect(clock.pending).toBe(0);
});

it("never groups when it is told not to", async () => {
  const { clock, resolved, ask } = await given(3, 0);
  for (const index of [0, 1, 2]) ask(index);
  await settle();
  expect(resolved).toEqual([0, 0, 0]);
  expect(clock.pending).toBe(0);
});

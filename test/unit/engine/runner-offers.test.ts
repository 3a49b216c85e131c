import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import type { PollerConfig } from "../../../src/engine/poller-config.js";
import { hearOffers } from "../../../src/engine/recovery.js";
import { Runner } from "../../../src/engine/runner.js";
import type { ClientId, JobId, JobKey, Nonce } from "../../../src/job/job.js";
import { succeeded } from "../../../src/job/outcome.js";
import type { Ledger } from "../../../src/ledger/ledger.js";
import { flightOver, key, offer } from "../../support/flight.js";

it.each(["again here", "again here, and its offer was kept until its turn", "to another replica"])(
  "asks at once for a job whose refused result waits, when it is offered %s: its nonce is soon no longer good",
  async (where) => {
    const other: JobKey = { ...key, jobId: "job-2" as JobId };
    const asked: Nonce[] = [];
    const refused = () =>
      new GatewayError({
        kind: "over",
        operation: "PutJobSuccessResult",
        code: "InvalidJobStateException",
        message: "",
      });
    const { context, flight, slots, config, name, clock, events } = await flightOver({
      acknowledge: async (_, nonce) => {
        asked.push(nonce);
        return "InProgress";
      },
      put: () => (asked.length === 0 ? Promise.reject(refused()) : Promise.resolve()),
    });
    flight.slot.free();
    const { ledger } = context.deps;
    const lease = await ledger.lease(other);
    if (!lease) throw new Error("no lease");
    await ledger.record(lease, { type: "details-received" });
    await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
    await ledger.record(lease, { type: "acknowledge-accepted", claim: "presumed" });
    await ledger.record(lease, { type: "outcome-settled", outcome: succeeded() });
    await ledger.release(lease);
    const [found] = await ledger.unfinished();
    if (!found) throw new Error("nothing is unfinished");
    const runner = new Runner(context, slots);
    const resumed = runner.resume(found, config);
    await clock.advance(0);
    expect([resumed.claim.is, asked]).toEqual(["doubted", []]);
    if (where.startsWith("again here")) {
      const slot = (await slots.take(name, 1, context.scopes.poll))?.use();
      if (!slot) throw new Error("no slot");
      const kept = { key: other, nonce: offer.nonce };
      const polled = where === "again here" ? { key: other, job: { ...offer, key: other } } : kept;
      expect(await runner.take(polled, config, slot, 0)).toBe(false);
    } else {
      const handed = [
        [{ key: { ...other, jobId: "job-3" as JobId }, nonce: offer.nonce }],
        [{ key: other, nonce: offer.nonce }],
      ];
      const shared = { ...context.deps.ledger, handedOffers: () => Readable.from(handed) } as unknown as Ledger;
      await hearOffers({ ...context, deps: { ...context.deps, ledger: shared } }, runner);
    }
    await clock.advance(0);
    expect([resumed.claim.is, asked]).toEqual(["ours", [offer.nonce]]);
    await clock.advance(2);
    await runner.whenIdle();
    expect(events.at(-1)).toMatchObject({ type: "job-reported", isPresumed: false });
  },
);

it("tells the ledger the nonce of an offer that was kept until its turn: another replica may need it", async () => {
  const told: (Nonce | undefined)[] = [];
  const { context, slots, config, flight } = await flightOver({});
  const lease = async (_: JobKey, nonce?: Nonce) => void told.push(nonce);
  const deps = { ...context.deps, ledger: { ...context.deps.ledger, lease } as unknown as Ledger };
  const runner = new Runner({ ...context, deps }, slots);
  const other: JobKey = { ...key, jobId: "job-2" as JobId };
  expect(await runner.take({ key: other, nonce: offer.nonce }, config, flight.slot, 0)).toBe(false);
  expect(told).toEqual([offer.nonce]);
});

it.each([
  ["waits for its turn", true],
  ["is forgotten where a reload took its poller out", false],
])("an offer that came while its job was begun %s, once that was dropped", async (_what, isPolled) => {
  const details = Promise.withResolvers<typeof offer>();
  const { context, slots, config, flight, clock } = await flightOver({ details: () => details.promise });
  const own = { ...context };
  const runner = new Runner(own, slots);
  const polled = { key: { ...key, jobId: "job-2" as JobId }, job: offer };
  expect(await runner.take(polled, config, flight.slot, 0)).toBe(true);
  expect(runner.repeated(polled)).toBe(true);
  if (!isPolled) own.pollers = new Map();
  details.reject(
    new GatewayError({ kind: "rejected", operation: "GetJobDetails", code: "ValidationException", message: "" }),
  );
  await clock.advance(10);
  await runner.whenIdle();
  expect(context.turns.waiting(config)).toBe(isPolled ? 1 : 0);
});

it.each([
  ["has its result already", [{ type: "outcome-settled", outcome: succeeded() }], false],
  ["waits for its slot", [], false],
  ["is another customer's", [], true],
] as const)("a job of a previous process that %s counts for serialBy: client", async (_what, more, isOthers) => {
  const put = Promise.withResolvers<void>();
  const { context, slots, config, flight, clock } = await flightOver({ put: () => put.promise });
  const serial: PollerConfig = { ...config, serialBy: "client", afterCrash: "rerun" };
  const of = (jobId: string, clientId: string): JobKey => ({
    ...key,
    jobId: jobId as JobId,
    clientId: clientId as ClientId,
  });
  const { ledger } = context.deps;
  const lease = await ledger.lease(of("job-2", "a"));
  if (!lease) throw new Error("no lease");
  const nonce = "1" as Nonce;
  const taken = [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce },
    { type: "acknowledge-accepted", claim: "ours" },
  ] as const;
  for (const event of [...taken, ...more]) await ledger.record(lease, event);
  await ledger.release(lease);
  const [found] = await ledger.unfinished();
  if (!found) throw new Error("nothing is unfinished");
  new Runner(context, slots).resume(found, serial);
  await clock.advance(0);
  context.turns.offered(serial, [{ key: of("job-3", isOthers ? "b" : "a") }]);
  // Not for want of a slot, which the first flight has.
  expect([flight.slot.isWorking, context.turns.isNext(serial)]).toEqual([true, isOthers]);
});

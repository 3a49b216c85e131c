import { expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import type { EngineContext } from "../../../src/engine/context.js";
import { recover, recoverOthers } from "../../../src/engine/recovery.js";
import { Runner } from "../../../src/engine/runner.js";
import type { HandlerCall, JobHandler } from "../../../src/handlers/handler.js";
import type { JobId, JobKey, Nonce } from "../../../src/job/job.js";
import type { FoundJob } from "../../../src/ledger/ledger.js";
import { Deadline } from "../../../src/std/deadline.js";
import { flightOver, key, offer } from "../../support/flight.js";

it("asks for a job with the nonce of the offer that came while it waited for a slot", async () => {
  const sent = Promise.withResolvers<Nonce>();
  const { context, flight, slots, config } = await flightOver({
    acknowledge: async (_, nonce) => {
      sent.resolve(nonce);
      return "InProgress";
    },
  });
  const { ledger } = context.deps;
  const other: JobKey = { ...key, jobId: "job-2" as JobId };
  const lease = await ledger.lease(other);
  if (!lease) throw new Error("no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
  await ledger.release(lease);
  const runner = new Runner(context, slots);
  await recover(context, runner, await ledger.unfinished());
  slots.open({ name: "another", group: "another" }, 1);
  const slot = (await slots.take("another", 1, context.scopes.poll))?.use();
  if (!slot) throw new Error("no slot");
  expect(await runner.take({ key: other, job: { ...offer, key: other } }, config, slot, 0)).toBe(false);
  flight.slot.free();
  expect(await sent.promise).toBe(offer.nonce);
});

it.each([7_200_000, -7_200_000])(
  "waits for a callback as long as was left at the start, whatever the wall clock does before its details come: %i ms",
  async (step) => {
    let isAway = true;
    const { context, flight, slots, clock } = await flightOver({
      detailsAgain: async (of) => {
        if (isAway)
          throw new GatewayError({ kind: "unavailable", operation: "GetJobDetails", code: "x", message: "no" });
        return { ...offer, key: of };
      },
    });
    const { ledger } = context.deps;
    const lease = await ledger.lease({ ...key, jobId: "job-2" as JobId });
    if (!lease) throw new Error("no lease");
    await ledger.record(lease, { type: "details-received" });
    await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
    await ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" });
    const deadline = Deadline.in(clock, 60_000);
    await ledger.record(lease, { type: "callback-awaited", tokenHash: "00", deadline });
    await ledger.release(lease);
    const resumed = Promise.withResolvers<HandlerCall>();
    const handler: JobHandler = {
      kind: "http",
      description: "any",
      run: () => Promise.reject(new Error("it is worked a second time")),
      resume: (call) => {
        resumed.resolve(call);
        return new Promise(() => {});
      },
      close: async () => {},
    };
    const deps = { ...context.deps, handlers: { get: () => handler, close: async () => {} } };
    flight.slot.free();
    const own = { ...context, deps };
    await recover(own, new Runner(own, slots), await ledger.unfinished());
    clock.step(step);
    await clock.advance(10_000);
    isAway = false;
    await clock.advance(10);
    expect((await resumed.promise).deadline.leftMs()).toBe(49_990);
  },
);

it("takes on results that other replicas owe while jobs of the lane wait to work, and no further job to work", async () => {
  const { context, slots, name } = await flightOver({});
  let isWanted: (job: FoundJob) => boolean = () => false;
  const watch = (asked: typeof isWanted) => {
    isWanted = asked;
    return (async function* () {})();
  };
  const ledger = Object.assign(Object.create(context.deps.ledger), { watch });
  await recoverOthers({ ...context, deps: { ...context.deps, ledger } }, new Runner(context, slots), slots);
  const settled: FoundJob = { key, state: "settled", hasCallback: false };
  const interrupted: FoundJob = { key, state: "running", hasCallback: false };
  const served: FoundJob = { key, state: "running", hasCallback: true };
  const wanted = () => [settled, interrupted, served].map(isWanted);
  expect(wanted()).toEqual([true, true, true]);
  const stop = new AbortController();
  const waiting = slots.forJob(name).work(stop.signal);
  expect(wanted()).toEqual([true, true, false]);
  stop.abort();
  await waiting;
  await slots.forJob(name).owe(context.scopes.poll);
  void slots.forJob(name).owe(context.scopes.poll);
  expect(wanted()).toEqual([false, false, true]);
});

it("does not count the wait of a recovered job for its turn as time that it took to pick up", async () => {
  const { context, flight, slots, clock, config, name } = await flightOver({});
  const { ledger } = context.deps;
  const lease = await ledger.lease({ ...key, jobId: "job-2" as JobId });
  if (!lease) throw new Error("no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
  await ledger.release(lease);
  const started = Promise.withResolvers<number>();
  const handler: JobHandler = {
    kind: "module",
    description: "any",
    run: async () => ({ kind: "succeeded" }),
    close: async () => {},
  };
  const own: EngineContext = {
    ...context,
    deps: { ...context.deps, handlers: { get: () => handler, close: async () => {} } },
    emit: (event) => void (event.type === "job-started" && started.resolve(event.pickupMs)),
    pollers: new Map([[name, config]]),
  };
  const runner = new Runner(own, slots);
  await recover(own, runner, await ledger.unfinished());
  await clock.advance(3_600_000);
  flight.slot.free();
  expect(await started.promise).toBe(0);
  await runner.whenIdle();
});

it("carries an order out while a job that was to fail waits for a slot, since a reload has it worked again", async () => {
  const { context, flight, slots, clock, config, name, events } = await flightOver({});
  const { ledger } = context.deps;
  const lease = await ledger.lease({ ...key, jobId: "job-2" as JobId });
  if (!lease) throw new Error("no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
  await ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" });
  await ledger.release(lease);
  const owed = slots.forJob(name);
  await owed.owe(context.scopes.poll);
  const pollers = new Map([[name, config]]);
  const runner = new Runner({ ...context, pollers }, slots);
  await recover({ ...context, pollers }, runner, await ledger.unfinished());
  const [resumed] = runner.flights();
  pollers.set(name, { ...config, afterCrash: "rerun" });
  owed.free();
  await clock.advance(0);
  expect([slots.isWaitedFor(name, "work"), flight.slot.isWorking]).toEqual([true, true]);
  expect(resumed?.apply({ kind: "release" })).toBe(true);
  await runner.whenIdle();
  expect(events.at(-1)).toMatchObject({ type: "job-dropped", reason: "released" });
});

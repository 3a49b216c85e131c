// A job's story where it waits: what a stop, an offer or an order makes of it then.
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import type { EngineContext } from "../../../src/engine/context.js";
import { Runner } from "../../../src/engine/runner.js";
import type { JobId, JobKey, Nonce } from "../../../src/job/job.js";
import type { JobEvent } from "../../../src/job/lifecycle.js";
import { flightOver, key, offer } from "../../support/flight.js";

const away = (operation: string) =>
  new GatewayError({ kind: "unavailable", operation, code: "x", message: "no", isAmbiguous: true });
const other: JobKey = { ...key, jobId: "job-2" as JobId };

/** A recovered job whose slot another one took while its details could not be had. */
async function overtaken(given: { readonly isDurable: boolean; readonly afterCrash: "rerun" | "fail" }) {
  let isAway = true;
  const made = await flightOver({
    detailsAgain: async () => {
      if (isAway) throw away("GetJobDetails");
      return offer;
    },
  });
  const { flight, clock, slots, name, config } = made;
  const { ledger } = made.context.deps;
  const lease = await ledger.lease(other);
  if (!lease) throw new Error("no lease");
  const before: readonly JobEvent[] = [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce: "1" as Nonce },
    { type: "acknowledge-accepted", claim: "ours" },
  ];
  for (const event of before) await ledger.record(lease, event);
  await ledger.release(lease);
  flight.slot.free();
  const work = new AbortController();
  const own = { ...config, afterCrash: given.afterCrash };
  const context: EngineContext = {
    ...made.context,
    deps: { ...made.context.deps, ledger: Object.assign(ledger, { isDurable: given.isDurable }) },
    scopes: { ...made.context.scopes, work: work.signal },
    pollers: new Map([[name, own]]),
  };
  const [found] = await ledger.unfinished();
  if (!found) throw new Error("nothing is unfinished");
  const runner = new Runner(context, slots);
  const resumed = runner.resume(found, own);
  while (slots.owed === 0) await clock.advance(0);
  await slots.forJob(name).work(context.scopes.poll);
  isAway = false;
  await clock.advance(10);
  return { ...made, runner, resumed, stop: () => work.abort(new Error("partnerd stops")) };
}

describe("a job that waits for a slot when a stop ends all work, and whose handler has not begun", () => {
  it("stays in the ledger when the next process runs its handler", async () => {
    const { events, resumed, runner, stop } = await overtaken({ isDurable: true, afterCrash: "rerun" });
    stop();
    await runner.whenIdle();
    expect([resumed.state, events.at(-1)]).toMatchObject(["running", { type: "job-unfinished", isOurs: true }]);
  });

  it("fails as an operator ordered at the same moment", async () => {
    const { events, resumed, runner, stop } = await overtaken({ isDurable: true, afterCrash: "rerun" });
    resumed.apply({ kind: "fail", message: "by order" });
    stop();
    await runner.whenIdle();
    expect(events.at(-1)).toMatchObject({ type: "job-reported", outcome: { message: "by order" } });
  });

  it("fails when the ledger ends with the process", async () => {
    const { events, runner, stop } = await overtaken({ isDurable: false, afterCrash: "rerun" });
    stop();
    await runner.whenIdle();
    expect(events.at(-1)).toMatchObject({ type: "job-reported", outcome: { kind: "failed" } });
  });
});

it.each([true, false])(
  "says of a job that is left whether others look after it, since its action type is no longer configured: fleet %s",
  async (isFleet) => {
    const { context, flight, slots, events, name, config, clock } = await flightOver({});
    const { ledger } = context.deps;
    const lease = await ledger.lease(other);
    if (!lease) throw new Error("no lease");
    await ledger.record(lease, { type: "details-received" });
    await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
    await ledger.release(lease);
    if (isFleet) Object.assign(ledger, { watch: async function* () {} });
    const pollers = new Map([[name, config]]);
    const runner = new Runner({ ...context, pollers }, slots);
    const [found] = await ledger.unfinished();
    if (!found) throw new Error("nothing is unfinished");
    runner.resume(found, config);
    pollers.delete(name);
    flight.slot.free();
    await clock.advance(0);
    expect(events.at(-1)).toMatchObject({ type: "job-unfinished", isOurs: !isFleet });
    expect(runner.unfinished.size).toBe(isFleet ? 0 : 1);
  },
);

it.each(["acknowledge", "put"] as const)("says that it leaves a job of ours that met a bug in %s", async (call) => {
  const { context, flight, slots, events, config, name } = await flightOver({
    [call]: () => Promise.reject(new TypeError("x is not a function")),
  });
  flight.slot.free();
  const runner = new Runner(context, slots);
  const slot = (await slots.take(name, 1, context.scopes.poll))?.use();
  if (!slot) throw new Error("no slot");
  await runner.take({ key: other, job: { ...offer, key: other } }, config, slot, 0);
  await runner.whenIdle();
  const state = call === "put" ? "settled" : "acknowledging";
  expect(events.filter(({ type }) => type === "bug")).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({ type: "job-unfinished", state });
  expect([...runner.unfinished.values()]).toEqual([state]);
});

// Whichever replica is offered a job that another one only presumes to have, that other one learns the offer's nonce.
import { describe, expect, it } from "vitest";
import type { Nonce } from "../../../../src/job/job.js";
import type { JobEvent } from "../../../../src/job/lifecycle.js";
import type { DynamoLedger } from "../../../../src/ledger/dynamodb/dynamodb-ledger.js";
import { rowName } from "../../../../src/ledger/dynamodb/rows.js";
import type { HandedOffer } from "../../../../src/ledger/ledger.js";
import { fault, key, leased, Replica, running, setUp } from "../../../support/fake-fleet.js";

const acknowledged: readonly JobEvent[] = running.slice(0, 2);
const presumed: readonly JobEvent[] = [...acknowledged, { type: "acknowledge-accepted", claim: "presumed" }];
const [first, second] = ["11" as Nonce, "12" as Nonce];

/** What a ledger hears until the test ends. */
function heard(ledger: DynamoLedger) {
  const stop = new AbortController();
  const offers: HandedOffer[] = [];
  const end = (async () => {
    for await (const each of ledger.handedOffers(stop.signal)) offers.push(...each);
  })();
  return {
    nonces: () => offers.map(({ nonce }) => nonce),
    stop: () => {
      stop.abort();
      return end;
    },
  };
}

describe("an offer of a job that another replica presumes to have", () => {
  it("reaches that replica within two seconds, each nonce once", async () => {
    const { clock, a, b } = setUp();
    const holder = await a.open();
    await leased(holder, presumed);
    const hearing = heard(holder);
    const other = await b.open();
    expect(await other.lease(key(), first)).toBeUndefined();
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([first]);
    expect(await other.lease(key(), first)).toBeUndefined();
    await clock.advance(2_000);
    expect(await other.lease(key(), second)).toBeUndefined();
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([first, second]);
    await hearing.stop();
  });

  it("reaches whoever has the job by then", async () => {
    const { clock, a, b, rows } = setUp();
    const before = await a.open();
    await before.release(await leased(before, presumed));
    const other = await b.open();
    const holder = await new Replica(rows, clock).open();
    expect(await holder.unfinished()).toHaveLength(1);
    const hearing = heard(holder);
    expect(await other.lease(key(), first)).toBeUndefined();
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([first]);
    await hearing.stop();
  });

  it("is heard after a look that failed", async () => {
    const { clock, a, b } = setUp();
    const holder = await a.open();
    await leased(holder, presumed);
    const hearing = heard(holder);
    a.spoil = (operation, item) =>
      operation === "GetItem" && item?.["sk"]?.S === "offer" ? { before: fault("AccessDeniedException") } : {};
    expect(await (await b.open()).lease(key(), first)).toBeUndefined();
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([]);
    expect(a.faults.join()).toContain("AccessDeniedException");
    a.heal();
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([first]);
    await hearing.stop();
  });

  it("is heard although the row of another job cannot be read in the same look", async () => {
    const { clock, a, b } = setUp();
    const holder = await a.open();
    await leased(holder, presumed);
    const unreadable = key("job-2");
    await leased(holder, presumed, unreadable);
    const hearing = heard(holder);
    let isSpoilt = true;
    a.spoil = (operation, item) =>
      isSpoilt && operation === "GetItem" && item?.["pk"]?.S === rowName(unreadable)
        ? { before: fault("AccessDeniedException") }
        : {};
    const other = await b.open();
    expect(await other.lease(key(), first)).toBeUndefined();
    expect(await other.lease(unreadable, second)).toBeUndefined();
    await clock.advance(3_000);
    expect(hearing.nonces()).toEqual([first]);
    isSpoilt = false;
    await clock.advance(2_000);
    expect(hearing.nonces()).toEqual([first, second]);
    await hearing.stop();
  });
});

it.each([
  ["may be ours", acknowledged],
  ["is ours", running],
  ["is ours after a doubt", [...presumed, { type: "claim-confirmed" }]],
  ["has not been acknowledged", []],
] as const)("no nonce is handed over, and none looked for, where the job %s", async (_what, events) => {
  const { rows, clock, a, b } = setUp();
  const holder = await a.open();
  await leased(holder, events);
  const hearing = heard(holder);
  expect(await (await b.open()).lease(key(), first)).toBeUndefined();
  expect(rows.items.has(`${rowName(key())}|offer`)).toBe(false);
  const before = a.calls;
  await clock.advance(3_000);
  expect(hearing.nonces()).toEqual([]);
  // Heartbeats, and nothing else.
  expect(a.calls - before).toBeLessThanOrEqual(1);
  await hearing.stop();
});

it.each([{}, { nonce: { S: "" } }, { nonce: { N: "5" } }, { nonce: { S: "x".repeat(51) } }])(
  "a row that somebody edited is no offer: %j",
  async (edited) => {
    const { rows, clock, a } = setUp();
    const holder = await a.open();
    await leased(holder, presumed);
    rows.items.set(`${rowName(key())}|offer`, { pk: { S: rowName(key()) }, sk: { S: "offer" }, ...edited });
    const hearing = heard(holder);
    await clock.advance(3_000);
    expect(hearing.nonces()).toEqual([]);
    await hearing.stop();
  },
);

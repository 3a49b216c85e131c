// Copies of writes that a network held and delivers when the table has been deleted and made anew: whatever the story of
// a job was, none of them brings a job back that is over, and none shuts out whoever holds it.
import { describe, expect, it } from "vitest";
import type { Nonce } from "../../../../src/job/job.js";
import { succeeded } from "../../../../src/job/outcome.js";
import type { DynamoLedger } from "../../../../src/ledger/dynamodb/dynamodb-ledger.js";
import { rowName } from "../../../../src/ledger/dynamodb/rows.js";
import type { Table } from "../../../../src/ledger/dynamodb/table.js";
import {
  fault,
  isJob,
  key,
  leased,
  pace,
  type Replica,
  type Rows,
  running,
  settled,
  setUp,
  watched,
  whenPassed,
} from "../../../support/fake-fleet.js";

const name = `${rowName(key())}|job`;
const reported = [...settled, { type: "report-accepted" }] as const;
const details = running.slice(0, 1);
const acknowledging = { type: "acknowledge-sent", nonce: "3" as Nonce } as const;
const outcome = { type: "outcome-settled", outcome: succeeded() } as const;

/** Every write that reached a table, to be delivered once more. */
class Copies {
  readonly #writes: Readonly<Record<string, unknown>>[] = [];

  /** The replica's ledger, by a table that keeps a copy of each write of a job's row. */
  open(replica: Replica): Promise<DynamoLedger> {
    const { table } = replica;
    const copied: Table = {
      ...table,
      call: (operation, input) => {
        if (operation === "PutItem" && isJob(input["Item"] as never)) this.#writes.push(input);
        return table.call(operation, input);
      },
    };
    return replica.open({ table: copied, beats: table });
  }

  get count(): number {
    return this.#writes.length;
  }

  /** True when the table took it. */
  deliver(rows: Rows, at: number): boolean {
    try {
      rows.call("PutItem", this.#writes[at] ?? {});
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === "ConditionalCheckFailedException") return false;
      throw error;
    }
  }
}

type Fleet = ReturnType<typeof setUp> & { readonly one: DynamoLedger; readonly two: DynamoLedger };

/** How a job came to its end. */
const stories: Readonly<Record<string, (fleet: Fleet) => Promise<void>>> = {
  "was reported": async ({ one }) => one.release(await leased(one, reported)),
  "was dropped before it was acknowledged": async ({ one }) =>
    one.release(await leased(one, [{ type: "job-lost", reason: "draining" }])),
  "was given back, and reported by another": async ({ one, two }) => {
    await one.release(await leased(one));
    await two.release(await leased(two, reported));
  },
  "was not ours": async ({ one }) =>
    one.release(await leased(one, [...details, acknowledging, { type: "job-lost", reason: "not-ours" }])),
  "was interrupted, and dropped by another": async ({ one, two }) => {
    await one.release(await leased(one, running));
    const [found] = await two.unfinished();
    if (!found) throw new Error("nothing was found");
    await two.record(found.lease, { type: "job-lost", reason: "gone" });
    await two.release(found.lease);
  },
  "was taken over by a write whose answer was lost, and ended by another": async ({ clock, b, one, two }) => {
    await one.release(await leased(one, running));
    b.spoil = (_, item) => (isJob(item) ? { after: fault("TimeoutError") } : {});
    await whenPassed(clock, 8_000, two.unfinished());
    b.heal();
    await clock.advance(5_000);
    const [found] = await one.unfinished();
    if (!found) throw new Error("nothing was found");
    await one.record(found.lease, { type: "job-lost", reason: "gone" });
    await one.release(found.lease);
  },
};

/** A fleet that has played the story, with a copy of each write, over a table that was made anew since. */
async function madeAnewAfter(tell: (fleet: Fleet) => Promise<void>) {
  const fleet = setUp();
  const { rows, clock, a, b } = fleet;
  const copies = new Copies();
  const [one, two] = [await copies.open(a), await copies.open(b)];
  await tell({ ...fleet, one, two });
  // It is over, and its row says so.
  expect(rows.items.get(name)).toMatchObject({ expiresAt: {} });
  rows.items.clear();
  await clock.advance(2 * pace.beatMs);
  return { ...fleet, copies, one, two };
}

describe("a copy of a write that arrives in a table made anew", () => {
  it.each(Object.entries(stories))("brings back no job that %s", async (_how, tell) => {
    const { rows, copies, one, two } = await madeAnewAfter(tell);
    const all = Array.from({ length: copies.count }, (_, at) => at);
    // Each alone, and all of them, the newest first.
    for (const some of [...all.map((at) => [at]), all.toReversed()]) {
      for (const at of some) copies.deliver(rows, at);
      expect(rows.items.get(name)?.["owedBy"]).toBeUndefined();
      expect([...(await one.unfinished()), ...(await two.unfinished())]).toEqual([]);
      rows.items.delete(name);
    }
  });

  it.each(Object.entries(stories).filter(([how]) => !how.includes("before it was acknowledged")))(
    "after that of its lease's take, as if the lease were new, leaves a job that %s to whoever looks",
    async (_how, tell) => {
      const { rows, clock, copies, one, two } = await madeAnewAfter(tell);
      const watches = [watched(one), watched(two)];
      for (let at = 0; rows.items.get(name)?.["owedBy"] === undefined; at++) copies.deliver(rows, at);
      await clock.advance(120_000);
      expect(watches.flatMap((watch) => watch.ids())).toEqual(["job-1"]);
      await Promise.all(watches.map(({ stop }) => stop()));
    },
  );

  it("keeps no holder from writing its job's row again, and lets nobody else acknowledge it", async () => {
    const { rows, a, b } = setUp();
    const copies = new Copies();
    const [one, two] = [await a.open(), await copies.open(b)];
    await two.release(await leased(two));
    const lease = await leased(one, running);
    rows.items.clear();
    expect(copies.deliver(rows, 0)).toBe(true);
    // The copy is of a take: the other holds it for all it knows.
    const other = await leased(two, details);
    await one.record(lease, outcome);
    expect(lease.lost?.aborted).toBe(false);
    expect(rows.items.get(name)).toMatchObject({ state: { S: "settled" }, owedBy: {} });
    await expect(two.record(other, acknowledging)).rejects.toMatchObject({ code: "lost" });
    await two.release(other);
    expect(rows.items.get(name)).toMatchObject({ state: { S: "settled" } });
  });
});

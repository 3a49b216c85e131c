// Whose turn it is: caps, one job at a time for each value, and an even share. Over flights that a test makes up.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Flights } from "../../../src/engine/flights.js";
import type { JobInFlight } from "../../../src/engine/in-flight.js";
import type { KeptOffer } from "../../../src/engine/kept-offers.js";
import { type PollerConfig, pollerKey } from "../../../src/engine/poller-config.js";
import { Turns, type TurnsContext } from "../../../src/engine/turns.js";
import type { ClientId, Job, JobId, JobKey, Nonce, PolledJob, Region } from "../../../src/job/job.js";
import type { JobState } from "../../../src/job/lifecycle.js";
import { FakeClock } from "../../support/fake-clock.js";

const base: PollerConfig = {
  region: "us-east-1" as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "P", version: "1" },
  group: "P",
  handler: "h",
  maxConcurrentJobs: 10,
  jobTimeoutMs: 1_000,
  afterCrash: "fail",
  secretProperties: [],
};
const data = { configuration: {}, pipeline: {}, inputs: [], outputs: [] };

function offer(client: string, name: string): PolledJob {
  const { region, actionType } = base;
  return { key: { region, actionType, jobId: name as JobId, clientId: client as ClientId } };
}

function offers(client: string, count: number): readonly PolledJob[] {
  return Array.from({ length: count }, (_, index) => offer(client, `${client}-${index}`));
}

function customOffer(account: string, name: string, configuration: Readonly<Record<string, string>>): PolledJob {
  const key: JobKey = { region: base.region, actionType: base.actionType, jobId: name as JobId };
  return { key, job: { key, ...data, accountId: account, configuration, nonce: `n-${name}` as Nonce } };
}

function given(limits: { maxConcurrentJobsPerClient?: number } = {}) {
  const clock = new FakeClock();
  const flights = new Flights();
  const context = { flights, limits: { maxConcurrentJobs: 10, ...limits }, deps: { clock } } as unknown as TurnsContext;
  const turns = new Turns(context);
  /** The job is in flight, as the runner would have it. */
  const fly = ({ key, client, serial }: KeptOffer, config = base, state: JobState = "running") => {
    const flight = { key, client, serial, state, config, isRecovered: false, claim: { is: "none", nonce: "9" } };
    flights.add(flight as unknown as JobInFlight);
    return flight as unknown as JobInFlight & { state: JobState };
  };
  const take = (config: PollerConfig, most: number, isMore = false) => {
    const taken = turns.take(config, most, isMore);
    return taken.map((each) => {
      const flight = fly(each, config);
      turns.leased(each);
      return flight;
    });
  };
  return { clock, flights, turns, fly, take, end: (flight: JobInFlight) => flights.remove(flight) };
}

const idsOf = (flights: readonly { readonly key: JobKey }[]) => flights.map(({ key }) => key.jobId);

describe("a customer's cap", () => {
  const capped = { ...base, maxConcurrentJobsPerClient: 2 };

  it("keeps further offers, and takes them in their order as jobs end", () => {
    const { turns, take, end } = given();
    expect(turns.offered(capped, offers("a", 4)).fresh).toHaveLength(4);
    const [first] = take(capped, 10);
    expect([turns.waiting(capped), turns.isNext(capped)]).toEqual([2, false]);
    if (first) end(first);
    expect(turns.isNext(capped)).toBe(true);
    expect(idsOf(take(capped, 10))).toEqual(["a-2"]);
    expect(turns.waiting(capped)).toBe(1);
  });

  it("holds nobody else up", () => {
    const { turns, take } = given();
    turns.offered(capped, [...offers("a", 9), ...offers("b", 1)]);
    expect(idsOf(take(capped, 10))).toEqual(["a-0", "b-0", "a-1"]);
  });

  it("takes what was offered just now before what waits: that may be back in the queue", () => {
    const { turns, take, end } = given();
    turns.offered(capped, offers("a", 5));
    const [first] = take(capped, 10);
    if (first) end(first);
    const { names } = turns.offered(capped, [offer("a", "a-4"), offer("a", "new")]);
    expect(idsOf(turns.take(capped, 1, false, names))).toEqual(["a-4"]);
  });

  it("counts a job that waits only for its result to be accepted no more", () => {
    const { turns, take } = given();
    turns.offered(capped, offers("a", 3));
    const [first] = take(capped, 10);
    if (first) first.state = "settled";
    expect(turns.isNext(capped)).toBe(true);
  });

  it("counts what the ledger is being asked for", () => {
    const { turns } = given();
    turns.offered(capped, offers("a", 9));
    const taken = turns.take(capped, 10, false);
    expect([taken.length, turns.isNext(capped)]).toEqual([2, false]);
    for (const each of taken) turns.leased(each);
    expect(turns.isNext(capped)).toBe(true);
  });

  it("of the whole worker counts jobs of all entries", () => {
    const { turns, take } = given({ maxConcurrentJobsPerClient: 3 });
    const other: PollerConfig = { ...base, actionType: { ...base.actionType, provider: "Q" }, group: "Q" };
    turns.offered(capped, offers("a", 9));
    take(capped, 10);
    turns.offered(
      other,
      offers("q", 9).map((each) => ({ key: { ...each.key, clientId: "a" as ClientId } })),
    );
    expect(take(other, 10)).toHaveLength(1);
    expect(turns.isNext(other)).toBe(false);
  });

  it("does not bind jobs of which CodePipeline does not say whose they are", () => {
    const { turns, take } = given();
    const { region, actionType } = base;
    turns.offered(
      capped,
      ["1", "2", "3"].map((name) => ({ key: { region, actionType, jobId: name as JobId } })),
    );
    expect(take(capped, 10)).toHaveLength(3);
  });

  it("goes by the account of a custom job, and keeps its nonce but none of its data", () => {
    const { turns } = given();
    const jobs = ["1", "2", "3"].map((name) => customOffer("111", name, { Key: "s3cr3t" }));
    turns.offered(capped, jobs);
    turns.take(capped, 10, false);
    turns.offered(capped, jobs);
    expect(turns.waiting(capped)).toBe(3);
    expect(JSON.stringify([...turns.take({ ...capped, maxConcurrentJobsPerClient: 9 }, 9, false)])).not.toContain(
      "s3cr3t",
    );
  });
});

describe("serialBy", () => {
  const serial = { ...base, serialBy: "configuration.Project" };

  it("client takes one job of each customer", () => {
    const { turns, take, end } = given();
    const config = { ...base, serialBy: "client" };
    turns.offered(config, [...offers("a", 3), ...offers("b", 1)]);
    const taken = take(config, 10);
    expect(idsOf(taken)).toEqual(["a-0", "b-0"]);
    // It has its outcome, and no result yet.
    if (taken[0]) taken[0].state = "settled";
    expect(turns.isNext(config)).toBe(false);
    if (taken[0]) end(taken[0]);
    expect(idsOf(take(config, 10))).toEqual(["a-1"]);
  });

  it("a property takes one job of each value, in the clear nowhere, and passes by those that wait", () => {
    const { turns, take } = given();
    const jobs = [
      ["1", "hush"],
      ["2", "hush"],
      ["3", "other"],
    ] as const;
    turns.offered(
      serial,
      jobs.map(([name, Project]) => customOffer("111", name, { Project })),
    );
    const taken = take(serial, 10);
    expect(idsOf(taken)).toEqual(["1", "3"]);
    expect(taken.map(({ serial: value }) => value).some((value) => value === undefined || value.includes("hush"))).toBe(
      false,
    );
    expect(turns.waiting(serial)).toBe(1);
  });

  it("does not bind jobs without the property", () => {
    const { turns, take } = given();
    turns.offered(
      serial,
      ["1", "2"].map((name) => customOffer("111", name, {})),
    );
    expect(take(serial, 10)).toHaveLength(2);
  });

  it("a partner's jobs are told apart by their details: the second is put back, and taken when the first has ended", () => {
    const { turns, take, end } = given();
    turns.offered(serial, offers("a", 2));
    const [first, second] = take(serial, 10);
    if (!first || !second) throw new Error("not taken");
    const job = (key: JobKey): Job => ({ key, ...data, configuration: { Project: "x" } });
    expect(turns.mayBegin(first, job(first.key))).toBe(true);
    expect(turns.mayBegin(second, job(second.key))).toBe(false);
    end(second);
    turns.putBack(serial, turns.offerOf(second, job(second.key)));
    expect([turns.waiting(serial), turns.isNext(serial)]).toEqual([1, false]);
    end(first);
    expect(idsOf(take(serial, 10))).toEqual(["a-1"]);
  });

  it("never holds up a job that may be ours already", () => {
    const { turns, fly } = given();
    const one = fly({ ...offer("a", "1"), client: "a" }, serial);
    const two = Object.assign(fly({ ...offer("a", "2"), client: "a" }, serial), { isRecovered: true });
    const details = { key: one.key, ...data, configuration: { Project: "x" } };
    expect([turns.mayBegin(one, details), turns.mayBegin(two, details)]).toEqual([true, true]);
  });
});

describe("an even share", () => {
  it("deals slots out in turn among those that are known", () => {
    const { turns, take } = given();
    turns.offered(base, [...offers("a", 9), ...offers("b", 9)]);
    expect(idsOf(take(base, 4))).toEqual(["a-0", "b-0", "a-1", "b-1"]);
  });

  it("holds nothing back from a customer that is alone", () => {
    const { turns, take } = given();
    turns.offered(base, offers("a", 10));
    expect(take(base, 10, true)).toHaveLength(10);
  });

  it("lets whoever has his share wait while others may be behind, for a moment", async () => {
    const { turns, take, clock } = given();
    turns.offered(base, [offer("b", "seen"), ...offers("a", 10)]);
    expect(take(base, 10, true)).toHaveLength(6);
    await clock.advance(1_000);
    turns.offered(base, offers("a", 20));
    expect(take(base, 4, true)).toEqual([]);
    await clock.advance(2_500);
    expect(take(base, 4, true)).toHaveLength(4);
    // It took long and found nobody: slots are not left idle again soon.
    turns.offered(base, offers("a", 40));
    expect(take(base, 2, true)).toHaveLength(2);
  });

  it("ends that wait as soon as there is nobody behind", () => {
    const { turns, take } = given();
    turns.offered(base, [offer("b", "seen"), ...offers("a", 10)]);
    expect(take(base, 10, true)).toHaveLength(6);
    expect(take(base, 4, false)).toHaveLength(4);
  });
});

it("finds out whose turn it is in no time, however many customers wait for the same value", () => {
  const serial = { ...base, serialBy: "configuration.Env" };
  const { turns, take } = given();
  const environment = { Env: "production" };
  turns.offered(serial, [customOffer("first", "first", environment)]);
  take(serial, 1);
  turns.offered(
    serial,
    Array.from({ length: 9_999 }, (_, index) => customOffer(`account-${index}`, `job-${index}`, environment)),
  );
  const startedMs = performance.now();
  expect(turns.isNext(serial)).toBe(false);
  expect(take(serial, 10)).toEqual([]);
  // Some 20 ms; it was 2 s for each when it looked for the next one among all of them anew.
  expect(performance.now() - startedMs).toBeLessThan(500);
});

it("forgets what a poller that is no more was offered", () => {
  const { turns } = given();
  turns.offered(base, offers("a", 3));
  expect([...turns.pollers()]).toEqual([pollerKey(base)]);
  turns.forget(base);
  expect([turns.waiting(base), [...turns.pollers()]]).toEqual([0, []]);
});

it("leaves no slot idle that an offer may have, and goes over no cap, whatever is offered", () => {
  const clients = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 });
  fc.assert(
    fc.property(clients, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 12 }), (given1, cap, most) => {
      const { turns, take } = given();
      const config = { ...base, maxConcurrentJobsPerClient: cap };
      turns.offered(
        config,
        given1.map((client, index) => offer(client, `${index}`)),
      );
      const counts = new Map<string, number>();
      for (const client of given1) counts.set(client, (counts.get(client) ?? 0) + 1);
      const could = [...counts.values()].reduce((sum, count) => sum + Math.min(cap, count), 0);
      const taken = take(config, most);
      expect(taken).toHaveLength(Math.min(most, could));
      const dealt = [...counts.keys()].map((client) => taken.filter((flight) => flight.client === client).length);
      expect(Math.max(0, ...dealt)).toBeLessThanOrEqual(cap);
      // Whoever got fewer had no more, or the slots ended in his round.
      for (const [index, client] of [...counts.keys()].entries()) {
        const mine = dealt[index] ?? 0;
        expect(mine === Math.min(cap, counts.get(client) ?? 0) || Math.max(...dealt) - mine <= 1).toBe(true);
      }
    }),
  );
});

// A fleet of three at work over a table whose answers are lost, late or slow, while replicas are killed, stopped and cut
// off, by seed: no job is at work twice at a time, and once all is well again each has a result.
// FLEET_STORIES makes it longer, FLEET_SEED plays one again.
import { expect, it } from "vitest";
import type { Nonce } from "../../../../src/job/job.js";
import { succeeded } from "../../../../src/job/outcome.js";
import type { DynamoLedger } from "../../../../src/ledger/dynamodb/dynamodb-ledger.js";
import { type Lease, LedgerError } from "../../../../src/ledger/ledger.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { fault, key, leaseMs, Replica, Rows } from "../../../support/fake-fleet.js";

const graceMs = 5_000;
const jobs = 8;
const chaosMs = 4 * 60_000;
const quietMs = 4 * 60_000;

/** Mulberry32: small, and good enough to choose by. */
function randomBy(seed: number) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** CodePipeline, as far as the fleet goes, and who is at work on what. */
class Service {
  readonly acknowledged = new Set<string>();
  /** A second result of a job is refused, as CodePipeline does: whoever reported it may have died before it wrote so. */
  readonly ended = new Set<string>();
  readonly atWork = new Map<string, string>();
  readonly breaches: string[] = [];

  begin(id: string, who: string): void {
    const other = this.atWork.get(id);
    if (other !== undefined) this.breaches.push(`${id} is begun by ${who} while ${other} is at work on it`);
    this.atWork.set(id, who);
  }

  end(id: string, who: string): void {
    if (this.atWork.get(id) === who) this.atWork.delete(id);
  }
}

/** One process: a ledger, and as much of an engine as gives it work. Its stories end when it is killed. */
class Process {
  readonly name: string;
  readonly replica: Replica;
  isDead = false;
  readonly #service: Service;
  readonly #random: () => number;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #ledger: DynamoLedger | undefined;

  constructor(name: string, given: { replica: Replica; service: Service; random: () => number }) {
    this.name = name;
    this.replica = given.replica;
    this.#service = given.service;
    this.#random = given.random;
  }

  /** Works until it is killed or stopped. */
  async run(): Promise<void> {
    const { clock } = this.replica;
    const ledger = await this.replica.open().catch(() => undefined);
    this.#ledger = ledger;
    if (!ledger || this.isDead) return;
    const { signal } = this.#stop;
    const take = (lease: Lease) => {
      const story = this.#story(ledger, lease).finally(() => this.#running.delete(story));
      this.#running.add(story);
    };
    for (const { lease } of await ledger.unfinished().catch(() => [])) take(lease);
    void (async () => {
      for await (const found of ledger.watch(() => true, signal)) for (const { lease } of found) take(lease);
    })();
    while (!signal.aborted && !this.isDead) {
      for (let n = 0; n < jobs; n++) {
        if (this.#service.acknowledged.has(`job-${n}`) || signal.aborted) continue;
        await ledger.lease(key(`job-${n}`)).then(
          (lease) => lease && take(lease),
          () => {},
        );
      }
      await clock.sleep(2_000, signal);
    }
  }

  kill(): void {
    this.isDead = true;
    this.replica.isSilent = true;
    this.#stop.abort();
    for (let n = 0; n < jobs; n++) this.#service.end(`job-${n}`, this.name);
    void this.#ledger?.close();
  }

  /** As a drain does: handlers are told to stop, jobs are given back, then the ledger is closed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#ledger?.close();
  }

  async #story(ledger: DynamoLedger, lease: Lease): Promise<void> {
    try {
      await this.#work(ledger, lease);
    } catch (error) {
      if (!(error instanceof LedgerError)) this.#service.breaches.push(`${this.name}: ${String(error)}`);
    }
    this.#service.end(lease.key.jobId, this.name);
    if (!this.isDead) await ledger.release(lease);
  }

  async #work(ledger: DynamoLedger, lease: Lease): Promise<void> {
    const id = lease.key.jobId;
    const isOver = () => this.isDead || lease.lost?.aborted === true;
    if (lease.state === "polled") {
      await ledger.record(lease, { type: "details-received" });
      await ledger.record(lease, { type: "acknowledge-sent", nonce: "1" as Nonce });
    }
    if (isOver()) return;
    if (lease.state === "acknowledging") {
      this.#service.acknowledged.add(id);
      await this.#note(() => ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" }));
    }
    if (isOver()) return;
    // A job whose outcome was fixed is only reported.
    if (lease.state !== "settled") {
      this.#service.begin(id, this.name);
      const until = AbortSignal.any([this.#stop.signal, ...(lease.lost ? [lease.lost] : [])]);
      await this.replica.clock.sleep(this.#random() * 40_000, until);
      if (until.aborted) await this.replica.clock.sleep(this.#random() * graceMs);
      this.#service.end(id, this.name);
      if (isOver() || this.#stop.signal.aborted) return;
      await this.#note(() => ledger.record(lease, { type: "outcome-settled", outcome: succeeded() }));
    }
    if (isOver()) return;
    this.#service.ended.add(id);
    await this.#note(() => ledger.record(lease, { type: "report-accepted" }));
  }

  /** What has happened is told, and goes on whether or not it is written; not when the job is lost. */
  async #note(record: () => Promise<void>): Promise<void> {
    await record().catch((error: unknown) => {
      if (!(error instanceof LedgerError) || error.code === "lost") throw error;
    });
  }
}

async function story(seed: number): Promise<readonly string[]> {
  const random = randomBy(seed);
  const rows = new Rows();
  const clock = new FakeClock();
  const service = new Service();
  let started = 0;
  let isWell = false;
  const spoil = (hardness: number) => () => {
    const what = random();
    if (isWell || what > hardness) return {};
    if (what < hardness * 0.2) return { before: fault("TimeoutError") };
    if (what < hardness * 0.5) return { after: fault("TimeoutError") };
    if (what < hardness * 0.7) return { late: clock.sleep(random() * 40_000) };
    return { held: clock.sleep(random() * 3_000) };
  };
  const start = () => {
    const replica = new Replica(rows, clock);
    replica.spoil = spoil(random() < 0.5 ? 0.1 : 0.5);
    const made = new Process(`p${started++}`, { replica, service, random });
    void made.run();
    return made;
  };
  const fleet = [start(), start(), start()];
  for (const endMs = clock.now() + chaosMs; clock.now() < endMs; await clock.advance(random() * 15_000)) {
    const at = Math.floor(random() * fleet.length);
    const one = fleet[at];
    const what = random();
    if (!one || what > 0.7) continue;
    if (what < 0.2) one.kill();
    else if (what < 0.35) void one.stop();
    else if (what < 0.5) one.replica.spoil = () => ({ before: fault("TimeoutError") });
    else one.replica.spoil = spoil(random());
    if (what < 0.35) fleet[at] = start();
  }
  isWell = true;
  for (const { replica } of fleet) replica.heal();
  fleet.push(start());
  await clock.advance(quietMs + 2 * leaseMs);
  for (let n = 0; n < jobs; n++) {
    if (!service.ended.has(`job-${n}`)) service.breaches.push(`job-${n} has no result`);
  }
  await Promise.all([clock.advance(60_000), ...fleet.map((one) => one.stop())]);
  return service.breaches;
}

const stories = Number(process.env["FLEET_STORIES"] ?? 12);
const seed = Number(process.env["FLEET_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

it(`ends ${stories} stories as it should, from seed ${seed} on`, { timeout: 60_000 + stories * 10_000 }, async () => {
  for (let n = 0; n < stories; n++) {
    expect(await story(seed + n), `FLEET_SEED=${seed + n} FLEET_STORIES=1`).toEqual([]);
  }
});

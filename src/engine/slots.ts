// The right to run jobs: slots are taken first, polls come second. One limit for the worker, one for each group of
// pollers. While they are short, fair-share.ts says whose turn it is.

import { type Member, TurnoverSet } from "../std/turnover.js";
import { nextInTurn } from "./fair-share.js";
import { type Reservation, type Slot, type SlotBase, slotOf } from "./slot.js";

/** One poller's limits. Pollers of the same `group` share its limit, and its `weight` while slots are short. */
export interface SlotUser {
  readonly name: string;
  readonly group: string;
  /** Absent: 1. */
  readonly weight?: number | undefined;
}

/**
 * One group's slots. `busy`: in use by jobs and polls; `working`: by jobs; `owed`: jobs that wait without a slot for
 * CodePipeline; `waiting`: jobs that wait for a slot.
 */
export interface SlotCount {
  readonly group: string;
  readonly busy: number;
  readonly max: number;
  readonly working: number;
  readonly owed: number;
  readonly waiting: number;
  /** Names of the pollers that share it. */
  readonly pollers: readonly string[];
}

interface Counted {
  busy: number;
  max: number;
}

interface Group extends Counted {
  weight: number;
}

interface PollerCount {
  poller: SlotUser;
  group: Group;
  /** Of the group's. */
  busy: number;
  working: number;
  owed: number;
  /** Jobs for which another poll is needed. */
  awaiting: number;
  isOpen: boolean;
  /** Jobs that wait for their turn, in order. The first of each sort stands for all in the queue of the pollers. */
  readonly lines: Readonly<Record<JobWait, TurnoverSet<Waiter>>>;
  /** What all slots of the poller share; made with the first. */
  base?: SlotBase;
}

/** What a known job waits for: a slot to run in, or permission to be owed without one. */
export type JobWait = "work" | "owe";

interface Wanted {
  readonly count: PollerCount;
  readonly want: number;
  /** `poll`: held back by what its poller owes. `work`: for a job that is ours already. `owe`: needs no slot. */
  readonly kind: "poll" | JobWait;
}

export class Slots {
  readonly #all: Counted;
  readonly #groups = new Map<string, Group>();
  readonly #pollers = new Map<string, PollerCount>();
  /** Those that wait for slots, and those that need none: however many wait for slots, the others are found at once. */
  readonly #queues = { slots: new TurnoverSet<Waiter>(), owe: new TurnoverSet<Waiter>() };
  #openPollers = 0;

  constructor(options: { readonly max: number }) {
    this.#all = { busy: 0, max: options.max };
  }

  /** Opens a poller, or an open one's group gets another limit. */
  open(poller: SlotUser, max: number): void {
    const { weight = 1 } = poller;
    const group = Object.assign(this.#groups.get(poller.group) ?? { busy: 0 }, { max, weight });
    this.#groups.set(poller.group, group);
    const known = this.#pollers.get(poller.name);
    if (!known?.isOpen) this.#openPollers += 1;
    if (known) {
      // What it holds goes with it, when a reload gives it to another group.
      known.group.busy -= known.busy;
      group.busy += known.busy;
      Object.assign(known, { poller, group, isOpen: true });
    } else {
      this.#pollers.set(poller.name, {
        poller,
        group,
        busy: 0,
        working: 0,
        owed: 0,
        awaiting: 0,
        isOpen: true,
        lines: { work: new TurnoverSet(), owe: new TurnoverSet() },
      });
    }
    this.#serve();
  }

  /** The poller takes no more slots; its jobs keep theirs. */
  close(pollerKey: string): void {
    const count = this.#poller(pollerKey);
    if (count.isOpen) this.#openPollers -= 1;
    count.isOpen = false;
  }

  /** Another limit for all together. If more are in use, none is taken away; freed ones are not given out again. */
  resize(max: number): void {
    this.#all.max = max;
    this.#serve();
  }

  /** Slots taken now, reserved ones included. */
  get busy(): number {
    return this.#all.busy;
  }

  get max(): number {
    return this.#all.max;
  }

  /** Jobs that work. */
  get working(): number {
    return this.#sum("working");
  }

  /** Jobs that wait for CodePipeline without a slot. */
  get owed(): number {
    return this.#sum("owed");
  }

  #sum(what: "working" | "owed"): number {
    let sum = 0;
    for (const count of this.#pollers.values()) sum += count[what];
    return sum;
  }

  /** The same for each group that has an open poller or jobs, by its name. */
  get groups(): readonly SlotCount[] {
    return [...this.#groups].flatMap(([group, { busy, max }]) => {
      let [working, owed, waiting] = [0, 0, 0];
      let isOpen = false;
      const pollers: string[] = [];
      for (const count of this.#pollers.values()) {
        if (count.poller.group !== group) continue;
        pollers.push(count.poller.name);
        working += count.working;
        owed += count.owed;
        waiting += count.lines.work.size;
        isOpen ||= count.isOpen;
      }
      return isOpen || busy > 0 || owed > 0 ? [{ group, busy, max, working, owed, waiting, pollers }] : [];
    });
  }

  /** How many the poller could have now. */
  freeFor(pollerKey: string): number {
    return this.#grantable(this.#poller(pollerKey));
  }

  /**
   * At least one and at most `want` slots, as soon as the poller may have any; `undefined` when the signal aborts.
   * With several pollers one takes at most half of what is free, so that a poll that hangs never holds all of it.
   */
  take(pollerKey: string, want: number, signal: AbortSignal): Promise<Reservation | undefined> {
    return this.#wait({ count: this.#poller(pollerKey), want: Math.max(1, want), kind: "poll" }, signal);
  }

  /** The slot of a job that is known already: not held yet. */
  forJob(pollerKey: string): Slot {
    return this.#slot(this.#poller(pollerKey), "none");
  }

  /** True while a known job of the poller waits for this. */
  isWaitedFor(pollerKey: string, wait: JobWait): boolean {
    return (this.#pollers.get(pollerKey)?.lines[wait].size ?? 0) > 0;
  }

  #wait(wanted: Wanted, signal: AbortSignal): Promise<Reservation | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiter = new Waiter(wanted, (reservation) => {
        this.#leave(waiter);
        signal.removeEventListener("abort", onAbort);
        resolve(reservation);
      });
      const onAbort = () => waiter.grant(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#join(waiter);
      // Earlier waiters could not be served, or they would not be waiting: this serves the new one or none.
      this.#serve();
    });
  }

  #join(waiter: Waiter): void {
    const line = waiter.kind === "poll" ? undefined : waiter.count.lines[waiter.kind];
    if (line) waiter.inLine = line.add(waiter);
    // However many jobs of one poller wait, it has one turn at a time: the polls of all pollers come in between.
    if (!line || line.size === 1) waiter.at = this.#queueOf(waiter).add(waiter);
  }

  #leave(waiter: Waiter): void {
    if (waiter.at) this.#queueOf(waiter).delete(waiter.at);
    if (waiter.kind === "poll") return;
    const line = waiter.count.lines[waiter.kind];
    if (waiter.inLine) line.delete(waiter.inLine);
    const [next] = line;
    if (next) next.at ??= this.#queueOf(next).add(next);
  }

  #queueOf({ kind }: Waiter): TurnoverSet<Waiter> {
    return kind === "owe" ? this.#queues.owe : this.#queues.slots;
  }

  #poller(name: string): PollerCount {
    const count = this.#pollers.get(name);
    if (!count) throw new Error(`bug: no poller ${name}`);
    return count;
  }

  #grantable(count: PollerCount): number {
    const free = this.#all.max - this.#all.busy;
    return Math.max(0, Math.min(this.#mostAtOnce(free), count.group.max - count.group.busy, allowed(count, "poll")));
  }

  /** Out of this many free slots. */
  #mostAtOnce(free: number): number {
    return this.#openPollers > 1 ? Math.ceil(free / 2) : free;
  }

  #count(count: PollerCount, change: number): void {
    this.#all.busy += change;
    count.group.busy += change;
    count.busy += change;
  }

  /** Of slots that are counted already. */
  #reservation(count: PollerCount, counted: number): Reservation {
    let size = counted;
    let left = counted;
    let isGivenBack = counted === 0;
    return {
      get size() {
        return size;
      },
      grow: (want) => {
        // A waiter cannot use the free slots, or it would not be waiting.
        const more = Math.min(this.#grantable(count), want - size);
        if (isGivenBack || more <= 0) return;
        this.#count(count, more);
        size += more;
        left += more;
      },
      use: () => {
        if (left === 0) return undefined;
        left -= 1;
        return this.#slot(count, "working");
      },
      giveBack: () => {
        const unused = left;
        left = 0;
        isGivenBack = true;
        if (unused > 0) this.#release(count, unused);
      },
    };
  }

  #slot(count: PollerCount, first: "working" | "none"): Slot {
    count.base ??= {
      count,
      wait: (kind, signal) => this.#wait({ count, want: kind === "owe" ? 0 : 1, kind }, signal),
      release: () => this.#release(count, 1),
      serve: () => this.#serve(),
    };
    return slotOf(count.base, first);
  }

  #release(count: PollerCount, size: number): void {
    this.#count(count, -size);
    this.#serve();
  }

  /** Serves every waiter that can be served; one that cannot yet does not delay the others. */
  #serve(): void {
    // A job that leaves the queue lets the next one join.
    while (this.#serveOwing() || this.#deal());
  }

  #serveOwing(): boolean {
    for (const waiter of this.#queues.owe) {
      const { count } = waiter;
      if (count.owed >= count.group.max) continue;
      count.owed += 1;
      waiter.grant(this.#reservation(count, 0));
      return true;
    }
    return false;
  }

  /**
   * Gives out free slots one by one, by turn. False: no waiter can have one. Every job that ends comes here, and 100 pollers
   * may wait: so nothing is made for each of them.
   */
  #deal(): boolean {
    const most = this.#mostAtOnce(this.#all.max - this.#all.busy);
    const served: Waiter[] = [];
    while (this.#all.busy < this.#all.max) {
      const next = nextInTurn(this.#queues.slots, (waiter) => waiter.mayHaveMore(most));
      if (!next) break;
      if (next.dealt === 0) served.push(next);
      next.dealt += 1;
      this.#count(next.count, 1);
    }
    for (const waiter of served) waiter.grant(this.#reservation(waiter.count, waiter.dealt));
    return served.length > 0;
  }
}

class Waiter implements Wanted {
  readonly count: PollerCount;
  readonly want: number;
  readonly kind: Wanted["kind"];
  readonly grant: (reservation: Reservation | undefined) => void;
  /** In the queue of all. */
  at: Member<Waiter> | undefined;
  /** In its poller's line. */
  inLine: Member<Waiter> | undefined;
  /** Slots that it is about to be granted. */
  dealt = 0;

  constructor({ count, want, kind }: Wanted, grant: Waiter["grant"]) {
    this.count = count;
    this.want = want;
    this.kind = kind;
    this.grant = grant;
  }

  /** `most`: at once, of what is free. */
  mayHaveMore(most: number): boolean {
    const { group } = this.count;
    return this.dealt < Math.min(most, this.want, allowed(this.count, this.kind)) && group.busy < group.max;
  }

  get held(): number {
    return this.count.group.busy;
  }

  get weight(): number {
    return this.count.group.weight;
  }

  get own(): number {
    return this.count.busy;
  }
}

/** How many the poller, or a job of it, may be given at once, whatever is free. */
function allowed({ group, owed, awaiting }: PollerCount, kind: Wanted["kind"]): number {
  const leastForPolls = awaiting > 0 ? 1 : 0;
  return kind === "work" ? group.max : Math.max(leastForPolls, group.max - owed);
}

// The right to run jobs: slots are taken first, polls come second. One limit for the worker, one for each group of
// lanes. A lane is one poller's way to slots; lanes wait in one queue, so that none starves.

/** One poller's limits. Lanes of the same `group` share its limit. */
export interface Lane {
  readonly name: string;
  readonly group: string;
}

/** Slots that one poll may fill. */
export interface Reservation {
  readonly size: number;
  /** Makes one of them a job's slot. `undefined`: all are used. */
  use(): Slot | undefined;
  /** Gives back those that were not used. Idempotent. */
  giveBack(): void;
}

/** One job's slot. */
export interface Slot {
  /**
   * The job waits for CodePipeline to take its result: it works no more, so others may run. Parked jobs hold back
   * only their own lane. Idempotent.
   */
  park(): void;
  /**
   * The parked job waits for a poll to offer it again: from now on the jobs that its lane has parked leave the lane's
   * polls one slot. Idempotent.
   */
  awaitOffer(): void;
  readonly isParked: boolean;
  /** Before a parked job works on: waits for a slot like all others. False when the signal aborts first. */
  retake(signal: AbortSignal): Promise<boolean>;
  /** Idempotent. */
  free(): void;
}

/** One group's slots. `parked`: its jobs whose results are owed without a slot. */
export interface SlotCount {
  readonly group: string;
  readonly busy: number;
  readonly max: number;
  readonly parked: number;
  /** Names of the lanes that share it. */
  readonly lanes: readonly string[];
}

interface Counted {
  busy: number;
  max: number;
}

interface LaneCount {
  lane: Lane;
  group: Counted;
  /** Of the group's. */
  busy: number;
  parked: number;
  /** Jobs that only another poll can help. */
  awaiting: number;
  isOpen: boolean;
}

interface Waiter {
  readonly count: LaneCount;
  readonly want: number;
  /** `parked`: it gave its slot back before, and what the lane has parked does not hold it up. `owing`: needs none. */
  readonly kind: "new" | "parked" | "owing";
  readonly grant: (reservation: Reservation | undefined) => void;
}

export class Slots {
  readonly #all: Counted;
  readonly #groups = new Map<string, Counted>();
  readonly #lanes = new Map<string, LaneCount>();
  readonly #waiters = new Set<Waiter>();

  constructor(options: { readonly max: number }) {
    this.#all = { busy: 0, max: options.max };
  }

  /** Opens a lane, or an open one's group gets another limit. */
  open(lane: Lane, max: number): void {
    const group = this.#groups.get(lane.group) ?? { busy: 0, max };
    group.max = max;
    this.#groups.set(lane.group, group);
    const known = this.#lanes.get(lane.name);
    if (known) {
      // What it holds goes with it, when a reload gives it to another group.
      known.group.busy -= known.busy;
      group.busy += known.busy;
      Object.assign(known, { lane, group, isOpen: true });
    } else {
      this.#lanes.set(lane.name, { lane, group, busy: 0, parked: 0, awaiting: 0, isOpen: true });
    }
    this.#serve();
  }

  /** No poller takes slots by this lane any more; jobs that it brought keep theirs. */
  close(laneName: string): void {
    this.#lane(laneName).isOpen = false;
  }

  /** Another limit for all together. Above a lower one nothing is taken away; slots that come free are not given on. */
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

  /** Jobs whose results are owed without a slot. */
  get parked(): number {
    let parked = 0;
    for (const count of this.#lanes.values()) parked += count.parked;
    return parked;
  }

  /** The same for each group that has an open lane or jobs, by its name. */
  get groups(): readonly SlotCount[] {
    return [...this.#groups].flatMap(([group, { busy, max }]) => {
      let parked = 0;
      let isOpen = false;
      const lanes: string[] = [];
      for (const count of this.#lanes.values()) {
        if (count.lane.group !== group) continue;
        lanes.push(count.lane.name);
        parked += count.parked;
        isOpen ||= count.isOpen;
      }
      return isOpen || busy > 0 || parked > 0 ? [{ group, busy, max, parked, lanes }] : [];
    });
  }

  /** How many the lane could have now. */
  freeFor(laneName: string): number {
    return this.#grantable(this.#lane(laneName));
  }

  /**
   * At least one and at most `want` slots, as soon as the lane may have any; `undefined` when the signal aborts.
   * With several lanes one takes at most half of what is free, so that a poll that hangs never holds all of it.
   */
  take(laneName: string, want: number, signal: AbortSignal): Promise<Reservation | undefined> {
    return this.#wait({ count: this.#lane(laneName), want: Math.max(1, want), kind: "new" }, signal);
  }

  /**
   * A parked slot for a job that comes with its result: as soon as the lane has fewer of them than it may run jobs.
   * `undefined` when the signal aborts.
   */
  async owe(laneName: string, signal: AbortSignal): Promise<Slot | undefined> {
    const count = this.#lane(laneName);
    const granted = await this.#wait({ count, want: 0, kind: "owing" }, signal);
    return granted && this.#slot(count, "parked");
  }

  #wait(wanted: Omit<Waiter, "grant">, signal: AbortSignal): Promise<Reservation | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        ...wanted,
        grant: (reservation) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", onAbort);
          resolve(reservation);
        },
      };
      const onAbort = () => waiter.grant(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
      // Those who came earlier could not be served, or they would not be waiting: this serves the newcomer or nobody.
      this.#serve();
    });
  }

  #lane(name: string): LaneCount {
    const count = this.#lanes.get(name);
    if (!count) throw new Error(`bug: no lane ${name}`);
    return count;
  }

  #grantable(count: LaneCount, isParked = false): number {
    const { group } = count;
    const leastForPolls = count.awaiting > 0 ? 1 : 0;
    const unparked = isParked ? group.max : Math.max(leastForPolls, group.max - count.parked);
    const free = this.#all.max - this.#all.busy;
    const share = this.#openLanes() > 1 ? Math.ceil(free / 2) : free;
    return Math.max(0, Math.min(share, group.max - group.busy, unparked));
  }

  #openLanes(): number {
    let open = 0;
    for (const count of this.#lanes.values()) if (count.isOpen) open += 1;
    return open;
  }

  #reserve(count: LaneCount, size: number): Reservation {
    this.#all.busy += size;
    count.group.busy += size;
    count.busy += size;
    let left = size;
    return {
      size,
      use: () => {
        if (left === 0) return undefined;
        left -= 1;
        return this.#slot(count);
      },
      giveBack: () => {
        const unused = left;
        left = 0;
        if (unused > 0) this.#release(count, unused);
      },
    };
  }

  #slot(count: LaneCount, first: "held" | "parked" = "held"): Slot {
    let state: "held" | "parked" | "free" = first;
    let isAwaiting = false;
    return {
      park: () => {
        if (state !== "held") return;
        state = "parked";
        count.parked += 1;
        this.#release(count, 1);
      },
      awaitOffer: () => {
        if (state === "free" || isAwaiting) return;
        isAwaiting = true;
        count.awaiting += 1;
        this.#serve();
      },
      get isParked() {
        return state === "parked";
      },
      retake: async (signal) => {
        if (state === "held") return true;
        const reservation = await this.#wait({ count, want: 1, kind: "parked" }, signal);
        if (state === "parked" && reservation) {
          state = "held";
          count.parked -= 1;
          this.#serve();
        } else {
          reservation?.giveBack();
        }
        return state === "held";
      },
      free: () => {
        const was = state;
        state = "free";
        if (isAwaiting) count.awaiting -= 1;
        isAwaiting = false;
        if (was === "held") this.#release(count, 1);
        if (was === "parked") {
          count.parked -= 1;
          this.#serve();
        }
      },
    };
  }

  #release(count: LaneCount, size: number): void {
    this.#all.busy -= size;
    count.group.busy -= size;
    count.busy -= size;
    this.#serve();
  }

  /** Grants in the order of waiting; one who cannot be served yet does not hold up those behind. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const { count, kind, want } = waiter;
      if (kind === "owing") {
        if (count.parked >= count.group.max) continue;
        count.parked += 1;
        waiter.grant(this.#reserve(count, 0));
        continue;
      }
      const size = Math.min(this.#grantable(count, kind === "parked"), want);
      if (size > 0) waiter.grant(this.#reserve(count, size));
    }
  }
}

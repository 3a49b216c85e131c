// Random use of slots, held against a plain count of what was handed out.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Reservation, Slot } from "../../../src/engine/slot.js";
import { Slots } from "../../../src/engine/slots.js";

const names = ["a us", "a eu", "b us", "c us"] as const;
type Name = (typeof names)[number];

interface Limits {
  readonly max: number;
  readonly groupMax: number;
  readonly lanes: number;
}

type Step =
  | { readonly do: "take"; readonly lane: number; readonly want: number }
  | { readonly do: "use" | "giveBack" | "wait" | "work" | "free" | "abort"; readonly pick: number };

interface Wait {
  readonly lane: Name;
  readonly stop: AbortController;
}

interface Held {
  readonly lane: Name;
  readonly slot: Slot;
  isOwed: boolean;
}

interface Kept {
  readonly lane: Name;
  readonly reservation: Reservation;
  left: number;
}

const never = new AbortController().signal;

const limits: fc.Arbitrary<Limits> = fc.record({
  max: fc.integer({ min: 1, max: 9 }),
  groupMax: fc.integer({ min: 1, max: 5 }),
  lanes: fc.integer({ min: 1, max: names.length }),
});
const take = fc.record({ do: fc.constant("take" as const), lane: fc.nat(), want: fc.integer({ min: 1, max: 6 }) });
const other = fc.record({ do: fc.constantFrom("use", "giveBack", "wait", "work", "free", "abort"), pick: fc.nat() });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof({ arbitrary: take, weight: 2 }, { arbitrary: other, weight: 3 }),
  {
    maxLength: 60,
    size: "max",
  },
) as fc.Arbitrary<readonly Step[]>;

/** The slots, and what was handed out by them as a bookkeeper outside sees it. */
class Bench {
  readonly slots: Slots;
  readonly lanes: readonly Name[];
  readonly waits: Wait[] = [];
  readonly kept: Kept[] = [];
  readonly held: Held[] = [];
  /** What a grant broke; thrown by the step that made it. */
  readonly #broken: string[] = [];
  readonly #limits: Limits;

  constructor(given: Limits) {
    this.#limits = given;
    this.slots = new Slots({ max: given.max });
    this.lanes = names.slice(0, given.lanes);
    for (const name of this.lanes) this.slots.open({ name, group: group(name) }, given.groupMax);
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case "take": {
        const lane = this.lanes[step.lane % this.lanes.length];
        if (lane) this.#take(lane, step.want);
        break;
      }
      case "use": {
        const kept = pick(this.kept, step.pick);
        if (kept) this.#use(kept);
        break;
      }
      case "giveBack": {
        const kept = pick(this.kept, step.pick);
        kept?.reservation.giveBack();
        if (kept) kept.left = 0;
        break;
      }
      case "wait": {
        const held = pick(this.held, step.pick);
        void held?.slot.whileWaiting(async () => {});
        if (held) held.isOwed = true;
        break;
      }
      case "work": {
        const held = pick(this.held, step.pick);
        void held?.slot.work(never).then((isHeld) => {
          if (isHeld) held.isOwed = false;
          else if (this.held.includes(held)) this.#broken.push(`${held.lane} got no slot back without an abort`);
        });
        break;
      }
      case "free": {
        const held = pick(this.held, step.pick);
        held?.slot.free();
        if (held) this.held.splice(this.held.indexOf(held), 1);
        break;
      }
      case "abort":
        pick(this.waits, step.pick)?.stop.abort();
        break;
    }
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    this.expectSound();
  }

  /** What must hold between any two steps. */
  expectSound(): void {
    expect(this.#broken).toEqual([]);
    const { max, groupMax } = this.#limits;
    expect(this.slots.busy).toBe(this.#busy(this.lanes));
    expect(this.slots.working).toBe(this.held.filter((held) => !held.isOwed).length);
    expect(this.slots.owed).toBe(this.held.filter((held) => held.isOwed).length);
    expect(this.slots.busy).toBeLessThanOrEqual(max);
    for (const name of this.lanes) {
      const lanesOfGroup = this.lanes.filter((lane) => group(lane) === group(name));
      expect(this.#busy(lanesOfGroup)).toBeLessThanOrEqual(Math.min(max, groupMax));
    }
    // Nobody waits for what is free: a grant that is forgotten would never be made up for.
    for (const wait of this.waits)
      expect(`${wait.lane} could have ${this.slots.freeFor(wait.lane)}`).toBe(`${wait.lane} could have 0`);
  }

  /** Frees everything until nobody waits any more; the rounds are bounded by the number that waits. */
  async finish(): Promise<void> {
    for (let round = this.waits.length; round >= 0; round--) {
      for (const kept of this.kept) {
        kept.reservation.giveBack();
        kept.left = 0;
      }
      for (const held of this.held.splice(0)) held.slot.free();
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    }
    this.expectSound();
  }

  #take(lane: Name, want: number): void {
    const wait: Wait = { lane, stop: new AbortController() };
    this.waits.push(wait);
    const free = this.slots.max - this.slots.busy;
    const couldHave = this.slots.freeFor(lane);
    void this.slots.take(lane, want, wait.stop.signal).then((reservation) => {
      const earlier = this.waits.slice(0, this.waits.indexOf(wait)).find((other) => other.lane === lane);
      this.waits.splice(this.waits.indexOf(wait), 1);
      if (!reservation) {
        if (!wait.stop.signal.aborted) this.#broken.push(`${lane} got nothing without an abort`);
        return;
      }
      if (earlier) this.#broken.push(`${lane} was served before an earlier wait of its own`);
      if (reservation.size < 1 || reservation.size > want) {
        this.#broken.push(`${lane} got ${reservation.size} and wanted ${want}`);
      }
      this.kept.push({ lane, reservation, left: reservation.size });
    });
    if (this.lanes.length > 1) expect(couldHave).toBeLessThanOrEqual(Math.ceil(free / 2));
  }

  #use(kept: Kept): void {
    const slot = kept.reservation.use();
    expect(Boolean(slot)).toBe(kept.left > 0);
    if (!slot) return;
    kept.left -= 1;
    this.held.push({ lane: kept.lane, slot, isOwed: false });
  }

  #busy(lanes: readonly Name[]): number {
    const reserved = this.kept.filter((kept) => lanes.includes(kept.lane)).reduce((sum, kept) => sum + kept.left, 0);
    return reserved + this.held.filter((held) => lanes.includes(held.lane) && !held.isOwed).length;
  }
}

function group(name: Name): string {
  return name.split(" ")[0] ?? name;
}

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}

describe("slots under any use", () => {
  it("never go over a limit, never lose a grant, and return to zero", async () => {
    await fc.assert(
      fc.asyncProperty(limits, steps, async (given, todo) => {
        const bench = new Bench(given);
        for (const step of todo) await bench.step(step);
        await bench.finish();
        expect(bench.waits).toEqual([]);
        expect({ busy: bench.slots.busy, working: bench.slots.working, owed: bench.slots.owed }).toEqual({
          busy: 0,
          working: 0,
          owed: 0,
        });
      }),
      { numRuns: 400 },
    );
  });
});

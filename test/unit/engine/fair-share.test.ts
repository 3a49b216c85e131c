// The policy alone, and the slots that go by it: while everybody is hungry shares come to the weights, nothing stays
// idle, nobody starves.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextInTurn } from "../../../src/engine/fair-share.js";
import type { Slot } from "../../../src/engine/slot.js";
import { Slots } from "../../../src/engine/slots.js";

const weights = fc.array(fc.constantFrom(0.5, 1, 2, 3, 7), { minLength: 2, maxLength: 5 });
const never = new AbortController().signal;

it("takes who holds the least for its weight, then the least itself, then the first", () => {
  const waiting = [
    { name: "heavy", held: 4, weight: 2, own: 4 },
    { name: "light", held: 1, weight: 1, own: 1 },
    { name: "other of heavy", held: 4, weight: 2, own: 0 },
  ];
  expect(nextInTurn(waiting)?.name).toBe("light");
  expect(nextInTurn(waiting.filter(({ weight }) => weight === 2))?.name).toBe("other of heavy");
  expect(
    nextInTurn([
      { held: 1, weight: 3, own: 1, name: "a" },
      { held: 1, weight: 3, own: 1, name: "b" },
    ])?.name,
  ).toBe("a");
  expect(nextInTurn([])).toBeUndefined();
});

it("prefers whoever holds nothing to everybody who holds something", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ held: fc.nat(9), weight: fc.constantFrom(0.1, 1, 100), own: fc.nat(3) }), { minLength: 1 }),
      (waiting) => {
        const hasNone = waiting.some(({ held }) => held === 0);
        expect(nextInTurn(waiting)?.held === 0).toBe(hasNone);
      },
    ),
  );
});

/** Pollers that want slots without end: each takes one job for each slot it gets. */
class Hungry {
  readonly slots: Slots;
  readonly held: Slot[][];
  readonly turns: number[];
  readonly #begun = new Set<Slot>();

  constructor(max: number, given: readonly number[]) {
    this.slots = new Slots({ max });
    this.held = given.map(() => []);
    this.turns = given.map(() => 0);
    for (const [index, weight] of given.entries())
      this.slots.open({ name: `${index}`, group: `${index}`, weight }, max);
  }

  begin(): void {
    for (const index of this.held.keys()) void this.#goOn(index);
  }

  /** One job ends, by its place among all. */
  async end(place: number): Promise<void> {
    const all = this.held.flatMap((each, index) => each.map((slot) => ({ index, slot })));
    const one = all[place % all.length];
    if (!one) return;
    const mine = this.held[one.index];
    mine?.splice(mine.indexOf(one.slot), 1);
    this.#begun.delete(one.slot);
    one.slot.free();
    await this.settled();
  }

  /** The one that began first. */
  async endOldest(): Promise<void> {
    const [first] = this.#begun;
    const all = this.held.flat();
    if (first) await this.end(all.indexOf(first));
  }

  async settled(): Promise<void> {
    for (let turn = 0; turn < 40; turn++) await Promise.resolve();
  }

  async #goOn(index: number): Promise<void> {
    for (;;) {
      const reservation = await this.slots.take(`${index}`, this.slots.max, never);
      this.turns[index] = (this.turns[index] ?? 0) + 1;
      for (let slot = reservation?.use(); slot; slot = reservation?.use()) {
        this.held[index]?.push(slot);
        this.#begun.add(slot);
      }
    }
  }
}

describe("hungry pollers", () => {
  it("never leave a slot idle, and come to hold what their weights say, whichever jobs end", async () => {
    await fc.assert(
      fc.asyncProperty(
        weights,
        fc.integer({ min: 10, max: 40 }),
        fc.infiniteStream(fc.nat()),
        async (given, max, ends) => {
          const hungry = new Hungry(max, given);
          hungry.begin();
          await hungry.settled();
          // The oldest first, until none is left that was dealt out while slots were plenty.
          for (let turn = 0; turn < 3 * max; turn++) await hungry.endOldest();
          for (let turn = 0; turn < 2 * max; turn++) {
            expect(hungry.slots.busy).toBe(max);
            const ratios = given.map((weight, index) => (hungry.held[index]?.length ?? 0) / weight);
            // Nobody would be better off by a slot of somebody else's.
            for (const [index, weight] of given.entries()) {
              const less = ((hungry.held[index]?.length ?? 0) - 1) / weight;
              expect(less).toBeLessThanOrEqual(Math.min(...ratios) + 1e-9);
            }
            await hungry.end(ends.next().value ?? 0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("all get slots as soon as anybody's jobs end, however much heavier the others are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 6 }), fc.infiniteStream(fc.nat()), async (pollers, ends) => {
        const hungry = new Hungry(
          8,
          Array.from({ length: pollers }, (_, index) => (index === 0 ? 0.1 : 100)),
        );
        hungry.begin();
        await hungry.settled();
        const before = hungry.turns[0] ?? 0;
        for (let turn = 0; turn < 200; turn++) await hungry.end(ends.next().value ?? 0);
        // Whoever comes to hold nothing is next: it had a job all along, or has one again.
        expect((hungry.turns[0] ?? 0) > before || (hungry.held[0]?.length ?? 0) > 0).toBe(true);
        expect(hungry.held.every((held) => held.length > 0)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

it("deals what is freed at once to all that wait, by their weights, and half of it at most to one", async () => {
  const slots = new Slots({ max: 12 });
  const users = { holder: 1, a: 1, b: 1, c: 2, d: 50 };
  for (const [name, weight] of Object.entries(users)) slots.open({ name, group: name, weight }, 12);
  const all = await slots.take("holder", 12, never);
  while (slots.busy < slots.max) all?.grow(12);
  const deal = async (...names: (keyof typeof users)[]) => {
    const waits = names.map((name) => slots.take(name, 12, never));
    all?.giveBack();
    const dealt = await Promise.all(waits);
    for (const each of dealt) each?.giveBack();
    return dealt.map((each) => each?.size);
  };
  expect(await deal("a", "b", "c")).toEqual([3, 3, 6]);
  const again = await slots.take("holder", 1, never);
  while (slots.busy < slots.max) again?.grow(12);
  const waits = [slots.take("d", 12, never), slots.take("a", 12, never)];
  again?.giveBack();
  expect((await Promise.all(waits)).map((each) => each?.size)).toEqual([6, 6]);
});

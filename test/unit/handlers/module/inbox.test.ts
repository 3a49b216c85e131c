import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { Inbox } from "../../../../src/handlers/module/inbox.js";

/** Holds up the loop as a slow message does. */
function work(ms: number): void {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
}

function given(ms: number) {
  const taken: number[] = [];
  let emptied = 0;
  const inbox = new Inbox<number>({
    take: (message) => {
      work(ms);
      taken.push(message);
    },
    onEmpty: () => {
      emptied += 1;
    },
  });
  return { inbox, taken, emptied: () => emptied };
}

it("takes what comes in the same turn while there is time", () => {
  const { inbox, taken, emptied } = given(0);
  for (const message of [1, 2, 3]) inbox.put(message);
  expect([taken, inbox.isEmpty, emptied()]).toEqual([[1, 2, 3], true, 3]);
});

it("leaves a flood to the next turns, takes all of it in order, and says when nothing is left", async () => {
  const { inbox, taken, emptied } = given(4);
  const all = Array.from({ length: 20 }, (_, n) => n);
  for (const message of all) inbox.put(message);
  const inFirstTurn = taken.length;
  expect(inFirstTurn).toBeGreaterThan(0);
  expect(inFirstTurn).toBeLessThan(all.length);
  const before = emptied();
  for (let turn = 0; !inbox.isEmpty && turn < all.length; turn++) await nextTurn();
  expect([taken, emptied()]).toEqual([all, before + 1]);
});

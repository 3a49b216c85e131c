// One job's slot through its life: what it counts as, and that however it goes nothing is left counted.
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Reservation, slotOf } from "../../../src/engine/slot.js";

/** A base that grants at once, or not at all. */
function given(first: "working" | "none", isGranted = true) {
  const count = { working: 0, owed: 0, awaiting: 0 };
  let held = first === "working" ? 1 : 0;
  const giveBack = () => {
    held -= 1;
  };
  const wait = async (kind: "work" | "owe"): Promise<Reservation | undefined> => {
    if (!isGranted) return undefined;
    if (kind === "work") held += 1;
    else count.owed += 1;
    return { size: 1, grow: () => {}, use: () => undefined, giveBack };
  };
  const slot = slotOf({ count, wait, release: giveBack, serve: () => {} }, first);
  return { slot, count, held: () => held };
}
const { signal } = new AbortController();

it("works, is owed while it waits for CodePipeline, and works again", async () => {
  const { slot, count, held } = given("working");
  expect([slot.isWorking, count, held()]).toEqual([true, { working: 1, owed: 0, awaiting: 0 }, 1]);
  await slot.whileWaiting(async () => {
    expect([slot.isWorking, count, held()]).toEqual([false, { working: 0, owed: 1, awaiting: 0 }, 0]);
  });
  expect(await slot.work(signal)).toBe(true);
  expect([count, held()]).toEqual([{ working: 1, owed: 0, awaiting: 0 }, 1]);
});

it("has nothing when its turn does not come", async () => {
  const { slot, count, held } = given("none", false);
  expect([await slot.work(signal), await slot.owe(signal), slot.isWorking]).toEqual([false, false, false]);
  expect([count, held()]).toEqual([{ working: 0, owed: 0, awaiting: 0 }, 0]);
});

it("leaves nothing counted once it is free, in whatever order it was used, also by what comes late", async () => {
  const use = fc.constantFrom("work", "owe", "wait", "await", "free");
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("working", "none"), fc.array(use, { maxLength: 12 }), async (first, uses) => {
      const { slot, count, held } = given(first);
      const ending: Promise<unknown>[] = [];
      for (const each of uses) {
        if (each === "work") ending.push(slot.work(signal));
        else if (each === "owe") ending.push(slot.owe(signal));
        else if (each === "wait") ending.push(slot.whileWaiting(async () => {}));
        else if (each === "await") slot.awaitOffer();
        else slot.free();
      }
      slot.free();
      await Promise.all(ending);
      slot.free();
      expect([count, held()]).toEqual([{ working: 0, owed: 0, awaiting: 0 }, 0]);
    }),
  );
});

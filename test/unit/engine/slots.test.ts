import { describe, expect, it } from "vitest";
import type { Reservation, Slot } from "../../../src/engine/slot.js";
import { Slots } from "../../../src/engine/slots.js";

const never = new AbortController().signal;

/** Slots with one lane per entry: `lane: [group, max]`. */
function given(max: number, lanes: Readonly<Record<string, readonly [string, number]>>): Slots {
  const slots = new Slots({ max });
  for (const [name, [group, groupMax]] of Object.entries(lanes)) slots.open({ name, group }, groupMax);
  return slots;
}

/** What a promise has come to after every microtask that waits now. */
async function now<T>(promise: Promise<T>): Promise<T | "waiting"> {
  const late = Symbol("late");
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  const first = await Promise.race([promise, Promise.resolve(late)]);
  return first === late ? "waiting" : (first as T);
}

async function reserve(slots: Slots, lane: string, want: number): Promise<Reservation> {
  const reservation = await now(slots.take(lane, want, never));
  if (reservation === "waiting" || reservation === undefined) throw new Error(`${lane} got no slots`);
  return reservation;
}

async function hold(slots: Slots, lane: string): Promise<Slot> {
  const slot = (await reserve(slots, lane, 1)).use();
  if (!slot) throw new Error("an empty reservation");
  return slot;
}

/** The job waits for CodePipeline from now on. */
function park(slot: Slot | undefined): void {
  void slot?.whileWaiting(async () => {});
}

/** A job that comes with its result. */
async function owe(slots: Slots, lane: string, signal: AbortSignal): Promise<Slot | undefined> {
  const slot = slots.forJob(lane);
  return (await slot.owe(signal)) ? slot : undefined;
}

describe("a reservation that grows", () => {
  it.each<[string, number, readonly [string, number], number]>([
    ["what is free of all slots", 3, ["g", 10], 2],
    ["what is free of its group's", 10, ["g", 3], 3],
    ["what it wants", 10, ["g", 10], 4],
  ])("has at most %s", async (_what, max, group, size) => {
    const slots = given(max, { a: group, b: ["other", 1] });
    await hold(slots, "b");
    const reservation = await reserve(slots, "a", 1);
    // Half of what is free at a time.
    for (let turn = 0; turn < 5; turn++) reservation.grow(4);
    expect([reservation.size, slots.busy]).toEqual([size, size + 1]);
    reservation.giveBack();
    reservation.grow(4);
    expect(slots.busy).toBe(1);
  });
});

describe("a single lane", () => {
  it("gets all that is free, and never more than it wants", async () => {
    const slots = given(10, { a: ["g", 10] });
    expect((await reserve(slots, "a", 4)).size).toBe(4);
    expect(slots.busy).toBe(4);
    expect((await reserve(slots, "a", 99)).size).toBe(6);
    expect(slots.busy).toBe(slots.max);
  });

  it("gets no more than its action type may have", async () => {
    const slots = given(10, { a: ["g", 3] });
    expect((await reserve(slots, "a", 99)).size).toBe(3);
    expect(slots.freeFor("a")).toBe(0);
    expect(slots.busy).toBe(3);
  });

  it("gets no more than the worker has, whatever its action type may have", async () => {
    const slots = given(2, { a: ["g", 50] });
    expect((await reserve(slots, "a", 50)).size).toBe(2);
  });

  it("gets at least one slot even when it wants none: a poll for nothing makes no sense", async () => {
    const slots = given(2, { a: ["g", 2] });
    expect((await reserve(slots, "a", 0)).size).toBe(1);
    expect((await reserve(slots, "a", -3)).size).toBe(1);
    const waiting = slots.take("a", 0, never);
    expect(await now(waiting)).toBe("waiting");
  });

  it("waits when nothing is free and goes on when something is", async () => {
    const slots = given(1, { a: ["g", 1] });
    const held = await hold(slots, "a");
    const waiting = slots.take("a", 1, never);
    expect(await now(waiting)).toBe("waiting");
    held.free();
    expect(await now(waiting)).toMatchObject({ size: 1 });
  });
});

describe("a reservation", () => {
  it("turns into as many slots as it has, and no more", async () => {
    const slots = given(3, { a: ["g", 3] });
    const reservation = await reserve(slots, "a", 2);
    expect([reservation.use(), reservation.use(), reservation.use()].map(Boolean)).toEqual([true, true, false]);
    expect(slots.busy).toBe(2);
  });

  it("gives back only what was not used, and only once", async () => {
    const slots = given(3, { a: ["g", 3] });
    const reservation = await reserve(slots, "a", 3);
    const slot = reservation.use();
    reservation.giveBack();
    reservation.giveBack();
    expect(slots.busy).toBe(1);
    expect(reservation.use()).toBeUndefined();
    slot?.free();
    expect(slots.busy).toBe(0);
  });
});

describe("a slot", () => {
  it("is freed once, however often it is said", async () => {
    const slots = given(2, { a: ["g", 2] });
    const [first, second] = [await hold(slots, "a"), await hold(slots, "a")];
    first.free();
    first.free();
    park(first);
    expect(slots.busy).toBe(1);
    expect(slots.owed).toBe(0);
    second.free();
    expect(slots.busy).toBe(0);
  });

  it("is owed once, and a owed one leaves by being freed", async () => {
    const slots = given(2, { a: ["g", 2] });
    const slot = await hold(slots, "a");
    park(slot);
    park(slot);
    expect({ busy: slots.busy, owed: slots.owed }).toEqual({ busy: 0, owed: 1 });
    slot.free();
    slot.free();
    expect({ busy: slots.busy, owed: slots.owed }).toEqual({ busy: 0, owed: 0 });
  });

  it("lets others run while it is owed", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const slot = await hold(slots, "a");
    const waiting = slots.take("b", 1, never);
    expect(await now(waiting)).toBe("waiting");
    park(slot);
    expect(await now(waiting)).toMatchObject({ size: 1 });
  });
});

describe("owed jobs", () => {
  it("hold back their own lane once they are as many as it may have", async () => {
    const slots = given(10, { a: ["g", 2] });
    const [first, second] = [await hold(slots, "a"), await hold(slots, "a")];
    park(first);
    expect(slots.freeFor("a")).toBe(1);
    park(second);
    expect(slots.freeFor("a")).toBe(0);
    const waiting = slots.take("a", 1, never);
    expect(await now(waiting)).toBe("waiting");
    second.free();
    expect(await now(waiting)).toMatchObject({ size: 1 });
  });

  it("leave their lane one slot for polls when one of them can be helped only by another offer", async () => {
    const slots = given(10, { a: ["g", 2] });
    const [first, second] = [await hold(slots, "a"), await hold(slots, "a")];
    park(first);
    park(second);
    const waiting = slots.take("a", 2, never);
    expect(await now(waiting)).toBe("waiting");
    first.awaitOffer();
    first.awaitOffer();
    expect(await now(waiting)).toMatchObject({ size: 1 });
    first.free();
    first.awaitOffer();
    const third = await slots.take("a", 1, never);
    expect(third?.size).toBe(1);
    park(third?.use());
    expect(slots.freeFor("a")).toBe(0);
  });

  it("hold back no other lane, not even one of the same action type", async () => {
    const slots = given(10, { "us a": ["g", 1], "eu a": ["g", 1], b: ["h", 1] });
    park(await hold(slots, "us a"));
    expect(await now(slots.take("us a", 1, never))).toBe("waiting");
    expect(await now(slots.take("eu a", 1, never))).toMatchObject({ size: 1 });
    expect(await now(slots.take("b", 1, never))).toMatchObject({ size: 1 });
  });
});

describe("several lanes", () => {
  it("share the limit of their action type", async () => {
    const slots = given(10, { us: ["g", 2], eu: ["g", 2] });
    await hold(slots, "us");
    await hold(slots, "eu");
    expect(slots.freeFor("us")).toBe(0);
    expect(await now(slots.take("eu", 1, never))).toBe("waiting");
  });

  it("leave each other half, so that a poll that hangs never holds everything", async () => {
    const slots = given(8, { a: ["g", 8], b: ["h", 8] });
    const sizes: number[] = [];
    for (const lane of ["a", "b", "a", "b"]) sizes.push((await reserve(slots, lane, 8)).size);
    expect(sizes).toEqual([4, 2, 1, 1]);
  });

  it("are served in the order in which they began to wait", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1], c: ["i", 1] });
    let held = await hold(slots, "a");
    const order: string[] = [];
    const waits = ["b", "c", "a", "b"].map(async (lane) => {
      const reservation = await slots.take(lane, 1, never);
      order.push(lane);
      return reservation?.use();
    });
    for (const wait of waits) {
      held.free();
      const next = await wait;
      if (!next) throw new Error("no slot");
      held = next;
    }
    expect(order).toEqual(["b", "c", "a", "b"]);
  });

  it("pass by one that cannot be served yet", async () => {
    const slots = given(2, { a: ["g", 1], b: ["h", 2] });
    const a = await hold(slots, "a");
    const b = await hold(slots, "b");
    const blocked = slots.take("a", 1, never);
    const next = slots.take("b", 1, never);
    b.free();
    expect(await now(next)).toMatchObject({ size: 1 });
    expect(await now(blocked)).toBe("waiting");
    a.free();
    expect(await now(blocked)).toMatchObject({ size: 1 });
  });

  it("starve none: a lane that takes again at once lets the other have its turn", async () => {
    const slots = given(1, { greedy: ["g", 1], patient: ["h", 1] });
    let held = await hold(slots, "greedy");
    const patient = slots.take("patient", 1, never);
    const greedy = slots.take("greedy", 1, never);
    held.free();
    const turn = await now(patient);
    expect(turn).toMatchObject({ size: 1 });
    expect(await now(greedy)).toBe("waiting");
    held = (turn as Reservation).use() as Slot;
    held.free();
    expect(await now(greedy)).toMatchObject({ size: 1 });
  });
});

describe("a wait that is aborted", () => {
  it("ends without slots and takes none later", async () => {
    const slots = given(1, { a: ["g", 1] });
    const held = await hold(slots, "a");
    const stop = new AbortController();
    const waiting = slots.take("a", 1, stop.signal);
    stop.abort();
    expect(await now(waiting)).toBeUndefined();
    held.free();
    expect(slots.busy).toBe(0);
    expect(slots.freeFor("a")).toBe(1);
  });

  it("never began when the signal was aborted before, even with slots free", async () => {
    const slots = given(1, { a: ["g", 1] });
    expect(await now(slots.take("a", 1, AbortSignal.abort()))).toBeUndefined();
    expect(slots.busy).toBe(0);
  });

  it("does not hold up those behind it", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const held = await hold(slots, "a");
    const stop = new AbortController();
    const first = slots.take("a", 1, stop.signal);
    const second = slots.take("b", 1, never);
    stop.abort();
    held.free();
    expect(await now(first)).toBeUndefined();
    expect(await now(second)).toMatchObject({ size: 1 });
  });

  it("keeps slots that it had before the abort", async () => {
    const slots = given(1, { a: ["g", 1] });
    const stop = new AbortController();
    const reservation = await now(slots.take("a", 1, stop.signal));
    stop.abort();
    expect(reservation).toMatchObject({ size: 1 });
    expect(slots.busy).toBe(1);
  });

  it("leaves no listener on a signal that lives for long", async () => {
    const slots = given(1, { a: ["g", 1] });
    const stop = new AbortController();
    let listeners = 0;
    const { signal } = stop;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    for (let turn = 0; turn < 20; turn++) {
      const held = await hold(slots, "a");
      const waiting = slots.take("a", 1, never);
      held.free();
      (await waiting)?.giveBack();
    }
    expect(listeners).toBe(0);
  });
});

it("counts jobs that wait for a slot until they have it or give up", async () => {
  const slots = given(1, { a: ["g", 1] });
  const held = await hold(slots, "a");
  const waiting = () => slots.groups[0]?.waiting;
  const end = new AbortController();
  const [first, second] = [slots.forJob("a").work(never), slots.forJob("a").work(end.signal)];
  expect(waiting()).toBe(2);
  end.abort();
  expect(await second).toBe(false);
  expect(waiting()).toBe(1);
  held.free();
  expect(await first).toBe(true);
  expect(waiting()).toBe(0);
});

describe("a lane that goes over to another group", () => {
  it("takes what it holds with it: neither group counts it twice, and both limits hold", async () => {
    const slots = given(10, { a: ["g", 4], b: ["g", 4] });
    const [first, second] = [await hold(slots, "a"), await hold(slots, "a")];
    const other = await hold(slots, "b");
    const asked = await slots.take("a", 1, never);
    slots.open({ name: "a", group: "g in a" }, 3);
    slots.open({ name: "b", group: "g in b" }, 2);
    expect(slots.groups).toEqual([
      { group: "g in a", busy: 3, max: 3, working: 2, owed: 0, waiting: 0, pollers: ["a"] },
      { group: "g in b", busy: 1, max: 2, working: 1, owed: 0, waiting: 0, pollers: ["b"] },
    ]);
    expect([slots.freeFor("a"), slots.freeFor("b")]).toEqual([0, 1]);
    park(second);
    slots.open({ name: "a", group: "g" }, 4);
    slots.open({ name: "b", group: "g" }, 4);
    expect(slots.groups).toEqual([
      { group: "g", busy: 3, max: 4, working: 2, owed: 1, waiting: 0, pollers: ["a", "b"] },
    ]);
    for (const slot of [first, second, other]) slot.free();
    asked?.giveBack();
    expect(slots.groups).toEqual([
      { group: "g", busy: 0, max: 4, working: 0, owed: 0, waiting: 0, pollers: ["a", "b"] },
    ]);
    expect(slots.busy).toBe(0);
  });
});

describe("a lane that is closed", () => {
  it("takes its group out of what is told, once its jobs are over", async () => {
    const slots = given(2, { a: ["g", 1], b: ["h", 1] });
    const [held, owed] = [await hold(slots, "a"), await hold(slots, "b")];
    park(owed);
    const groups = () => slots.groups.map(({ group }) => group);
    slots.close("a");
    slots.close("b");
    expect(groups()).toEqual(["g", "h"]);
    held.free();
    expect(groups()).toEqual(["h"]);
    owed.free();
    expect(groups()).toEqual([]);
    slots.open({ name: "a", group: "g" }, 3);
    expect(slots.groups).toEqual([{ group: "g", busy: 0, max: 3, working: 0, owed: 0, waiting: 0, pollers: ["a"] }]);
  });
});

describe("an owed job that works on", () => {
  it("waits for a slot, also when its lane owes as many as it may", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const owed = await hold(slots, "a");
    park(owed);
    const other = await hold(slots, "b");
    const retaken = owed.work(never);
    expect(await now(retaken)).toBe("waiting");
    other.free();
    expect(await now(retaken)).toBe(true);
    expect([slots.busy, slots.owed]).toEqual([1, 0]);
    owed.free();
    expect(slots.busy).toBe(0);
  });

  it("has its slot still when it never waited", async () => {
    const slots = given(1, { a: ["g", 1] });
    const held = await hold(slots, "a");
    expect(await now(held.work(never))).toBe(true);
    expect(slots.busy).toBe(1);
  });

  it("stays owed when the wait is broken off", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const owed = await hold(slots, "a");
    park(owed);
    await hold(slots, "b");
    const stop = new AbortController();
    const retaken = owed.work(stop.signal);
    stop.abort();
    expect(await now(retaken)).toBe(false);
    expect([slots.busy, slots.owed]).toEqual([1, 1]);
    owed.free();
    expect([slots.busy, slots.owed]).toEqual([1, 0]);
  });
});

describe("many jobs of one lane that wait to work", () => {
  it("take turns with the polls of all lanes, however many they are", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const busy = await hold(slots, "a");
    const served: string[] = [];
    const jobs = Array.from({ length: 9 }, () => slots.forJob("a"));
    for (const job of jobs) void job.work(never).then(() => served.push("job of a"));
    const poll = slots.take("b", 1, never).then((reservation) => {
      served.push("poll of b");
      return reservation;
    });
    busy.free();
    await now(poll);
    expect(served).toEqual(["job of a"]);
    jobs[0]?.free();
    await now(poll);
    expect(served).toEqual(["job of a", "poll of b"]);
    (await poll)?.giveBack();
    for (const job of jobs) {
      await now(poll);
      job.free();
    }
    expect(served).toHaveLength(10);
  });
});

describe("a lane that was never opened", () => {
  it("is a bug", () => {
    const slots = given(1, { a: ["g", 1] });
    expect(() => slots.freeFor("b")).toThrow("bug: no poller b");
    expect(() => slots.take("b", 1, never)).toThrow("bug: no poller b");
  });
});

describe("a job that comes with its result", () => {
  it("waits for nobody's slot, and holds back the polls of its own lane alone", async () => {
    const slots = given(1, { a: ["g", 1], b: ["h", 1] });
    const busy = await hold(slots, "a");
    const owed = await owe(slots, "a", never);
    expect([slots.busy, slots.owed]).toEqual([1, 1]);
    busy.free();
    expect([slots.freeFor("a"), slots.freeFor("b")]).toEqual([0, 1]);
    owed?.free();
    expect([slots.freeFor("a"), slots.owed]).toEqual([1, 0]);
  });

  it("waits while its lane owes as many as it may run", async () => {
    const slots = given(9, { a: ["g", 2] });
    const first = await owe(slots, "a", never);
    await owe(slots, "a", never);
    const third = owe(slots, "a", never);
    const stop = new AbortController();
    const fourth = owe(slots, "a", stop.signal);
    expect(await now(third)).toBe("waiting");
    stop.abort();
    expect(await fourth).toBeUndefined();
    first?.free();
    expect(await now(third)).not.toBe("waiting");
    expect(slots.owed).toBe(2);
  });

  it("takes a slot like any other when it must be worked all the same", async () => {
    const slots = given(1, { a: ["g", 1] });
    const busy = await hold(slots, "a");
    const owed = await owe(slots, "a", never);
    const retaken = owed?.work(never) ?? Promise.resolve(false);
    expect(await now(retaken)).toBe("waiting");
    busy.free();
    expect(await now(retaken)).toBe(true);
    expect([slots.busy, slots.owed]).toEqual([1, 0]);
  });
});

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { TurnoverMap, TurnoverSet } from "../../../src/std/turnover.ts";

describe("TurnoverMap", () => {
  test("does what a Map does, over random steps", () => {
    const own = new TurnoverMap<string, number>();
    const model = new Map<string, number>();
    let seed = 7;
    const next = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let step = 0; step < 5_000; step++) {
      const key = `job-${next(40)}`;
      if (next(2) === 0) {
        expect(own.set(key, step)).toBe(own);
        model.set(key, step);
      } else {
        expect(own.delete(key)).toBe(model.delete(key));
      }
      const other = `job-${next(40)}`;
      expect(own.get(other)).toBe(model.get(other));
      expect(own.has(other)).toBe(model.has(other));
      expect(own.size).toBe(model.size);
    }
    expect([...own]).toEqual([...model]);
    expect([...own.keys()]).toEqual([...model.keys()]);
    expect([...own.values()]).toEqual([...model.values()]);
  });

  test("what is deleted during a walk is left out, what comes is seen", () => {
    const map = new TurnoverMap<number, string>();
    for (const n of [1, 2, 3]) map.set(n, `job ${n}`);
    const seen: string[] = [];
    for (const value of map.values()) {
      seen.push(value);
      map.delete(2);
      if (seen.length === 1) map.set(4, "job 4");
    }
    expect(seen).toEqual(["job 1", "job 3", "job 4"]);
  });
});

describe("TurnoverSet", () => {
  test("keeps items in order, the same one twice if it is added twice", () => {
    const set = new TurnoverSet<string>();
    const [a, b, again] = [set.add("a"), set.add("b"), set.add("a")];
    expect([...set]).toEqual(["a", "b", "a"]);
    expect(set.delete(a)).toBe(true);
    expect(set.delete(a)).toBe(false);
    expect([...set]).toEqual(["b", "a"]);
    expect([set.delete(b), set.delete(again), set.size]).toEqual([true, true, 0]);
  });

  test("what leaves during a walk is left out", () => {
    const set = new TurnoverSet<number>();
    const [, second] = [1, 2, 3].map((n) => set.add(n));
    const seen = [];
    for (const item of set) {
      seen.push(item);
      if (second) set.delete(second);
    }
    expect(seen).toEqual([1, 3]);
  });
});

describe("memory", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: "minor" | "major" }) => void;
  const itemBytes = 8_000;

  /** How many bytes of items that are long gone have grown old: 2,000 items, 33 at a time, each for less than two collections. */
  function grownOld(add: (name: string, item: object) => () => void): number {
    const used = () =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size ?? 0;
    const live = Array.from({ length: 33 }, () => () => {});
    collect({ type: "major" });
    const before = used();
    // The most at any time: a full collection in between makes room.
    let grown = 0;
    for (let at = 0; at < 2_000; at++) {
      live[at % live.length]?.();
      live[at % live.length] = add(
        `job-${at}`,
        Array.from({ length: itemBytes / 8 }, () => at),
      );
      if (at % 40 === 0) collect({ type: "minor" });
      grown = Math.max(grown, used() - before);
    }
    for (const remove of live) remove();
    return grown;
  }

  test("a Map makes all that it ever held grow old; these do not", () => {
    const map = new Map<string, object>();
    const byMap = grownOld((name, item) => {
      map.set(name, item);
      return () => map.delete(name);
    });
    const turnover = new TurnoverMap<string, object>();
    const byTurnover = grownOld((name, item) => {
      turnover.set(name, item);
      return () => turnover.delete(name);
    });
    const set = new TurnoverSet<object>();
    const bySet = grownOld((_, item) => {
      const member = set.add(item);
      return () => set.delete(member);
    });
    // Else V8 has mended it, and this file can go.
    expect(byMap, JSON.stringify({ byMap, byTurnover, bySet })).toBeGreaterThan(5 * Math.max(byTurnover, bySet));
  });
});

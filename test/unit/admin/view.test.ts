// Promise: the slots that are wanted are those that jobs hold or wait for, and one more for each action type of which
// CodePipeline may have more than there are slots here; never a guess of how many.
import fc from "fast-check";
import { expect, it } from "vitest";
import { type AdminStatus, slotsWanted } from "../../../src/admin/view.js";
import { pollerWith, statusWith } from "../../support/admin-status.js";

type Group = AdminStatus["slots"]["groups"][number];
const place = (name: string) => ({ region: "us-east-1", actionType: name });
const groupOf = (name: string, change: Partial<Group>): Group => {
  const pollers = [`us-east-1 ${name}`, `eu-west-1 ${name}`];
  return { group: name, busy: 0, max: 5, working: 0, owed: 0, waiting: 0, pollers, ...change };
};

function wanted(
  groups: Readonly<Record<string, Partial<Group> & { readonly isFull?: boolean }>>,
  max: number,
  change: Partial<AdminStatus> = {},
): number {
  const each = Object.entries(groups).map(([name, { isFull = false, ...group }]) => ({ name, isFull, group }));
  const working = each.reduce((sum, { group }) => sum + (group.working ?? 0), 0);
  const slots = { busy: working, max, working, owed: 0, groups: each.map(({ name, group }) => groupOf(name, group)) };
  const pollers = each.map(({ name, isFull }) => pollerWith({ ...place(name), mayHaveMore: isFull }));
  return slotsWanted(statusWith({ slots, pollers, ...change }));
}

it.each<readonly [string, Parameters<typeof wanted>, number]>([
  ["nothing to do", [{ a: {} }, 10], 0],
  ["jobs, and room for more", [{ a: { working: 3 } }, 10], 3],
  ["a full poll, and room for more: the next poll tells", [{ a: { working: 3, isFull: true } }, 10], 3],
  ["a full poll that took the last slot of its action type", [{ a: { working: 5, isFull: true } }, 10], 6],
  ["a full poll that took the last slot of all", [{ a: { working: 3, isFull: true } }, 3], 4],
  ["the last slot, but CodePipeline had no more", [{ a: { working: 5 } }, 10], 5],
  ["two action types that may both have more", [{ a: { working: 3, isFull: true }, b: { isFull: true } }, 3], 5],
  ["jobs of ours that wait for a slot", [{ a: { working: 5, waiting: 4 } }, 10], 9],
  ["results that are owed need no slot", [{ a: { working: 1, owed: 4 } }, 10], 1],
  ["a drain takes no more", [{ a: { working: 5, isFull: true } }, 10, { isDraining: true }], 5],
  ["a pause takes no more", [{ a: { working: 5, isFull: true } }, 10, { isPaused: true }], 5],
  [
    "a pause of the fleet takes no more",
    [{ a: { working: 5, isFull: true } }, 10, { fleet: { replicas: [], pause: { sinceMs: 0, by: "ada" } } }],
    5,
  ],
])("%s", (_what, given, expected) => {
  expect(wanted(...given)).toBe(expected);
});

it("counts an action type once, however many Regions it is polled in", () => {
  const pollers = ["us-east-1", "eu-west-1"].map((region) =>
    pollerWith({ region, actionType: "a", mayHaveMore: true }),
  );
  expect(wanted({ a: { working: 5 } }, 10, { pollers })).toBe(6);
});

it("is never less than what works, nor more than one above what is here for each action type", () => {
  const group = fc.record({ working: fc.nat(5), waiting: fc.nat(9), isFull: fc.boolean() });
  fc.assert(
    fc.property(fc.array(group, { maxLength: 4 }), fc.integer({ min: 1, max: 30 }), (groups, max) => {
      const here = groups.reduce((sum, { working, waiting }) => sum + working + waiting, 0);
      const found = wanted(Object.fromEntries(groups.map((each, n) => [`type-${n}`, each])), max);
      expect(found).toBeGreaterThanOrEqual(here);
      expect(found).toBeLessThanOrEqual(here + groups.length);
    }),
  );
});

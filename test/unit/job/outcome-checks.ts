// What the tests of outcomes share: one check for what is taken and one for what is refused.
import { expect } from "vitest";
import type { ActionOwner } from "../../../src/job/job.js";
import { type Outcome, outcomeFrom } from "../../../src/job/outcome.js";

/** Checks one value as the outcome of an action of that owner. */
export function check(value: unknown, expected: unknown, owner: ActionOwner = "Custom"): void {
  expect(outcomeFrom(value, owner)).toEqual(expected);
}

/** Checks that a value is called impossible, and why. */
export function refuse(value: unknown, reason: string | RegExp, owner: ActionOwner = "Custom"): void {
  const outcome = outcomeFrom(value, owner);
  expect(outcome).toMatchObject({ kind: "failed", type: "JobFailed" });
  const { message } = outcome as Outcome & { kind: "failed" };
  expect(message).toMatch(/^the handler returned an /);
  if (typeof reason === "string") expect(message).toContain(reason);
  else expect(message).toMatch(reason);
}

// The reducer's whole table, written out a second time: every state with every event.
import { describe, expect, it } from "vitest";
import { isOver, isOwed, type JobEventType, type JobState, transition } from "../../../src/job/lifecycle.js";

const eventTypes = [
  "details-received",
  "acknowledge-sent",
  "acknowledge-accepted",
  "claim-confirmed",
  "callback-awaited",
  "outcome-settled",
  "report-accepted",
  "job-lost",
] as const satisfies readonly JobEventType[];

/** A new event type without a column here does not compile. */
type MissingEvent = Exclude<JobEventType, (typeof eventTypes)[number]>;
const missingEvents: readonly MissingEvent[] = [];

const no = undefined;
/** In the order of `eventTypes`; `no`: illegal. */
const table: Readonly<Record<JobState, readonly (JobState | undefined)[]>> = {
  polled: ["detailed", no, no, no, no, no, no, "dropped"],
  detailed: [no, "acknowledging", no, no, no, no, no, "dropped"],
  acknowledging: [no, "acknowledging", "running", no, no, no, no, "dropped"],
  running: [no, no, no, "running", "running", "settled", no, "dropped"],
  settled: [no, no, no, "settled", no, no, "reported", "dropped"],
  reported: [no, no, no, no, no, no, no, no],
  dropped: [no, no, no, no, no, no, no, no],
};
const states = Object.keys(table) as JobState[];
const pairs = states.flatMap((state) =>
  eventTypes.map((type, column) => ({ state, type, next: table[state][column] })),
);

describe("transition", () => {
  it("knows every event type", () => {
    expect(missingEvents).toEqual([]);
    for (const state of states) expect(table[state]).toHaveLength(eventTypes.length);
  });

  it.each(pairs.filter((pair) => pair.next !== undefined))(
    "moves $state by $type to $next",
    ({ state, type, next }) => {
      expect(transition(state, { type })).toBe(next);
    },
  );

  it.each(pairs.filter((pair) => pair.next === undefined))("refuses $type for a job that is $state", (pair) => {
    expect(() => transition(pair.state, { type: pair.type })).toThrow(
      `bug: a job that is ${pair.state} cannot take the event ${pair.type}`,
    );
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty", ""])(
    "refuses the event %j, which no type allows but a damaged record may hold",
    (type) => {
      for (const state of states) {
        expect(() => transition(state, { type: type as JobEventType })).toThrow("bug: ");
      }
    },
  );

  it.each(["constructor", "__proto__", "toString", "claimed"])("refuses the unknown state %j as a bug", (state) => {
    expect(() => transition(state as JobState, { type: "job-lost" })).toThrow(
      `bug: a job that is ${state} cannot take the event job-lost`,
    );
  });

  it("leaves every state but the final ones by job-lost", () => {
    for (const state of states) {
      const isFinal = state === "reported" || state === "dropped";
      if (isFinal) expect(() => transition(state, { type: "job-lost" })).toThrow();
      else expect(transition(state, { type: "job-lost" })).toBe("dropped");
    }
  });
});

it("never calls a job that is over owed", () => {
  expect(states.filter(isOver)).toEqual(["reported", "dropped"]);
  expect(states.filter(isOwed)).toEqual(["acknowledging", "running", "settled"]);
});

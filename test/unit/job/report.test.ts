// What an answer to a put means, written out a second time, and that no order of answers loses a result that was taken.
import fc from "fast-check";
import { expect, it } from "vitest";
import { type ReportEventType, type ReportState, reportAfter, reportMoves } from "../../../src/job/report.js";

const events = ["put-accepted", "no-answer", "over", "invalid"] as const satisfies readonly ReportEventType[];

/** In the order of `events`. */
const table: Readonly<Record<ReportState, readonly ReportState[]>> = {
  due: ["accepted", "unanswered", "lost", "replaced"],
  unanswered: ["accepted", "unanswered", "accepted", "replaced"],
  replaced: ["accepted", "replacement-unanswered", "lost", "lost"],
  "replacement-unanswered": ["accepted", "replacement-unanswered", "accepted", "lost"],
  accepted: ["accepted", "accepted", "accepted", "accepted"],
  lost: ["lost", "lost", "lost", "lost"],
};

it("moves by each answer as the table says", () => {
  expect(Object.keys(table)).toEqual(Object.keys(reportMoves));
  for (const [state, row] of Object.entries(table)) {
    expect(events.map((event) => reportAfter(state as ReportState, event))).toEqual(row);
  }
});

it("counts a result as taken whenever CodePipeline took it, whatever answers were lost, as long as it was valid", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("answered", "lost", "never sent"), { maxLength: 20 }), (puts) => {
      let isTaken = false;
      let state: ReportState = "due";
      for (const put of puts) {
        if (state === "accepted") break;
        if (put === "never sent") continue;
        const answer: ReportEventType = isTaken ? "over" : "put-accepted";
        isTaken = true;
        state = reportAfter(state, put === "lost" ? "no-answer" : answer);
      }
      if (isTaken) expect(["accepted", "unanswered"]).toContain(state);
      else expect(state).toBe("due");
    }),
  );
});

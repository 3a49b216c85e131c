// How a result comes to be CodePipeline's: what an answer to a put means, given what may have happened before. A put
// whose answer was lost may have been accepted; once it may, "over" is what acceptance looks like. Pure.

export type ReportState =
  /** Owed; no put of it can have been accepted. */
  | "due"
  /** A put of it may have been accepted: no answer came, or an earlier process owed it. */
  | "unanswered"
  /** Refused as invalid; a short failure is owed in its place. */
  | "replaced"
  | "replacement-unanswered"
  | "accepted"
  /** CodePipeline will not take it any more. */
  | "lost";

export type ReportEventType =
  /** The put was answered. */
  | "put-accepted"
  /** No answer came; it may have been accepted. A crash is one, too. */
  | "no-answer"
  /** The job is over or gone, by CodePipeline's word. */
  | "over"
  /** The result itself was refused as invalid. */
  | "invalid";

/** What each answer makes of each state; one that a state does not name changes nothing. */
export const reportMoves: Readonly<Record<ReportState, Partial<Record<ReportEventType, ReportState>>>> = {
  due: { "put-accepted": "accepted", "no-answer": "unanswered", over: "lost", invalid: "replaced" },
  unanswered: { "put-accepted": "accepted", over: "accepted", invalid: "replaced" },
  replaced: { "put-accepted": "accepted", "no-answer": "replacement-unanswered", over: "lost", invalid: "lost" },
  "replacement-unanswered": { "put-accepted": "accepted", over: "accepted", invalid: "lost" },
  accepted: {},
  lost: {},
};

export function reportAfter(state: ReportState, event: ReportEventType): ReportState {
  return reportMoves[state][event] ?? state;
}

// How a result comes to be CodePipeline's: what an answer to a put means, given what may have happened before. A put
// whose answer was lost may have been accepted; once it may, "over" is what acceptance looks like. Pure.

export type ReportState =
  /** Owed: no attempt to report it can have been accepted. */
  | "due"
  /** An attempt may have been accepted: its answer was lost, or an earlier process may have made one. */
  | "unanswered"
  /** CodePipeline refused the result as invalid; a generic failure is reported instead. */
  | "replaced"
  /** That failure may have been accepted: its answer was lost. */
  | "replacement-unanswered"
  /** CodePipeline has the result. */
  | "accepted"
  /** CodePipeline no longer accepts a result for this job. */
  | "lost";

export type ReportEventType =
  /** The attempt was accepted. */
  | "put-accepted"
  /** No answer came, so the attempt may have been accepted. A crash counts as this. */
  | "no-answer"
  /** CodePipeline said that the job has ended or is gone. */
  | "over"
  /** CodePipeline refused the result itself as invalid. */
  | "invalid";

/** The next state for each answer. An answer that is not listed for a state changes nothing. */
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

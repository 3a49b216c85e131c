// What the customer reads of a job that was ended for its handler.

/** A stop that did not wait for the handler. */
export const stoppedText = "partnerd was stopped before the job ended; run the action again";

/** The job's own time limit. */
export function timedOutText(limitMs: number): string {
  return `the job took longer than its limit of ${limitInWords(limitMs)} (jobTimeout) and was stopped`;
}

/** Such as `30 min` and `90 s`. */
export function limitInWords(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}

// A partner's function running for one job: the job object it is given, and what its end is worth. The same in the
// daemon's own thread and in a separate one.
import { isJobFailure } from "../../job/failure.js";
import type { HandlerCall, HandlerJob, JobDocument } from "../handler.js";

/** What a module exports. It is the partner's code, so its promise to be a Handler is not believed. */
export type HandlerFunction = (job: HandlerJob) => unknown;

/** What a job object is made of. */
export interface HandlerJobParts extends Omit<HandlerJob, keyof JobDocument> {
  readonly document: JobDocument;
  /** Called for each output artifact that a handler which succeeded did not upload. */
  readonly onMissing: (artifact: string) => void;
}

/** How the handler ended, as a value: a late one can be ignored without an unhandled rejection. */
export type Settled = { readonly value: unknown } | { readonly thrown: unknown };

/** Runs the handler on one job. Never rejects. */
export async function settledRun(handler: HandlerFunction, parts: HandlerJobParts): Promise<Settled> {
  try {
    const uploaded = new Set<string>();
    const value = await handler(handlerJob(parts, uploaded));
    reportMissing(parts, value, uploaded);
    return { value };
  } catch (thrown) {
    return { thrown };
  }
}

/** A handler that throws because it was asked to stop only repeats the reason; a JobFailure is its own word. */
export function settledOr(settled: Settled, signal: AbortSignal): unknown {
  if ("value" in settled) return settled.value;
  if (signal.aborted && !isJobFailure(settled.thrown)) throw signal.reason;
  throw settled.thrown;
}

function handlerJob(parts: HandlerJobParts, uploaded: Set<string>): HandlerJob {
  const { document, onMissing: _, ...own } = parts;
  return {
    ...document,
    ...own,
    // No `async` here: the promise of an upload that is not awaited must not end the process.
    output: (name, directory) => {
      uploaded.add(name);
      return own.output(name, directory);
    },
  };
}

/** Not a failure: partnerd does not know whether the pipeline needs the artifact. */
function reportMissing({ document, onMissing }: HandlerJobParts, value: unknown, uploaded: ReadonlySet<string>): void {
  const isSuccess = typeof value === "object" && value !== null && "kind" in value && value.kind === "succeeded";
  if (!isSuccess) return;
  for (const { name } of document.outputs) if (!uploaded.has(name)) onMissing(name);
}

/** A call whose log is only made when a line is written. */
type HasLog = Pick<HandlerCall, "log">;

/** Logs that an output artifact was not uploaded. */
export function missingLine({ log }: HasLog, artifact: string): void {
  const message = `the handler succeeded without uploading the output artifact ${artifact}; a later action may miss it`;
  log.warn("output-not-uploaded", { artifact }, message);
}

/** Logs where an error came from, which the customer is not told. A JobFailure is meant as it is. */
export function thrownLine(call: HasLog, settled: Settled, signal: AbortSignal): void {
  if ("value" in settled || signal.aborted || isJobFailure(settled.thrown)) return;
  call.log.warn("handler-threw", { err: settled.thrown }, "the handler threw an error; its job fails");
}

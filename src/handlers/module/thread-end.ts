// How the thread of a handler ends unexpectedly, in words: for the log, and for the customer of each job that
// it took along.
import { JobFailure, messageOf } from "../../job/failure.js";
import { machineFault, WorkerFault } from "../../job/worker-fault.js";
import { codeOf } from "../../std/errors.js";
import { Unbuildable } from "../unbuildable.js";
import { tooMuchMemory } from "./thread-watch.js";

/** An unexpected end. */
export interface Death {
  /** What it did, such as "called process.exit(1)". */
  readonly what: string;
  /** How many jobs it took along. */
  readonly jobs: number;
}

/** A thread ended during a job: not by the job's own fault, or by an unknown one. */
export class ThreadEnded extends JobFailure {
  constructor(what: string) {
    super("SystemUnavailable", `the handler's thread ended during the job: ${what}; run the action again`);
  }
}

/** What a thread did that ended by an error. */
export function causeOf(error: unknown, maxMemoryBytes: number): string {
  if (codeOf(error) === "ERR_WORKER_OUT_OF_MEMORY") return tooMuchMemory(maxMemoryBytes);
  return `threw an uncaught error: ${messageOf(error)}`;
}

/** Why a thread did not come to load its module. */
export function startFault(error: unknown): Error {
  const what = "the handler's thread could not be started";
  if (codeOf(error) === "ERR_WORKER_INIT_FAILED") {
    return new WorkerFault("machine", `${what}: ${messageOf(error)}`, { code: "EAGAIN", cause: error });
  }
  return (
    machineFault(error, what) ?? new Unbuildable(`its module ended the thread that loaded it: ${messageOf(error)}`)
  );
}

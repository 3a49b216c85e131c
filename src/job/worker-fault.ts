// Failures that are no job's own: the handler can do no job at all, or the machine lacks something. The engine takes
// no more jobs while they last, so the code that meets one says so with this class. Pure.
import { JobFailure } from "./failure.js";

/**
 * Thrown by our own code, never by a partner's. `handler`: this handler can do no job now; it cannot be loaded or
 * started, or its service refuses connections. `machine`: the worker's machine lacks files, processes, memory or disk
 * space. The job fails as SystemUnavailable: it is not the customer's mistake.
 */
export class WorkerFault extends JobFailure {
  readonly where: "handler" | "machine";
  /** Of the operating system, such as EMFILE or ECONNREFUSED, where there is one. */
  readonly code: string | undefined;

  constructor(
    where: "handler" | "machine",
    message: string,
    options: { readonly code?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super("SystemUnavailable", message, { cause: options.cause });
    this.where = where;
    this.code = options.code;
  }
}

/** What the machine lacks, by the system's error code. */
const shortages: Readonly<Record<string, string>> = {
  EMFILE: "open files",
  ENFILE: "open files",
  EAGAIN: "processes or threads",
  ENOMEM: "memory",
  ENOSPC: "disk space",
  EDQUOT: "disk space",
};

/** The fault behind an error of the system that passes once the machine has more of what it lacks; else undefined. */
export function machineFault(error: unknown, what: string): WorkerFault | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const lacking = Object.hasOwn(shortages, code) ? shortages[code] : undefined;
  if (lacking === undefined) return undefined;
  return new WorkerFault("machine", `${what}: the worker's machine is out of ${lacking} (${code})`, {
    code,
    cause: error,
  });
}

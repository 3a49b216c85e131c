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
  /** Only a program's own words say so; they may be about something else. */
  readonly isHearsay: boolean;

  constructor(
    where: "handler" | "machine",
    message: string,
    options: { readonly code?: string | undefined; readonly cause?: unknown; readonly isHearsay?: boolean } = {},
  ) {
    super("SystemUnavailable", message, { cause: options.cause });
    this.where = where;
    this.code = options.code;
    this.isHearsay = options.isHearsay ?? false;
  }
}

/** What the machine lacks, by the system's error code. */
const shortages: Readonly<Record<string, string>> = {
  EMFILE: "open files",
  ENFILE: "open files",
  EAGAIN: "processes or threads",
  ENOMEM: "memory",
  ENOBUFS: "memory",
  ENOSPC: "disk space",
  EDQUOT: "disk space",
};
/** So long is waited for what the machine lacks, and so often it is tried: other jobs end meanwhile. */
export const shortageWait = { maxMs: 10_000, restMs: 250 } as const;
/** Node's own codes have the system's in the text, if anywhere: of threads and modules that it could not begin. */
const nodeCode = /^ERR_/;
/** Wrappers around a system's error; a longer chain is none of ours. */
const depthMax = 5;

/** The fault behind an error, or one of its causes, that passes once the machine has more of what it lacks. */
export function machineFault(error: unknown, what: string): WorkerFault | undefined {
  if (error instanceof WorkerFault) return error.where === "machine" ? error : undefined;
  const code = shortageCode(error);
  const lacking = code === undefined ? undefined : shortages[code];
  if (lacking === undefined) return undefined;
  return new WorkerFault("machine", `${what}: the worker's machine is out of ${lacking} (${code})`, {
    code,
    cause: error,
  });
}

/** The system's code for what the machine lacks; `undefined` for every other error. */
export function shortageCode(error: unknown): string | undefined {
  let inner = error;
  for (let depth = 0; depth < depthMax && inner instanceof Error; depth++) {
    const code = "code" in inner ? String(inner.code) : "";
    if (Object.hasOwn(shortages, code)) return code;
    const told = nodeCode.test(code) || "errno" in inner ? codeIn(inner.message) : undefined;
    if (told ?? code === "ERR_WORKER_INIT_FAILED") return told ?? "EAGAIN";
    inner = inner.cause;
  }
  return undefined;
}

function codeIn(text: string): string | undefined {
  if (/too many open files/i.test(text)) return "EMFILE";
  return Object.keys(shortages).find((code) => new RegExp(`\\b${code}\\b`).test(text));
}

/** How shells, libraries and languages put it, by the system's code. */
const words: readonly (readonly [string, RegExp])[] = [
  ["EMFILE", /\bE[MN]FILE\b|Too many open files|No file descriptors available/],
  [
    "EAGAIN",
    /\bcan(?:no|')t fork\b|\bfork: (?:retry|.*Resource temporarily unavailable)|\bspawn \S* ?EAGAIN\b|can't start new thread/i,
  ],
  ["EAGAIN", /\[Errno 11\] Resource temporarily unavailable|pthread_create.*Resource temporarily unavailable/],
  ["ENOSPC", /\bENOSPC\b|No space left on device/],
  ["EDQUOT", /\bEDQUOT\b|Disk quota exceeded/],
  ["ENOMEM", /\bENOMEM\b|Cannot allocate memory/],
];

/** The fault that a program's last words tell of: it met what the machine lacks before we did. */
export function heardFault(said: string): WorkerFault | undefined {
  const code = words.find(([, pattern]) => pattern.test(said))?.[0];
  const lacking = code === undefined ? undefined : shortages[code];
  if (lacking === undefined) return undefined;
  const message = `the worker's machine seems to be out of ${lacking} (${code}); the handler said:\n${said}`;
  return new WorkerFault("machine", message, { code, isHearsay: true });
}

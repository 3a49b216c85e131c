// What is said of an archive that is not unpacked: refused for what it is (the customer fixes it), or failed for what
// befell us (the operator fixes it). Every text names the entry, escaped and shortened: names come from outside.
import { type FailureType, JobFailure } from "../job/failure.js";
import { shortageCode, WorkerFault } from "../job/worker-fault.js";
import { codeOf } from "../std/errors.js";

/** An archive that is not unpacked because of what it is. The message has no artifact's name in it yet. */
export class ArchiveRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ArchiveRefused";
  }
}

/** Refused for a checksum or a structure that does not fit: bytes that changed on their way look the same. */
export class DamageFound extends ArchiveRefused {}

export interface Refusal {
  readonly failure: FailureType;
  readonly message: string;
  readonly isDamage?: true;
  /** The system's code for what the machine lacks. */
  readonly shortage?: string;
}

/** The refusal as what a job fails with. */
export function failureOfRefusal({ failure, message, isDamage, shortage }: Refusal, cause?: unknown): JobFailure {
  if (shortage !== undefined) return new WorkerFault("machine", message, { code: shortage, cause });
  return new (isDamage ? ArchiveDamaged : JobFailure)(failure, message, { cause });
}

/** The failure of a damaged archive; not the customer's fault before its bytes are verified. */
export class ArchiveDamaged extends JobFailure {}

const shownNameMax = 200;

/** An entry's name for a message: in quotes, control characters escaped, shortened. */
export function shown(name: string): string {
  const short = name.length > shownNameMax ? `${name.slice(0, shownNameMax).toWellFormed()}…` : name.toWellFormed();
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What to answer for anything that was thrown while unpacking. */
export function refusalOf(thrown: unknown, artifact: string): Refusal {
  if (thrown instanceof ArchiveRefused) {
    const message = `the artifact ${artifact} cannot be unpacked: ${thrown.message}`;
    return { failure: "ConfigurationError", message, ...(thrown instanceof DamageFound && { isDamage: true }) };
  }
  const shortage = shortageCode(thrown);
  return { ...oursFor(thrown, artifact), ...(shortage !== undefined && { shortage }) };
}

function oursFor(thrown: unknown, artifact: string): Refusal {
  const own = codeOf(thrown) ?? "";
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (own === noThread) return ours(artifact, noThreadReason(text));
  const code = shortageCode(thrown) ?? own;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return ours(artifact, `the disk of this worker is full (${code}); retry the action later`);
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return ours(artifact, `this worker has too many open files (${code}); retry the action later`);
  }
  if (/^E[A-Z0-9]+$/.test(code)) return ours(artifact, `this worker's file system failed (${code}); retry the action`);
  return ours(artifact, `an internal error in partnerd: ${text}; report it to the operator of this worker`);
}

/** What Node says when the system gives it no further thread. */
export const noThread = "ERR_WORKER_INIT_FAILED";

/** Why nothing is packed or unpacked without a thread, and what to do. */
export function noThreadReason(why: string): string {
  const remedy = "its operator should raise the limit of threads (pids of a container, TasksMax of systemd)";
  return `this worker can start no further thread (${why}); retry the action later, and ${remedy}`;
}

function ours(artifact: string, what: string): Refusal {
  return { failure: "SystemUnavailable", message: `the artifact ${artifact} was not unpacked: ${what}` };
}

// What the near side of packing and its thread say to each other, and how a folder that is not packed is reported:
// refused for what is in it (who made the folder fixes it), or failed for what befell this worker.
import type { FailureType } from "../../job/failure.js";
import { shortageCode } from "../../job/worker-fault.js";
import { codeOf } from "../../std/errors.js";
import type { LeftOut } from "../links.js";
import { ArchiveRefused, noThread, noThreadReason, type Refusal, shown } from "../refusal.js";
import type { UnpackLimits } from "../unpack/unpack-limits.js";

/** The operator's limits (`artifacts.*`), those of unpacking: what ours would not take in is not given to others. */
export type PackLimits = UnpackLimits;

/** A zip file that was made. */
export interface Packed {
  readonly sizeBytes: number;
  /** Files, links and folders in it. */
  readonly entries: number;
  /** Links that were not packed (`artifacts.badLinks: skip`), when there are any. */
  readonly leftOut?: LeftOut;
}

/** What the thread is given; it ends with its one answer. */
export interface PackOrder {
  readonly artifact: string;
  readonly directory: string;
  /** The zip file, open for writing and empty; it stays the near side's. */
  readonly descriptor: number;
  readonly limits: PackLimits;
}

/** What the thread answers. */
export type PackAnswer =
  | { readonly type: "packed"; readonly packed: Packed }
  | ({ readonly type: "refused" } & Refusal);

/** A folder that is not packed because of what is in it. The message has no artifact's name in it yet. */
export class FolderRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FolderRefused";
  }
}

/** The refusal of one entry, by its path within the folder. */
export function refusedEntry(path: string, what: string): FolderRefused {
  return new FolderRefused(`its entry ${shown(path)} ${what}`);
}

/** The refusal of an entry that is not what it was when the folder was listed. */
export function changedEntry(path: string): FolderRefused {
  return refusedEntry(path, "changed while it was packed; finish writing before you hand over the folder");
}

/** What to answer for anything that was thrown while packing. */
export function refusalOfFolder(thrown: unknown, artifact: string): PackAnswer {
  if (thrown instanceof FolderRefused || thrown instanceof ArchiveRefused) {
    return refused("ConfigurationError", `the output artifact ${artifact} cannot be packed: ${thrown.message}`);
  }
  const own = codeOf(thrown) ?? "";
  const code = own === noThread ? own : (shortageCode(thrown) ?? own);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const what =
    (code === noThread ? noThreadReason(text) : troubles[code]) ??
    (isSystemCode(code) ? `this worker's file system failed (${code})` : undefined);
  const why = what ?? `an internal error in partnerd: ${text}; report it to the operator of this worker`;
  const shortage = shortageCode(thrown);
  const answer = refused("SystemUnavailable", `the output artifact ${artifact} was not packed: ${why}`);
  return shortage === undefined ? answer : { ...answer, shortage };
}

const troubles: Readonly<Record<string, string>> = {
  ENOSPC: "the disk of this worker is full (ENOSPC); retry the action later",
  EDQUOT: "the disk of this worker is full (EDQUOT); retry the action later",
  EMFILE: "this worker has too many open files (EMFILE); retry the action later",
  ENFILE: "this worker has too many open files (ENFILE); retry the action later",
};

function isSystemCode(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code);
}

function refused(failure: FailureType, message: string): PackAnswer & { type: "refused" } {
  return { type: "refused", failure, message };
}

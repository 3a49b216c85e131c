// What SQLite and the file system say, as the LedgerError that an operator can act on.
import { messageOf } from "../../job/failure.js";
import { codeOf } from "../../std/errors.js";
import { sqliteCode } from "../../std/sqlite.js";
import { LedgerError } from "../ledger.js";

/** SQLite's primary result codes (sqlite.org/rescode.html) with the words for a person. */
const meanings: Readonly<Record<number, string>> = {
  3: "permission denied",
  5: "another program holds a lock on it",
  6: "another program holds a lock on it",
  8: "the file or its disk is read-only",
  10: "the disk gives I/O errors",
  11: "the file is damaged",
  13: "the disk is full",
  14: "it cannot be opened",
  22: "the disk cannot hold so large a file",
  26: "it is not an SQLite database, or it is damaged",
};
/** What the system says before SQLite is asked. */
const systemMeanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ENOENT: "its folder does not exist",
  ENOSPC: "the disk is full",
  ENOTDIR: "its folder is not a folder",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
};
const damageCodes: readonly number[] = [11, 26];

/** A fault met while the file was opened or read. */
export function openingFault(path: string, error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  const code = sqliteCode(error);
  if (code !== undefined && damageCodes.includes(code)) {
    const remedy = "the jobs in it cannot be read; move it and its -wal file away to start with an empty ledger";
    return new LedgerError("unreadable", `the ledger ${path} cannot be read: ${meaningOf(error)}; ${remedy}`, error);
  }
  return new LedgerError("unwritable", `the ledger ${path} cannot be opened: ${meaningOf(error)}`, error);
}

/** A fault met while a transaction was written. */
export function writingFault(path: string, error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  return new LedgerError("unwritable", `the ledger ${path} is not writable: ${meaningOf(error)}`, error);
}

function meaningOf(error: unknown): string {
  const own = messageOf(error);
  const code = sqliteCode(error);
  const meaning = code === undefined ? systemMeanings[codeOf(error) ?? ""] : meanings[code];
  return meaning === undefined ? own : `${meaning} (${own})`;
}

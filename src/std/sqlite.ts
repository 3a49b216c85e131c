// SQLite as it comes with Node, for ledgers and locks.

/**
 * Loads `node:sqlite` when it is first needed, in one go: between the two changes of emitWarning nothing else runs.
 * Node 22 calls it experimental on stderr, which helps no operator.
 */
export function loadSqlite(): typeof import("node:sqlite") {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes("SQLite is an experimental feature")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** SQLite's SQLITE_BUSY and SQLITE_LOCKED (sqlite.org/rescode.html). */
const busyCodes: readonly (number | undefined)[] = [5, 6];

/** SQLite's primary result code in an error of its; the extended ones have it in their lowest byte. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** True when another connection holds the lock that was asked for. */
export function isSqliteBusy(error: unknown): boolean {
  return busyCodes.includes(sqliteCode(error));
}

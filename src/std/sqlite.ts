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

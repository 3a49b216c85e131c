// What createWorker and its worker throw: errors of two kinds, each with a stable `code`.

/** One mistake of a configuration. */
export interface ConfigurationMistake {
  /** The place, such as `partnerd.yaml:12`; empty for a configuration given as an object: the text names the key. */
  readonly where: string;
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** The configuration cannot be used. `mistakes` has all that is wrong with it, and none shows a secret. */
export class WorkerConfigError extends Error {
  readonly code = "config-invalid";
  readonly mistakes: readonly ConfigurationMistake[];

  constructor(mistakes: readonly ConfigurationMistake[]) {
    super(mistakes.map(inWords).join("; "));
    this.name = "WorkerConfigError";
    this.mistakes = mistakes;
  }
}

/** The worker cannot start: a handler cannot be loaded, the ledger or a port not opened. `cause`: the error itself. */
export class WorkerStartError extends Error {
  readonly code = "start-failed";

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "WorkerStartError";
  }
}

/** One line: place, mistake, remedy. */
export function inWords({ where, what, remedy }: ConfigurationMistake): string {
  return `${where === "" ? "" : `${where}: `}${what}${remedy === "" ? "" : `; ${remedy}`}`;
}

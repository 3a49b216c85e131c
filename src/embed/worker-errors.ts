// What createWorker and its worker throw: errors of two kinds, each with a stable `code`.

import { ConfigError, type Mistake } from "../config/mistakes.js";

/** One mistake of a configuration. Of one that is given as an object, `where` is empty: the text names the key. */
export type ConfigurationMistake = Omit<Mistake, "excerpt">;

/** The configuration cannot be used. `mistakes` has all that is wrong with it, and none shows a secret. */
export class WorkerConfigError extends ConfigError {
  declare readonly mistakes: readonly ConfigurationMistake[];

  constructor(mistakes: readonly ConfigurationMistake[]) {
    super(mistakes);
    this.name = "WorkerConfigError";
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

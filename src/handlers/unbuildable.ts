// Why a handler, or all handlers of a configuration, cannot be built.

/** One handler cannot be built; the message says why and what to do. Caught by the registry, which adds the name. */
export class Unbuildable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Unbuildable";
  }
}

/** Some handlers cannot be built. `mistakes` has a sentence for each of them. */
export class HandlersError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join("\n"));
    this.name = "HandlersError";
    this.mistakes = mistakes;
  }
}

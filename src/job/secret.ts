// A value that must never be shown. It prints as [secret] in logs, JSON, templates and inspect;
// only reveal() gives it out, so that every use can be found by that one word.

/** Wraps a secret so that printing it by accident shows `[secret]`. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call it where it is sent, and nowhere else. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

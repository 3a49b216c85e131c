// What a command sees of the world, so that tests can be the world.

/** What a command touches of the process it runs in. */
export interface Io {
  /** Data. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory. */
  readonly directory: string;
}

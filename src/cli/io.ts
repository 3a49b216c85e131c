// What a command sees of the world, so that tests can be the world.

/** What a command touches of the process it runs in. */
export interface Io {
  /** Data. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory. Throws NoDirectory when it was deleted. */
  readonly directory: string;
}

/** The process stands in a folder that was deleted. */
export class NoDirectory extends Error {
  constructor(cause: unknown) {
    super("the working directory does not exist any more; change to another one (cd) and run this again", { cause });
    this.name = "NoDirectory";
  }
}

/** The process's working directory; asked only when it is needed. Throws NoDirectory. */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new NoDirectory(error);
  }
}

// What a command sees of the world, so that tests can be the world.
import { codeOf } from "../std/errors.js";

/** What a command touches of the process it runs in. */
export interface Io {
  /** Data. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory; asked for only when it is needed, since it throws when that was deleted. */
  readonly directory: string;
  /** Why not all of `out` was written, such as ENOSPC. */
  readonly lost?: () => string | undefined;
}

/** True for what Node throws, whoever asks for the working directory, when that was deleted. */
export function isWithoutDirectory(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "uv_cwd";
}

/** The process itself. */
export function processIo(): Io {
  // Said when the command has ended: `lost`.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    environment: process.env,
    get directory() {
      return process.cwd();
    },
    lost() {
      const { errored } = process.stdout;
      const code = codeOf(errored);
      // Whoever reads us may stop reading: `partnerd print-config | head -1` is no error.
      return errored === null || code === "EPIPE" ? undefined : (code ?? String(errored));
    },
  };
}

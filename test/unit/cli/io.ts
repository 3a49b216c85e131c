// A command line run in this process, with what it writes kept.

import { runCli } from "../../../src/cli/cli.js";
import type { Io } from "../../../src/cli/io.js";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** An Io that keeps what is written. */
export function keepingIo(directory = "/", environment: Io["environment"] = {}) {
  const kept = { out: "", err: "" };
  const io: Io = {
    out: (text) => {
      kept.out += text;
    },
    err: (text) => {
      kept.err += text;
    },
    environment,
    directory,
  };
  return { io, kept };
}

/** Runs one command to its end. */
export async function cli(argv: readonly string[], directory?: string, environment?: Io["environment"]): Promise<Ran> {
  const { io, kept } = keepingIo(directory, environment);
  return { code: await runCli(argv, io), ...kept };
}

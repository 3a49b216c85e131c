// Client tokens of a program: it is given the client id as its last argument and prints the token. Exit 3 says that it
// does not know the client; every other end is an outage. It inherits nothing of the daemon's environment but what every
// program needs, and no message shows what it printed to stdout.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { BoundedBytes } from "../std/bounded.js";
import type { Clock } from "../std/clock.js";
import { codeOf, describeError } from "../std/errors.js";
import { type GroupEnd, runGroup } from "../std/process-tree.js";
import { type TokenStore, TokenStoreFault } from "./token-store.js";
import { TokenError } from "./tokens.js";

export interface CommandStoreOptions {
  /** Program and arguments. A program with a slash is absolute; any other is searched in PATH. */
  readonly command: readonly [string, ...string[]];
  /** The daemon's own environment, of which only `inheritedNames` are handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

const inheritedNames = ["PATH", "HOME", "LANG", "TZ"] as const;
/** "I do not know this client". */
const unknownExitCode = 3;
/** A token has at most 256 characters, of up to 4 bytes each. */
const printedMaxBytes = 4_096;
/** Between SIGTERM and SIGKILL. */
const graceMs = 500;

/** Throws TokenError when there is no such program that may be executed. */
export async function openCommandStore(options: CommandStoreOptions): Promise<TokenStore> {
  const [program, ...args] = options.command;
  if (program.includes("/")) await checkProgram(program);
  const closing = new AbortController();
  const env = Object.fromEntries(
    inheritedNames.flatMap((name) => {
      const value = options.environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    name: `the token command ${program}`,
    find: async (clientId, signal) => {
      const printed = new Printed();
      const end = await ended(() =>
        runGroup({
          program,
          args: [...args, clientId],
          // The same wherever the daemon was started, and never a folder that goes away.
          cwd: "/",
          env,
          input: "",
          onOutput: (stream, chunk) => printed.add(stream, chunk),
          signal,
          graceMs,
          killSignal: closing.signal,
          clock: options.clock,
        }),
      );
      return verdictOf(end, printed);
    },
    close: async () => closing.abort(),
  };
}

async function checkProgram(program: string): Promise<void> {
  try {
    await access(program, constants.X_OK);
  } catch (error) {
    const message = `the token command ${program} cannot be run: ${describeError(error)}; correct clientTokens.command`;
    throw new TokenError("source-unavailable", message);
  }
}

async function ended(run: () => Promise<GroupEnd>): Promise<GroupEnd> {
  try {
    return await run();
  } catch (error) {
    throw new TokenStoreFault("away", `could not be started (${codeOf(error) ?? "unknown error"})`, error);
  }
}

function verdictOf({ exitCode, exitSignal, isAborted }: GroupEnd, printed: Printed): unknown {
  if (exitCode === unknownExitCode) return undefined;
  if (isAborted) throw new TokenStoreFault("away", "did not answer in time");
  if (exitCode !== 0) {
    const how = exitCode === null ? `was ended by ${exitSignal ?? "an unknown cause"}` : `exited with ${exitCode}`;
    throw new TokenStoreFault("away", `${how}${printed.lastWords()}`);
  }
  const token = printed.token();
  if (token === undefined) throw new TokenStoreFault("unusable", `printed more than ${printedMaxBytes} bytes`);
  if (token === "") throw new TokenStoreFault("unusable", "printed no token; exit 3 says that a client is unknown");
  return token;
}

/** What a run printed, as far as it counts. */
class Printed {
  readonly #stdout = new BoundedBytes(printedMaxBytes);
  /** The end of it. */
  #stderr = Buffer.alloc(0);

  add(stream: "stdout" | "stderr", chunk: Buffer): void {
    if (stream === "stdout") this.#stdout.add(chunk);
    else this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-printedMaxBytes);
  }

  /** Without the line break at its end; `undefined` when it was too much. */
  token(): string | undefined {
    if (this.#stdout.total > printedMaxBytes) return undefined;
    return this.#stdout
      .whole()
      .toString("utf8")
      .replace(/\r?\n$/, "");
  }

  /** The last line on stderr, as the end of a sentence. */
  lastWords(): string {
    const line = this.#stderr.toString("utf8").trim().split("\n").at(-1)?.trim() ?? "";
    return line === "" ? "" : `: ${line}`;
  }
}

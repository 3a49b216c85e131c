// The built program as a child process: in a folder of its own, with its output to wait for, and never outliving its
// test. Needs `npm run build`.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { LogEvent } from "../../src/std/log-events.js";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

export interface Program {
  readonly child: ChildProcess;
  readonly folder: string;
  /** Resolves with the match when this stands in what was written to stdout. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the first log line of this event on stdout. */
  logged(event: LogEvent): Promise<string>;
  /** The same as `says` for stderr. */
  complains(pattern: RegExp): Promise<RegExpExecArray>;
  /** The finished log lines on stdout, parsed. Throws when one is no JSON. */
  logs(): readonly Record<string, unknown>[];
  readonly ended: Promise<End>;
}

export interface ProgramOptions {
  /** Files of its folder by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** An existing folder, which then stays. */
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Standard output is a pipe, or a socket as Node makes them, that nobody reads. */
  readonly unread?: "pipe" | "socket";
  /** A command that runs the program within limits, such as of a shell's ulimit; asked once the files are there. */
  readonly within?: () => readonly string[];
}

/** A folder that goes with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-e2e-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the program. It is killed, by its id, when the test is over. */
export function startProgram(argv: readonly string[], options: ProgramOptions = {}): Program {
  if (!existsSync(program)) throw new Error("there is no dist/main.js: run `npm run build` first");
  const folder = options.folder ?? testFolder();
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
  const env = { PATH: process.env["PATH"], HOME: folder, ...credentials, ...options.environment };
  const stdout = options.unread === "pipe" ? unreadPipe(folder) : "pipe";
  const [first = "", ...rest] = [...(options.within?.() ?? []), process.execPath, program, ...argv];
  const child = spawn(first, rest, { cwd: folder, env, stdio: ["ignore", stdout, "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [out, err] = [new Heard(), new Heard()];
  if (!options.unread) child.stdout?.setEncoding("utf8").on("data", (text: string) => out.hear(text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => err.hear(text));
  const ended = new Promise<End>((resolve, reject) => {
    child.once("error", reject);
    child.once(options.unread ? "exit" : "close", (code: number | null, signal: string | null) => {
      const end = { code, signal, out: out.text, err: err.text };
      for (const heard of [out, err]) heard.end(`${out.text}\n${err.text}`);
      resolve(end);
    });
  });
  return {
    child,
    folder,
    says: (pattern) => out.wait(pattern),
    logged: async (event) => (await out.wait(lineOf(event)))[0],
    complains: (pattern) => err.wait(pattern),
    logs: () => out.lines().map((line) => JSON.parse(line) as Record<string, unknown>),
    ended,
  };
}

/** Told to stop, and to hurry; a third signal will end it at once. Signals closer together than a second are one wish. */
export async function toldTwice({ child, logged }: Program): Promise<void> {
  for (const answer of ["drain-started", "handlers-stopping"] as const) {
    child.kill("SIGTERM");
    // Counted from when it was heard, which may be late on a busy machine.
    await logged(answer);
    await pause(1_100);
  }
}

/** Matches a whole log line of this event. */
export function lineOf(event: LogEvent): RegExp {
  return new RegExp(`.*"event":"${event}".*`);
}

/** A pipe with both ends open here, so that it breaks for nobody, and no reader. */
function unreadPipe(folder: string): number {
  const path = join(folder, "stdout");
  execFileSync("mkfifo", [path]);
  const end = openSync(path, "r+");
  onTestFinished(() => closeSync(end));
  return end;
}

/** The emulator takes any; without them the SDK would look for some on this machine. */
const credentials = {
  AWS_ACCESS_KEY_ID: "AKIATESTTESTTESTTEST",
  AWS_SECRET_ACCESS_KEY: "test-secret-key-of-nobody",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** What came through a pipe so far, and those who wait for more. */
class Heard {
  text = "";
  #ending: string | undefined;
  readonly #watchers = new Set<() => void>();

  hear(text: string): void {
    this.text += text;
    for (const watcher of this.#watchers) watcher();
  }

  end(all: string): void {
    this.#ending = all;
    for (const watcher of this.#watchers) watcher();
  }

  lines(): readonly string[] {
    return this.text.split("\n").slice(0, -1);
  }

  wait(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(limit);
        this.#watchers.delete(look);
        act();
      };
      const look = () => {
        const match = pattern.exec(this.text);
        if (match) finish(() => resolve(match));
        else if (this.#ending !== undefined) {
          finish(() => reject(new Error(`it ended without saying ${pattern}:\n${this.#ending}`)));
        }
      };
      const limit = setTimeout(() => {
        finish(() => reject(new Error(`it did not say ${pattern} within 25 s:\n${this.text.slice(-4_000)}`)));
      }, 25_000);
      this.#watchers.add(look);
      look();
    });
  }
}

export const thirdParty = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;

/** An emulator that knows one action type and goes with the test. */
export async function startTestEmulator(): Promise<Emulator> {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  emulator.addActionType(thirdParty);
  return emulator;
}

/** A configuration file for one action type; YAML is a superset of JSON. */
export function configFor(emulator: Emulator, handler: object, more: Readonly<Record<string, unknown>> = {}): string {
  const { clientId, clientToken } = emulator.defaultClient;
  return JSON.stringify({
    regions: ["us-east-1"],
    actionTypes: [{ ...thirdParty, handler: "only" }],
    handlers: { only: handler },
    clientTokens: { source: "static", tokens: { [clientId]: clientToken } },
    polling: { minInterval: "50ms", maxInterval: "100ms" },
    ledger: { store: "memory" },
    admin: { port: 0 },
    aws: { endpoint: emulator.url },
    retry: { report: { minDelay: "10ms", maxDelay: "50ms" } },
    ...more,
  });
}

/** A module handler with this body; `job` is its argument. */
export function handlerModule(body: string, head = ""): string {
  return `${head}\nexport const handler = async (job) => {\n${body}\n};\n`;
}

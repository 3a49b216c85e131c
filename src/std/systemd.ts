// How a service notifies systemd (sd_notify): state by state, by the program `systemd-notify`, since Node has no
// datagram sockets of this family. That costs some 15 ms of another process for each message, a few in a minute. The
// unit needs NotifyAccess=all, for it is not the main process that speaks. Knows nothing of what the states mean here.
import { execFile } from "node:child_process";
import { describeError } from "./errors.js";
import { oneLine } from "./one-line.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** What systemd sets for the process that it watches; nothing that this starts may speak for it. */
export const systemdVariables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

export interface NotifierOptions {
  /** What systemd set: NOTIFY_SOCKET says where it listens. */
  readonly environment: Environment;
  /** Longest time for one message; then its process is killed. */
  readonly timeoutMs: number;
  /** Called once when messages do not arrive, with what to do about it. */
  readonly onFault: (message: string) => void;
  /** Called when they arrive again. */
  readonly onRecovered: () => void;
  /** By default `systemd-notify`, found by the PATH. */
  readonly program?: string;
}

/** The variables of one message, such as `READY` and `1`. */
export type Message = Readonly<Record<string, string>>;

/** Messages that may wait. Each says the whole state, so that the oldest may be forgotten. */
const waitingMax = 8;
const statusMaxLength = 200;

/** True when systemd, or a program that acts like it, expects messages from this process. */
export function isSystemdListening(environment: Environment): boolean {
  return (environment["NOTIFY_SOCKET"] ?? "") !== "";
}

/** How long this process may be silent before systemd considers it hung, in ms; undefined: forever. */
export function watchdogMsOf(environment: Environment, pid: number): number | undefined {
  const { WATCHDOG_USEC: usec = "", WATCHDOG_PID: forPid } = environment;
  if (!/^[1-9]\d{0,15}$/.test(usec)) return undefined;
  return forPid === undefined || forPid === String(pid) ? Number(usec) / 1_000 : undefined;
}

/** This machine's monotonic time, as RELOADING messages carry it. */
export function monotonicUsec(): string {
  return String(process.hrtime.bigint() / 1_000n);
}

/** Sends messages one after the other, in order. Never throws and never keeps anybody waiting. */
export class SystemdNotifier {
  readonly #options: NotifierOptions;
  readonly #program: string;
  #waiting: Message[] = [];
  #sending: Promise<void> | undefined;
  #isFailing = false;
  #isAbsent = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#program = options.program ?? "systemd-notify";
  }

  send(message: Message): void {
    if (this.#isAbsent) return;
    this.#waiting.push(message);
    if (this.#waiting.length > waitingMax) this.#waiting.shift();
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when nothing waits any more. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const error = await this.#exec(next);
      if (error) this.#failed(error);
      else if (this.#isFailing) {
        this.#isFailing = false;
        this.#options.onRecovered();
      }
    }
    this.#sending = undefined;
  }

  #exec(message: Message): Promise<Error | undefined> {
    const { environment, timeoutMs } = this.#options;
    const words = Object.entries(message).map(([name, value]) => `${name}=${shortLine(value)}`);
    const env = { PATH: environment["PATH"] ?? defaultPath, NOTIFY_SOCKET: environment["NOTIFY_SOCKET"] };
    return new Promise((resolve) => {
      const limits = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 10_000 } as const;
      try {
        execFile(this.#program, words, { env, ...limits }, (error, _out, complaint) => {
          if (!error) return resolve(undefined);
          const { code, killed } = error;
          if (code === "ENOENT") this.#isAbsent = true;
          const late = killed ? `no answer within ${timeoutMs} ms` : "";
          resolve(new Error(shortLine(complaint) || late || describeError(error)));
        });
      } catch (error) {
        // No process can be made at all.
        resolve(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #failed(error: Error): void {
    if (this.#isAbsent) {
      this.#waiting = [];
      const remedy = "install systemd here, or use Type=exec without a watchdog";
      this.#options.onFault(`${this.#program} is not on the PATH; ${remedy}`);
      return;
    }
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onFault(`${error.message}; retrying; does the unit have NotifyAccess=all?`);
  }
}

const defaultPath = "/usr/local/bin:/usr/bin:/bin";

function shortLine(text: string): string {
  return oneLine(text).slice(0, statusMaxLength);
}

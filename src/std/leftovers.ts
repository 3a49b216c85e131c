// Processes that outlived the one that started them, found by what is in their environment: it proves to whom they
// are, where a process id could be anybody's by now. Only where there is a /proc; elsewhere nothing is found.

import { readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "./clock.js";
import { valueWithin } from "./ends-within.js";
import { codeOf } from "./errors.js";

/** A process that forks while it is killed is met again; one that does so forever is given up. */
const roundsMax = 5;
/**
 * One that was killed may still be there, as on a machine that is busy: it is looked at so often, and for this long.
 */
const dyingRestMs = 2;
const dyingMaxMs = 500;

/**
 * Kills every process whose environment holds one of the texts, but for our own; how many there were. In one turn, for
 * /proc is no disk: where one hangs, nothing that Node does in its threads comes to an end. Throws.
 */
export function killLeftovers(...texts: readonly string[]): number {
  const wanted = texts.map((text) => Buffer.from(text));
  const killed = new Set<number>();
  for (let round = 0; round < roundsMax; round++) {
    const found = idsIn(names()).filter((id) => !killed.has(id) && holdsOne(environmentOf(id), wanted));
    if (found.length === 0) break;
    for (const id of found) {
      killed.add(id);
      killProcess(id);
    }
  }
  return killed.size;
}

export interface LeftoversOptions {
  /** The variable whose value says to which job a process belongs. */
  readonly variable: string;
  readonly clock: Clock;
  /** Another place than `/proc`; for tests. */
  readonly proc?: string;
}

interface Wanted {
  readonly mark: Buffer;
  readonly tell: (killed: number) => void;
}

/** A search takes a few ms; a process that hangs in the kernel can make the file of its environment hang too. */
const searchMaxMs = 1_000;
/** After this time process ids may have been reused, and all of them are looked at again. */
const knownMaxMs = 10_000;

/**
 * Kills leftovers while other jobs run: it is asked at the end of each job, so it must cost next to nothing. Whoever
 * asks during a search shares the next one. A search reads only processes that are new since the one before: nobody
 * gets into a job's environment later on. It reads one file after another, in Node's threads: one that hangs takes one.
 */
export class Leftovers {
  readonly #variable: Buffer;
  readonly #clock: Clock;
  readonly #proc: string;
  #waiting: Wanted[] = [];
  /** Processes without the variable. */
  #strangers: ReadonlySet<number> = new Set();
  #allReadAtMs = Number.NEGATIVE_INFINITY;
  #searchingSinceMs: number | undefined;

  constructor({ variable, clock, proc = "/proc" }: LeftoversOptions) {
    this.#variable = Buffer.from(`${variable}=`);
    this.#clock = clock;
    this.#proc = proc;
  }

  /**
   * Kills every process in whose environment the variable has this value; how many there were, or 0 when that is unknown
   * in time. Never rejects.
   */
  async kill(value: string): Promise<number> {
    const { promise, resolve: tell } = Promise.withResolvers<number>();
    if (this.#isStuck()) return 0;
    // With its end, or what belongs to job-10 would be found for job-1.
    this.#waiting.push({ mark: Buffer.concat([this.#variable, Buffer.from(`${value}\0`)]), tell });
    if (this.#searchingSinceMs === undefined) void this.#searchForAll();
    const killed = await valueWithin(promise, 0, { ms: searchMaxMs, clock: this.#clock });
    this.#waiting = this.#waiting.filter((each) => each.tell !== tell);
    return killed;
  }

  #isStuck(): boolean {
    return this.#searchingSinceMs !== undefined && this.#clock.monotonic() - this.#searchingSinceMs >= searchMaxMs;
  }

  async #searchForAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const asked = this.#waiting;
      this.#waiting = [];
      this.#searchingSinceMs = this.#clock.monotonic();
      const killed = asked.map(() => new Set<number>());
      const until = this.#searchingSinceMs + dyingMaxMs;
      while ((await this.#killFor(asked, killed)) && this.#clock.monotonic() < until) {
        await this.#clock.sleep(dyingRestMs);
      }
      for (const [index, { tell }] of asked.entries()) tell(killed[index]?.size ?? 0);
    }
    this.#searchingSinceMs = undefined;
  }

  /** True when a process was there: it may not be gone yet, and there may be children. */
  async #killFor(asked: readonly Wanted[], killed: readonly Set<number>[]): Promise<boolean> {
    const mayBeReused = this.#clock.monotonic() - this.#allReadAtMs >= knownMaxMs;
    if (mayBeReused) this.#allReadAtMs = this.#clock.monotonic();
    const known = mayBeReused ? new Set<number>() : this.#strangers;
    const strangers = new Set<number>();
    this.#strangers = strangers;
    let isAny = false;
    for (const id of idsIn(await readdir(this.#proc).catch(() => []))) {
      const environment = known.has(id) ? undefined : await this.#environment(id);
      if (environment === undefined || !environment.includes(this.#variable)) {
        strangers.add(id);
        continue;
      }
      const its = killed[asked.findIndex(({ mark }) => environment.includes(mark))];
      if (its === undefined || !(its.has(id) || killIfAllowed(id))) continue;
      its.add(id);
      isAny = true;
    }
    return isAny;
  }

  #environment(id: number): Promise<Buffer | undefined> {
    return readFile(join(this.#proc, String(id), "environ")).catch(() => undefined);
  }
}

function names(): readonly string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

function idsIn(entries: readonly string[]): readonly number[] {
  return entries
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => id !== process.pid);
}

function holdsOne(environment: Buffer | undefined, wanted: readonly Buffer[]): boolean {
  return environment !== undefined && wanted.some((text) => environment.includes(text));
}

/** Others' processes, and those that end while we look, cannot be read: they are none of ours. */
function environmentOf(id: number): Buffer | undefined {
  try {
    return readFileSync(`/proc/${id}/environ`);
  } catch {
    return undefined;
  }
}

/** False when it has ended by itself meanwhile. Throws. */
function killProcess(id: number): boolean {
  try {
    return process.kill(id, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
    return false;
  }
}

/** False as well for a process that became another user's, as a setuid program does. */
function killIfAllowed(id: number): boolean {
  try {
    return killProcess(id);
  } catch {
    return false;
  }
}

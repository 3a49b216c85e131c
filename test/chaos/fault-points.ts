// Counts what a process passes and ends it, without a word to anybody, at the point that was ordered. All threads of
// the process count together. Imports nothing of ours: a thread loads it before it knows our sources.
import { writeSync } from "node:fs";

export interface FaultPointsOptions {
  /** Points left until the one to die at, shared between threads; made by `pointsUntil`. */
  readonly left: SharedArrayBuffer;
  /** How long after its beginning an operation is killed in its middle. */
  readonly midMs: number;
}

export class FaultPoints {
  readonly #left: Int32Array;
  readonly #midMs: number;

  constructor({ left, midMs }: FaultPointsOptions) {
    this.#left = new Int32Array(left);
    this.#midMs = midMs;
  }

  pass(name: string): void {
    if (this.#isLast()) die(name);
  }

  async around<T>(name: string, act: () => Promise<T>): Promise<T> {
    this.pass(`before ${name}`);
    const acting = act();
    if (this.#isLast()) setTimeout(() => die(`amid ${name}`), this.#midMs);
    try {
      return await acting;
    } finally {
      this.pass(`after ${name}`);
    }
  }

  #isLast(): boolean {
    return Atomics.sub(this.#left, 0, 1) === 1;
  }
}

/** A counter that all threads share: the point to die at, counted from 1; 0: none. */
export function pointsUntil(killAt: number): SharedArrayBuffer {
  const left = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(left)[0] = killAt;
  return left;
}

/** One line that the parent has even if this process is killed right after it. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function die(name: string): never {
  say(`killed ${name}`);
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: a SIGKILL of this process itself");
}

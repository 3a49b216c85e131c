// Looks after a handler's thread while jobs run in it: is its loop alive, does it keep to its memory. A thread without
// jobs costs no timer.
import { type ResourceLimits, Worker } from "node:worker_threads";
import type { Clock } from "../../std/clock.js";

export interface ThreadWatchOptions {
  readonly clock: Clock;
  readonly worker: Worker;
  readonly maxMemoryBytes: number;
  /** Asks the thread for a sign of life. */
  readonly ping: () => void;
  /** The thread is to be ended, and why. */
  readonly onFault: (what: string) => void;
}

const lookMs = 1_000;
/** A thread that keeps objects as fast as it can takes some 25 MiB meanwhile. */
const memoryLookMs = 250;
/**
 * Looks without an answer, each a turn of the daemon's own loop: a machine that is suspended or overloaded stops both.
 * Handlers may block their thread for a while, as with execSync; the daemon itself never could that long.
 */
const silentLooksMax = 15;
const mebibyte = 1024 * 1024;
/** Of the heap's own limit over `maxMemory`: what a thread may still take until it is looked at. */
const headroomMib = 128;

/**
 * The heap's limits in the thread, as the last resort. The watch comes first: V8 ends the thread, but the whole process
 * when one collection finds more than 16 MiB over the limit, as endless chains of promises make it find. A small young
 * generation holds less of that.
 */
export function heapLimits(maxMemoryBytes: number): ResourceLimits {
  const maxMib = Math.ceil(maxMemoryBytes / mebibyte);
  return {
    // Node 23 does not tell how much a thread has; there it is the only limit.
    maxOldGenerationSizeMb: "getHeapStatistics" in Worker.prototype ? maxMib + headroomMib : maxMib,
    maxYoungGenerationSizeMb: 16,
  };
}

export class ThreadWatch {
  readonly #options: ThreadWatchOptions;
  #silentLooks = 0;
  #cancel: (() => void) | undefined;
  #cancelMemory: (() => void) | undefined;

  constructor(options: ThreadWatchOptions) {
    this.#options = options;
  }

  /** Jobs run in the thread. */
  begin(): void {
    if (this.#cancel) return;
    this.#silentLooks = 0;
    this.#look();
    this.#watchMemory();
  }

  end(): void {
    this.#cancel?.();
    this.#cancelMemory?.();
    this.#cancel = undefined;
  }

  /** The thread gave a sign of life. */
  heard(): void {
    this.#silentLooks = 0;
  }

  #look(): void {
    const { clock, ping, onFault } = this.#options;
    this.#cancel = clock.after(lookMs, () => {
      if (this.#silentLooks >= silentLooksMax) return onFault(silent);
      this.#silentLooks += 1;
      ping();
      this.#look();
    });
  }

  #watchMemory(): void {
    this.#cancelMemory = this.#options.clock.after(memoryLookMs, () => {
      void this.#lookAtMemory();
      this.#watchMemory();
    });
  }

  async #lookAtMemory(): Promise<void> {
    const { worker, maxMemoryBytes, onFault } = this.#options;
    // Node 23 does not know.
    const statistics = await worker.getHeapStatistics?.().catch(() => undefined);
    if (statistics === undefined) return;
    const { used_heap_size: heap, external_memory: external } = statistics;
    if (heap + external > maxMemoryBytes) onFault(tooMuchMemory(maxMemoryBytes));
  }
}

const silent = `did not respond for ${(silentLooksMax * lookMs) / 1_000} s (an endless loop, or a call that blocks its thread)`;

/** What a thread did that was ended for its memory. */
export function tooMuchMemory(maxMemoryBytes: number): string {
  return `needed more memory than its maxMemory of ${Math.round(maxMemoryBytes / mebibyte)} MiB`;
}

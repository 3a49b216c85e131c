// What a thread's code prints outside of every job: limited for each span of time, as a job's output is for each job.
import type { Clock } from "../../std/clock.js";
import type { Log } from "../../std/log.js";
import { JobOutput } from "../job-output.js";
import type { JobMasker } from "../masker.js";

/** The limits of JobOutput start again after this long. */
const windowMs = 60_000;

export class OwnOutput {
  readonly #options: { readonly clock: Clock; readonly masker: JobMasker; readonly log: Log };
  #current: { readonly output: JobOutput; readonly sinceMs: number } | undefined;

  constructor(options: { readonly clock: Clock; readonly masker: JobMasker; readonly log: Log }) {
    this.#options = options;
  }

  /** Where to write now. */
  get now(): JobOutput {
    const { clock, masker, log } = this.#options;
    const nowMs = clock.monotonic();
    if (this.#current && nowMs - this.#current.sinceMs > windowMs) this.end();
    this.#current ??= { output: new JobOutput({ masker, log }), sinceMs: nowMs };
    return this.#current.output;
  }

  /** Logs what has no newline yet. */
  end(): void {
    this.#current?.output.end();
    this.#current = undefined;
  }
}

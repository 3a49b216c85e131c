// The ended jobs that the ledger in memory remembers: a list with a bound, newest last.
import {
  type EndedJob,
  type HistoryLimits,
  type HistoryPage,
  type HistorySearch,
  isWanted,
  placeBefore,
} from "../job/ended.js";

/** A few hundred KiB: whoever wants more wants it to outlive the process too. */
const jobsMax = 1_000;

export class MemoryHistory {
  readonly #limits: HistoryLimits;
  readonly #jobs: { readonly at: number; readonly job: EndedJob }[] = [];
  #next = 1;

  constructor({ maxJobs, maxAgeMs }: HistoryLimits) {
    this.#limits = { maxJobs: Math.min(maxJobs, jobsMax), maxAgeMs };
  }

  add(job: EndedJob): void {
    if (this.#limits.maxJobs === 0) return;
    this.#jobs.push({ at: this.#next, job });
    this.#next += 1;
    if (this.#jobs.length > this.#limits.maxJobs) this.#jobs.shift();
  }

  search({ limit, before, ...filter }: HistorySearch, nowMs: number): HistoryPage {
    const from = placeBefore(before) ?? Number.POSITIVE_INFINITY;
    const oldestMs = nowMs - this.#limits.maxAgeMs;
    const found = this.#jobs
      .filter(({ at, job }) => at < from && job.endedAtMs > oldestMs && isWanted(job, filter))
      .slice(-limit - 1)
      .toReversed();
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      jobs: page.map(({ job }) => job),
      ...(found.length > limit && last ? { next: String(last.at) } : {}),
    };
  }
}

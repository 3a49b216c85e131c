// The jobs of a whole fleet for whoever looks: read from the ledger's table only while somebody does, at most every few
// seconds however many pages are open, and remembered when the table does not answer.
import type { FleetJobPage } from "../job/fleet.js";
import type { Clock } from "../std/clock.js";
import { describeError } from "../std/errors.js";

/** Some of the jobs. */
export interface FleetJobs extends FleetJobPage {
  readonly from: number;
  /** When they were read; absent: not yet. */
  readonly atMs?: number;
  /** Why they could not be read again. */
  readonly problem?: string;
}

export interface FleetWatchOptions {
  readonly clock: Clock;
  readonly read: (range: { readonly from: number; readonly max: number }) => Promise<FleetJobPage>;
}

/** Jobs on one page. */
export const jobsOnPage = 50;
/** A scan of the index, and a read for each job of the page: no more often than that. */
export const freshMs = 5_000;
/** Pages that are remembered. */
const pagesMax = 10;

interface Page {
  known: FleetJobs;
  /** Monotonic, of the last answer, good or bad. */
  askedMs: number;
  asking: Promise<void> | undefined;
}

export class FleetWatch {
  readonly #options: FleetWatchOptions;
  readonly #pages = new Map<number, Page>();

  constructor(options: FleetWatchOptions) {
    this.#options = options;
  }

  /** What is known now; what is old is read again meanwhile. */
  known(from: number): FleetJobs {
    const page = this.#page(from);
    void this.#refreshed(page);
    return page.known;
  }

  /** What is known once it is no older than it may be. Never rejects. */
  async fresh(from: number): Promise<FleetJobs> {
    const page = this.#page(from);
    await this.#refreshed(page);
    return page.known;
  }

  #page(from: number): Page {
    const known = this.#pages.get(from);
    const page = known ?? {
      known: { from, jobs: [], count: 0, isCut: false },
      askedMs: Number.NEGATIVE_INFINITY,
      asking: undefined,
    };
    // The page that was asked for last goes last.
    this.#pages.delete(from);
    this.#pages.set(from, page);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= pagesMax) break;
      this.#pages.delete(oldest);
    }
    return page;
  }

  #refreshed(page: Page): Promise<void> {
    const { clock } = this.#options;
    if (page.asking === undefined && clock.monotonic() - page.askedMs < freshMs) return Promise.resolve();
    page.asking ??= this.#ask(page).finally(() => {
      page.asking = undefined;
      page.askedMs = clock.monotonic();
    });
    return page.asking;
  }

  /** Never rejects. */
  async #ask(page: Page): Promise<void> {
    const { clock, read } = this.#options;
    const { from } = page.known;
    try {
      page.known = { ...(await read({ from, max: jobsOnPage })), from, atMs: clock.now() };
    } catch (error) {
      page.known = { ...page.known, problem: describeError(error) };
    }
  }
}

/** Where a page begins, from an address that anybody can write. */
export function fromOf(query: URLSearchParams): number {
  const from = Number(query.get("from") ?? 0);
  return Number.isSafeInteger(from) && from > 0 && from < 1_000_000 ? from - (from % jobsOnPage) : 0;
}

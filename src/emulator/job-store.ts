// Where the jobs of all Regions are: by id, in queues per action type and query value, and counted by status.
// Only keeps; which status follows which is decided in job-rules.ts. No call costs more than the jobs it touches.
import type { EmulatedJob, JobStatus } from "./emulated-job.js";
import { hasEnded, typeKey } from "./emulated-job.js";

/** How many jobs there are of each status. */
export type JobCounts = Record<JobStatus, number>;

/** Holds the jobs; forgets the oldest that are over, beyond a limit. */
export class JobStore {
  /** In order of creation. */
  readonly #all = new Set<EmulatedJob>();
  /** An id is one Region's; several Regions may have the same. */
  readonly #byId = new Map<string, readonly EmulatedJob[]>();
  readonly #queues = new Map<string, Set<EmulatedJob>>();
  readonly #over = new Set<EmulatedJob>();
  readonly #counts = noCounts();

  has(region: string, id: string): boolean {
    return this.find(region, id) !== undefined;
  }

  find(region: string, id: string): EmulatedJob | undefined {
    return this.#byId.get(id)?.find((job) => job.seed.region === region);
  }

  /** Finds a job whatever its Region; the first made if several have the id. */
  findAnywhere(id: string): EmulatedJob | undefined {
    return this.#byId.get(id)?.[0];
  }

  /** In order of creation. */
  all(): IterableIterator<EmulatedJob> {
    return this.#all.values();
  }

  counts(): JobCounts {
    return { ...this.#counts };
  }

  add(job: EmulatedJob): void {
    this.#all.add(job);
    this.#byId.set(job.seed.id, [...(this.#byId.get(job.seed.id) ?? []), job]);
    this.#counts[job.status]++;
  }

  /** Files the job under its new status; beyond `keepOver` the oldest job that is over is forgotten. */
  move(job: EmulatedJob, to: JobStatus, keepOver: number): void {
    if (job.status === "Queued") this.#queue(job).delete(job);
    this.#counts[job.status]--;
    this.#counts[to]++;
    job.status = to;
    if (to === "Queued") this.#queue(job).add(job);
    if (!hasEnded(to)) return;
    this.#over.add(job);
    for (const oldest of this.#over) {
      if (this.#over.size <= keepOver) break;
      this.#forget(oldest);
    }
  }

  /** Up to `limit` queued jobs, the longest waiting first; they stay queued. */
  waiting(queue: Queue, limit: number): EmulatedJob[] {
    const found: EmulatedJob[] = [];
    for (const job of this.#queues.get(queueKey(queue)) ?? []) {
      if (found.length >= limit) break;
      found.push(job);
    }
    return found;
  }

  clear(): void {
    this.#all.clear();
    this.#byId.clear();
    this.#queues.clear();
    this.#over.clear();
    Object.assign(this.#counts, noCounts());
  }

  #forget(job: EmulatedJob): void {
    const { id } = job.seed;
    const others = this.#byId.get(id)?.filter((other) => other !== job) ?? [];
    if (others.length > 0) this.#byId.set(id, others);
    else this.#byId.delete(id);
    this.#all.delete(job);
    this.#over.delete(job);
    this.#counts[job.status]--;
  }

  #queue(job: EmulatedJob): Set<EmulatedJob> {
    const { region, actionType, queryValue, queueAccount: account } = job.seed;
    const key = queueKey({ region, actionType: typeKey(actionType), queryValue, account });
    const queue = this.#queues.get(key) ?? new Set();
    this.#queues.set(key, queue);
    return queue;
  }
}

function noCounts(): JobCounts {
  return { Created: 0, Queued: 0, Dispatched: 0, InProgress: 0, TimedOut: 0, Succeeded: 0, Failed: 0, Abandoned: 0 };
}

/** What a poll asks for. */
export interface Queue {
  readonly region: string;
  readonly actionType: string;
  readonly queryValue: string | undefined;
  /** Of custom jobs, where accounts are told apart. */
  readonly account?: string | undefined;
}

function queueKey({ region, actionType, queryValue = "", account = "" }: Queue): string {
  return `${region} ${actionType} ${account} ${queryValue}`;
}

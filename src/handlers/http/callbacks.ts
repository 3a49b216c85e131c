// Outcomes that services promised to deliver later: one expectation for each job that an http handler works, proved by
// a bearer token of which only the SHA-256 is kept. Knows nothing of HTTP; the admin server calls `deliver`.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { JobKey } from "../../job/job.js";
import type { Clock } from "../../std/clock.js";
import { valueWithin } from "../../std/ends-within.js";

/** How a delivery ended; the admin server answers 200, 409, 404, 401 and 503 in this order. */
export type Delivery =
  /** A waiting run took the outcome, and it is recorded. */
  | "accepted"
  /** This job has had its outcome; nothing is left to do. */
  | "already-delivered"
  /** Nothing waits for this job (any more): it ended, or this daemon never had it. */
  | "unknown-job"
  | "wrong-token"
  /** Taken, but the ledger has not recorded it (yet): deliver it again. */
  | "not-recorded";

export interface CallbacksOptions {
  /** Base of the callback URLs, such as `http://127.0.0.1:9464`; `undefined` while there is no admin port. */
  readonly baseUrl: () => string | undefined;
  /** How many ended expectations are remembered, so that a repeated delivery gets that answer. */
  readonly endedKept: number;
  /** How long a delivery waits for its outcome to be recorded. */
  readonly recordWaitMs: number;
  readonly clock: Clock;
  /**
   * Jobs of this id that some process of the fleet works, and the hash of the token that it waits for, if one is known
   * by now; may reject. Absent: there is no other process.
   */
  readonly elsewhere?: ((jobId: string) => Promise<readonly { readonly tokenHash: string | undefined }[]>) | undefined;
}

/** An outcome that is waited for. */
export interface Expectation {
  /** SHA-256 of the token, in hex. */
  readonly tokenHash: string;
  /** Settles with the first outcome delivered; never, if none is before `end`. */
  readonly outcome: Promise<unknown>;
  /** The run no longer waits: later deliveries are refused. False when an outcome had been delivered before. */
  end(): boolean;
}

/** A new expectation, with what the service must know. */
export interface NewExpectation extends Expectation {
  readonly url: string;
  readonly token: string;
}

interface Entry {
  readonly jobId: string;
  readonly tokenHash: Buffer;
  isDelivered: boolean;
  isWaiting: boolean;
  /**
   * Absent once it was used or is no longer awaited: it holds the outcome, and entries live much longer than their
   * jobs.
   */
  take: ((body: unknown) => void) | undefined;
  readonly recorded: Promise<void> | undefined;
}

const tokenBytes = 32;

/** Holds what is waited for, and hands each delivered outcome to the run that waits for it. */
export class Callbacks {
  readonly #options: CallbacksOptions;
  /** By job id; several, because ids are unique only within a Region. The token says which. */
  readonly #entries = new Map<string, Entry[]>();
  /** Ended entries, oldest first. */
  readonly #ended: Entry[] = [];
  #waiting = 0;

  constructor(options: CallbacksOptions) {
    this.#options = options;
  }

  /** How many outcomes are waited for. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Begins to wait for an outcome; `undefined` when no URL can be given, because there is no admin port. */
  expect(key: JobKey, recorded?: Promise<void>): NewExpectation | undefined {
    // A rejection is looked at when a delivery asks; before that it must not count as unhandled.
    recorded?.catch(() => {});
    const base = this.#options.baseUrl();
    if (base === undefined) return undefined;
    const token = randomBytes(tokenBytes).toString("base64url");
    const url = `${base.replace(/\/+$/, "")}/jobs/${encodeURIComponent(wellFormed(key.jobId))}/outcome`;
    return { url, token, ...this.#enter(key, hashOf(token), recorded) };
  }

  /** Goes on waiting for an outcome that an earlier process was promised. */
  resume(key: JobKey, tokenHash: string, recorded?: Promise<void>): Expectation {
    recorded?.catch(() => {});
    return this.#enter(key, Buffer.from(tokenHash, "hex"), recorded);
  }

  /** Hands over an outcome. Resolves when it is recorded, as far as the waiting run knows; never rejects. */
  async deliver(delivery: {
    readonly jobId: string;
    readonly bearer: string;
    readonly body: unknown;
  }): Promise<Delivery> {
    const { jobId } = delivery;
    const entries = this.#entries.get(wellFormed(jobId));
    const hash = hashOf(delivery.bearer);
    // Every entry is compared, so that the time taken reveals nothing; there is hardly ever more than one.
    const entry = entries?.filter((each) => isSame(each.tokenHash, hash)).at(-1);
    if (entry?.isDelivered) {
      if (await this.#isRecorded(entry)) return "already-delivered";
      // It may have arrived while another process took the job; if no process has the job any more, a retry is useless.
      const isOver = this.#options.elsewhere !== undefined && !(await this.#isElsewhere(jobId, () => true));
      return isOver ? "unknown-job" : "not-recorded";
    }
    if (!entry?.isWaiting) {
      if (await this.#isElsewhere(jobId, (other) => entry !== undefined || isSame(other, hash))) return "not-recorded";
      return entry || !entries ? "unknown-job" : "wrong-token";
    }
    entry.isDelivered = true;
    entry.take?.(delivery.body);
    entry.take = undefined;
    return (await this.#isRecorded(entry)) ? "accepted" : "not-recorded";
  }

  /**
   * True when another process has the job and this delivery is meant for it, or when that is unknown: the service must
   * retry. The process that has the job may not have recorded its token yet, and a token that we gave out
   * ourselves is no stranger's.
   */
  async #isElsewhere(jobId: string, isMeant: (tokenHash: Buffer) => boolean): Promise<boolean> {
    try {
      const held = (await this.#options.elsewhere?.(jobId)) ?? [];
      return held.some(({ tokenHash }) => tokenHash === undefined || isMeant(Buffer.from(tokenHash, "hex")));
    } catch {
      // The ledger reports its faults itself.
      return true;
    }
  }

  #enter(key: JobKey, tokenHash: Buffer, recorded: Promise<void> | undefined): Expectation {
    const jobId = wellFormed(key.jobId);
    let take = (_body: unknown) => {};
    const outcome = new Promise<unknown>((resolve) => {
      take = resolve;
    });
    const entry: Entry = { jobId, tokenHash, isDelivered: false, isWaiting: true, take, recorded };
    const entries = this.#entries.get(jobId);
    if (entries) entries.push(entry);
    else this.#entries.set(jobId, [entry]);
    this.#waiting += 1;
    return { tokenHash: tokenHash.toString("hex"), outcome, end: () => this.#end(entry) };
  }

  async #isRecorded({ recorded }: Entry): Promise<boolean> {
    if (!recorded) return true;
    const { clock, recordWaitMs } = this.#options;
    try {
      const isRecorded = recorded.then(() => true);
      return await valueWithin(isRecorded, false, { ms: recordWaitMs, clock });
    } catch {
      // Why is the ledger's to say, and it does; the service only has to know that it must come again.
      return false;
    }
  }

  #end(entry: Entry): boolean {
    if (!entry.isWaiting) return !entry.isDelivered;
    entry.isWaiting = false;
    entry.take = undefined;
    this.#waiting -= 1;
    this.#ended.push(entry);
    while (this.#ended.length > this.#options.endedKept) {
      const oldest = this.#ended.shift();
      if (oldest) this.#forget(oldest);
    }
    return !entry.isDelivered;
  }

  #forget(entry: Entry): void {
    const left = (this.#entries.get(entry.jobId) ?? []).filter((each) => each !== entry);
    if (left.length === 0) this.#entries.delete(entry.jobId);
    else this.#entries.set(entry.jobId, left);
  }
}

/** A lone surrogate cannot be in a URL; such an id is as good as any with U+FFFD. */
function wellFormed(jobId: string): string {
  return Buffer.from(jobId, "utf8").toString("utf8");
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}

function isSame(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

// What happened lately, for the overview: the last outcomes, what went wrong, the last hour minute by minute and client by
// client, and how far continued actions had come. A fold over the engine's events, bounded in everything.

import type { WorkerEvent } from "../engine/events.js";
import { actionTypeName, type JobKey, jobKeyName, placeOf } from "../job/job.js";
import { ClientBoard, type ClientCount, type Results } from "./client-counts.js";
import { needsALook } from "./drops.js";

/** How one job ended, as far as it may be shown. Texts are masked and cut. */
export interface PastJob {
  readonly atMs: number;
  readonly jobId: string;
  /** Absent: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId: string | undefined;
  readonly handler: string | undefined;
  readonly end: "succeeded" | "continued" | "failed" | "dropped" | "unfinished";
  /** Somebody should look at it: not at a drop that is ordinary in a fleet, a drain or a pause. */
  readonly isTrouble: boolean;
  /** The failure's type, or why it was dropped. */
  readonly reason: string | undefined;
  readonly text: string | undefined;
  readonly tookMs: number | undefined;
}

/** One minute. */
export interface Minute extends Results {
  readonly startMs: number;
  readonly byType: ReadonlyMap<string, Results>;
  /** In ms, the last few hundred. */
  readonly pickups: readonly number[];
}

export interface HistoryView {
  /** Newest first. */
  readonly recent: readonly PastJob[];
  /** Only those that somebody should look at, further back. Newest first. */
  readonly troubles: readonly PastJob[];
  /** The last hour of each client. */
  readonly clients: readonly ClientCount[];
  /** Sixty, oldest first; minutes in which nothing happened are there too. */
  readonly hour: readonly Minute[];
  /** How far the action of a running job had come with its earlier jobs, by place and job id. */
  readonly percent: ReadonlyMap<string, number>;
}

/** So many that a client who was filtered for is likely among them; the ledger keeps the rest. */
const recentMax = 500;
/** Apart from those: successes in great number must not push a failure out. */
const troublesMax = 1_000;
/** Action types that are counted apart; there are as many as are configured. */
const typesMax = 100;
const minutes = 60;
const minuteMs = 60_000;
const pickupsMax = 300;
const textMax = 300;
/** Actions whose progress is remembered between two of their jobs. */
const actionsMax = 2_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Bucket = Mutable<Omit<Minute, "pickups" | "byType">> & {
  pickups: number[];
  seen: number;
  readonly byType: Map<string, Mutable<Results>>;
};
interface Begun {
  readonly handler: string;
  readonly action: string;
  tookMs: number | undefined;
}

/** Remembers what the page shows of the past. */
export class History {
  readonly #recent = new Ring<PastJob>(recentMax);
  readonly #troubles = new Ring<PastJob>(troublesMax);
  readonly #clients = new ClientBoard();
  readonly #hour: Bucket[] = [];
  readonly #begun = new Map<string, Begun>();
  readonly #percentByAction = new Map<string, number>();
  readonly #percent = new Map<string, number>();

  view(nowMs: number): HistoryView {
    const first = minuteOf(nowMs) - (minutes - 1) * minuteMs;
    const known = new Map(this.#hour.map((bucket) => [bucket.startMs, bucket]));
    const hour = Array.from({ length: minutes }, (_, at) => {
      const startMs = first + at * minuteMs;
      return known.get(startMs) ?? emptyMinute(startMs);
    });
    // Made when they are looked at: most of what is sent to an open page needs none of them.
    const [recent, troubles, clients] = [this.#recent, this.#troubles, this.#clients];
    return {
      get recent() {
        return recent.newestFirst();
      },
      get troubles() {
        return troubles.newestFirst();
      },
      get clients() {
        return clients.counts(nowMs);
      },
      hour,
      percent: this.#percent,
    };
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "job-started":
        return this.#started(event);
      case "job-settled": {
        const begun = this.#begun.get(jobKeyName(event.key));
        if (begun) begun.tookMs = event.durationMs;
        return;
      }
      case "job-reported":
        return this.#reported(event);
      case "job-dropped":
        return this.#ended(event, {
          end: "dropped",
          isTrouble: needsALook(event.reason, event.from),
          reason: event.reason,
          text: event.message,
        });
      case "job-unfinished":
        return this.#ended(event, { end: "unfinished", isTrouble: true, reason: event.state, text: event.message });
      default:
        return;
    }
  }

  #started(event: WorkerEvent & { type: "job-started" }): void {
    const name = jobKeyName(event.key);
    const { actionExecutionId, pipelineName, actionName } = event;
    const action = actionExecutionId ?? JSON.stringify([event.key.clientId, pipelineName, actionName]);
    this.#begun.set(name, { handler: event.handler, action, tookMs: undefined });
    const percent = event.isContinuation ? this.#percentByAction.get(action) : undefined;
    if (percent !== undefined) this.#percent.set(name, percent);
    const bucket = this.#bucket(event.atMs);
    bucket.pickups[bucket.seen % pickupsMax] = event.pickupMs;
    bucket.seen += 1;
  }

  #reported(event: WorkerEvent & { type: "job-reported" }): void {
    const { outcome } = event;
    this.#count(event, outcome.kind);
    const action = this.#begun.get(jobKeyName(event.key))?.action;
    if (action !== undefined) {
      this.#percentByAction.delete(action);
      const percent = outcome.kind === "continued" ? outcome.percentComplete : undefined;
      if (percent !== undefined) this.#percentByAction.set(action, percent);
      trim(this.#percentByAction, actionsMax);
    }
    const end = outcome.kind;
    const told =
      end === "failed" ? { reason: outcome.type, text: outcome.message } : { reason: undefined, text: outcome.summary };
    this.#ended(event, { end, isTrouble: end === "failed", ...told });
  }

  #ended(
    event: { readonly atMs: number; readonly key: JobKey },
    { end, isTrouble, reason, text }: Pick<PastJob, "end" | "isTrouble" | "reason" | "text">,
  ): void {
    const { key, atMs } = event;
    const name = jobKeyName(key);
    const begun = this.#begun.get(name);
    this.#begun.delete(name);
    this.#percent.delete(name);
    if (end === "dropped" && isTrouble) this.#count(event, "dropped");
    const past: PastJob = {
      atMs,
      jobId: key.jobId,
      ...placeOf(key),
      actionType: actionTypeName(key.actionType),
      clientId: key.clientId,
      handler: begun?.handler,
      end,
      isTrouble,
      reason,
      text: text === undefined || text.length <= textMax ? text : `${text.slice(0, textMax)}…`,
      tookMs: begun?.tookMs,
    };
    this.#recent.push(past);
    if (isTrouble) this.#troubles.push(past);
  }

  #count({ atMs, key }: { readonly atMs: number; readonly key: JobKey }, what: keyof Results): void {
    const bucket = this.#bucket(atMs);
    bucket[what] += 1;
    const type = actionTypeName(key.actionType);
    const known = bucket.byType.get(type);
    if (known) known[what] += 1;
    else if (bucket.byType.size < typesMax) bucket.byType.set(type, { ...nothing, [what]: 1 });
    this.#clients.count(atMs, key.clientId, what);
  }

  #bucket(atMs: number): Bucket {
    const startMs = minuteOf(atMs);
    const known = this.#hour.findLast((bucket) => bucket.startMs === startMs);
    if (known) return known;
    const bucket: Bucket = { ...emptyMinute(startMs), byType: new Map(), pickups: [], seen: 0 };
    this.#hour.push(bucket);
    if (this.#hour.length > minutes) this.#hour.shift();
    return bucket;
  }
}

function minuteOf(atMs: number): number {
  return Math.floor(atMs / minuteMs) * minuteMs;
}

function emptyMinute(startMs: number): Minute {
  return { startMs, ...nothing, byType: noTypes, pickups: [] };
}

const nothing: Results = { succeeded: 0, continued: 0, failed: 0, dropped: 0 };
const noTypes: Minute["byType"] = new Map();

/** The last so many. */
class Ring<T> {
  readonly #max: number;
  readonly #all: T[] = [];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  push(one: T): void {
    this.#all[this.#next] = one;
    this.#next = (this.#next + 1) % this.#max;
  }

  newestFirst(): readonly T[] {
    return [...this.#all.slice(this.#next), ...this.#all.slice(0, this.#next)].reverse();
  }
}

/** Forgets what was set longest ago. */
function trim(map: Map<string, unknown>, max: number): void {
  for (const name of map.keys()) {
    if (map.size <= max) return;
    map.delete(name);
  }
}

// The metrics: a reader of the engine's events and of the parts' calls that only counts. It never sees an id in a
// label, a text of a job or a secret; what CodePipeline names freely (error codes) counts by a bounded list of names.
import { Counter, Histogram, Registry } from "prom-client";
import type { PollerName, WorkerEvent } from "../engine/events.js";
import { actionTypeName, type JobKey, type Place } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { type Exposition, exposed, type Family, type Sample } from "./exposition.js";
import { ProcessMetrics } from "./process-metrics.js";
import { type MetricsView, placeLabels, snapshotFamilies } from "./snapshot-metrics.js";

export interface MetricsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The ledger's store. */
  readonly store: string;
  readonly pollers: readonly PollerName[];
  /** The present, asked for at each scrape. */
  readonly look: () => MetricsView;
}

/** Seconds: a healthy pickup takes milliseconds, one behind a slow token source or ledger seconds. */
const pickupBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Seconds: from a look at a gate to the longest `jobTimeout`. */
const durationBuckets = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
/** Seconds: an outage may last as long as CodePipeline waits for an action. */
const owedBuckets = [0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];
const callBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30];
const lookupBuckets = [0.0001, 0.001, 0.01, 0.1, 0.5, 1, 5, 15];

/** Codes that get their own label; a service that keeps inventing new ones must not fill the memory. */
const codesMax = 60;

/** Counts what happens, and prints it for scrapes. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #process: ProcessMetrics;
  readonly #places = new Set<string>();
  readonly #codes = new Set<string>();
  readonly #counters: ReturnType<typeof countersIn>;
  readonly #histograms: ReturnType<typeof histogramsIn>;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#process = new ProcessMetrics({ clock: options.clock });
    this.#counters = countersIn(this.#registry);
    this.#histograms = histogramsIn(this.#registry);
    this.#beginAtZero();
    this.#addPollers(options.pollers);
  }

  /** Everything, in the format that the `Accept` header asks for. */
  async exposition(accept: string | undefined): Promise<Exposition> {
    const { version, look } = this.#options;
    const build: Family = {
      name: "partnerd_build_info",
      type: "gauge",
      help: "Always 1; the labels are the version of partnerd and Node.",
      samples: [{ suffix: "", labels: { version, node: process.versions.node }, value: 1 }],
    };
    const counted = (await this.#registry.getMetricsAsJSON()).map((metric) =>
      familyOf(metric as unknown as CollectedMetric),
    );
    return exposed([build, ...snapshotFamilies(look()), ...counted, ...this.#process.families()], accept);
  }

  /** Takes in one event of the engine. */
  observe(event: WorkerEvent): void {
    const { jobs, started, offers, dropped, unfinished, recovered, retries, abandoned, threadsEnded, bugs } =
      this.#counters;
    switch (event.type) {
      case "poll-finished":
      case "poll-failed":
        return this.#polled(event);
      case "offer-repeated":
        return offers.inc({ ...this.#labels(event.key), end: "repeated" });
      case "job-started":
        started.inc({ ...this.#labels(event.key), continuation: String(event.isContinuation) });
        return this.#histograms.pickup.observe(this.#labels(event.key), event.pickupMs / 1_000);
      case "job-settled": {
        const labels = { ...this.#labels(event.key), cause: event.cause };
        jobs.inc(labels);
        const ended = { action_type: labels.action_type, kind: event.outcome.kind };
        return this.#histograms.duration.observe(ended, event.durationMs / 1_000);
      }
      case "job-reported":
        return this.#reported(event);
      case "job-dropped":
        return dropped.inc({ ...this.#labels(event.key), reason: event.reason });
      case "job-unfinished":
        return unfinished.inc({ state: event.state });
      case "job-recovered":
        return recovered.inc({ state: event.state });
      case "call-retried":
        return retries.inc({ operation: event.fault.operation, code: this.#code(event.fault.code) });
      case "result-refused":
        return this.#counters.refused.inc();
      case "pollers-changed":
        return this.#addPollers(event.added);
      case "reload-finished":
        return this.#counters.reloads.inc({ end: reloadEndOf(event) });
      case "reload-refused":
        return this.#counters.reloads.inc({ end: "refused" });
      case "handler-abandoned":
        return abandoned.inc();
      case "handler-thread-ended":
        return threadsEnded.inc({ handler: event.handler });
      case "bug":
        return bugs.inc();
      default:
        return;
    }
  }

  /** Takes in one call to CodePipeline. */
  onCall(call: {
    readonly account?: string;
    readonly region: string;
    readonly operation: string;
    readonly end: string;
    readonly code: string;
    readonly durationMs: number;
  }): void {
    const { operation } = call;
    const place = placeLabels(call);
    this.#counters.calls.inc({ ...place, operation, code: this.#code(call.code) });
    if (call.end === "throttled") this.#counters.throttles.inc({ ...place, operation });
    this.#histograms.calls.observe({ operation }, call.durationMs / 1_000);
  }

  /** Takes in one look-up of a client token. */
  onLookup(lookup: { readonly end: string; readonly durationMs: number }): void {
    this.#counters.lookups.inc({ end: lookup.end });
    this.#histograms.lookups.observe(lookup.durationMs / 1_000);
  }

  /** Takes in one write to the ledger's store. */
  onCommit(commit: { readonly isDurable: boolean; readonly durationMs: number }): void {
    const { store } = this.#options;
    this.#counters.commits.inc({ store, end: commit.isDurable ? "durable" : "failed" });
    this.#histograms.commits.observe({ store }, commit.durationMs / 1_000);
  }

  /** Takes in one request with a wrong token. */
  onWrongToken({ kind }: { readonly kind: string }): void {
    this.#counters.wrongTokens.inc({ kind });
  }

  close(): void {
    this.#process.close();
  }

  #polled(event: WorkerEvent & { type: "poll-finished" | "poll-failed" }): void {
    const { polls, offers } = this.#counters;
    const labels = this.#labels(event.poller);
    const poller = { ...labels, ...queryLabel(event.poller) };
    if (event.type === "poll-failed") return polls.inc({ ...poller, end: event.fault.kind });
    polls.inc({ ...poller, end: event.taken > 0 ? "jobs" : "empty" });
    if (event.taken > 0) offers.inc({ ...labels, end: "taken" }, event.taken);
    if (event.unreadable.length > 0) offers.inc({ ...labels, end: "unreadable" }, event.unreadable.length);
  }

  #reported(event: WorkerEvent & { type: "job-reported" }): void {
    const { outcome } = event;
    const type = outcome.kind === "failed" ? outcome.type : "none";
    this.#counters.results.inc({ ...this.#labels(event.key), kind: outcome.kind, failure_type: type });
    this.#histograms.owed.observe(event.owedMs / 1_000);
  }

  /** A job of an earlier configuration may name an action type that is not configured any more. */
  #labels({ actionType, ...place }: Place & Pick<JobKey, "actionType">) {
    const name = actionTypeName(actionType);
    return { action_type: this.#places.has(name) ? name : "other", ...placeLabels(place) };
  }

  #code(code: string): string {
    if (this.#codes.has(code)) return code;
    if (this.#codes.size >= codesMax || !/^[\w ./:-]{1,80}$/.test(code)) return "other";
    this.#codes.add(code);
    return code;
  }

  /** A series that begins with its first count hides it from every rate. */
  #beginAtZero(): void {
    const { reloads, lookups, commits, unfinished, wrongTokens } = this.#counters;
    for (const kind of ["admin", "callback"]) wrongTokens.inc({ kind }, 0);
    for (const state of ["acknowledging", "running", "settled"]) unfinished.inc({ state }, 0);
    for (const end of reloadEnds) reloads.inc({ end }, 0);
    for (const end of ["found", "unknown-client", "source-unavailable"]) lookups.inc({ end }, 0);
    for (const end of ["durable", "failed"]) commits.inc({ store: this.#options.store, end }, 0);
  }

  /** The names that a configuration brings; those of an earlier one keep what was counted. */
  #addPollers(pollers: readonly PollerName[]): void {
    const { polls, results, dropped } = this.#counters;
    for (const poller of pollers) {
      this.#places.add(actionTypeName(poller.actionType));
      const labels = this.#labels(poller);
      const ofPoller = { ...labels, ...queryLabel(poller) };
      for (const end of ["jobs", "empty", "throttled", "unavailable", "denied"]) polls.inc({ ...ofPoller, end }, 0);
      for (const kind of ["succeeded", "continued"]) results.inc({ ...labels, kind, failure_type: "none" }, 0);
      results.inc({ ...labels, kind: "failed", failure_type: "JobFailed" }, 0);
      for (const reason of ["token-rejected", "over"]) dropped.inc({ ...labels, reason }, 0);
    }
  }
}

const reloadEnds = ["unchanged", "applied", "needs-restart", "refused"] as const;

function reloadEndOf(event: WorkerEvent & { type: "reload-finished" }): (typeof reloadEnds)[number] {
  if (event.needsRestart.length > 0) return "needs-restart";
  return event.applied.length > 0 ? "applied" : "unchanged";
}

/** `account` only where it has a name. */
const place = ["action_type", "region", "account"] as const;

/** Tells pollers of one action type apart by what they ask for. */
function queryLabel({ query }: PollerName): { readonly query?: string } {
  return query === undefined ? {} : { query };
}

/** Every counter; the table of docs/metrics.md reads their labels, too. */
export function countersIn(registry: Registry) {
  const counter = <const Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `partnerd_${name}_total`, help, labelNames: [...labelNames], registers: [registry] });
  return {
    polls: counter("polls", "Polls by result: jobs, empty, or the kind of fault.", [...place, "query", "end"]),
    offers: counter("offers", "Jobs that polls offered: taken, repeated or unreadable.", [...place, "end"]),
    started: counter("jobs_started", "Jobs whose handler started.", [...place, "continuation"]),
    jobs: counter("jobs_settled", "Jobs whose outcome was decided, by why the handler ended.", [...place, "cause"]),
    results: counter("results", "Results that CodePipeline accepted.", [...place, "kind", "failure_type"]),
    refused: counter("results_refused", "Results that CodePipeline rejected; a generic failure was reported instead."),
    dropped: counter("jobs_dropped", "Jobs dropped without a result of ours.", [...place, "reason"]),
    unfinished: counter("jobs_unfinished", "Jobs that were unfinished at a stop.", ["state"]),
    recovered: counter("jobs_recovered", "Jobs recovered from a previous process.", ["state"]),
    abandoned: counter("handlers_abandoned", "Handlers that did not stop in time."),
    threadsEnded: counter("handler_threads_ended", "Threads of module handlers that ended unexpectedly.", ["handler"]),
    retries: counter("call_retries", "Calls for one job that were retried.", ["operation", "code"]),
    calls: counter("api_calls", "Calls to CodePipeline.", ["region", "account", "operation", "code"]),
    throttles: counter("throttles", "Calls that CodePipeline throttled.", ["region", "account", "operation"]),
    lookups: counter("token_lookups", "Look-ups of client tokens.", ["end"]),
    commits: counter("ledger_commits", "Writes to the ledger's store.", ["store", "end"]),
    reloads: counter("config_reloads", "Reloads of the configuration.", ["end"]),
    wrongTokens: counter("wrong_tokens", "Requests to the admin port with a wrong token.", ["kind"]),
    bugs: counter("bugs", "Internal errors."),
  };
}

/** Every histogram. */
export function histogramsIn(registry: Registry) {
  const histogram = <const Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly Label[] = [],
  ) =>
    new Histogram({
      name: `partnerd_${name}_seconds`,
      help,
      buckets,
      labelNames: [...labelNames],
      registers: [registry],
    });
  return {
    pickup: histogram("job_pickup", "From the poll's answer to the start of the handler.", pickupBuckets, place),
    duration: histogram("job_duration", "How long handlers ran.", durationBuckets, ["action_type", "kind"]),
    owed: histogram("result_owed", "From the outcome until CodePipeline accepts it.", owedBuckets),
    calls: histogram("api_call_duration", "Calls to CodePipeline.", callBuckets, ["operation"]),
    lookups: histogram("token_lookup_duration", "Look-ups of client tokens.", lookupBuckets),
    commits: histogram("ledger_commit_duration", "Writes to the ledger's store.", commitBuckets, ["store"]),
  };
}

interface CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

function familyOf({ name, help, type, values }: CollectedMetric): Family {
  const samples = values.map(
    ({ metricName, labels, value }): Sample => ({ suffix: (metricName ?? name).slice(name.length), labels, value }),
  );
  return { name, help, type: type === "histogram" ? "histogram" : "counter", samples };
}

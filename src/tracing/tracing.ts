// Turns the engine's events into OpenTelemetry spans, through the API alone: whoever wants them registers an SDK before
// partnerd starts (`node --import ./tracing.mjs`). A reader of events like the log; it never reaches the engine.
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { WorkerEvent } from "../engine/events.js";
import type { JobTrace } from "../handlers/handler.js";
import { actionTypeName, type JobKey, jobKeyName } from "../job/job.js";

export interface TracingOptions {
  readonly tracer: Tracer;
  /** Most jobs with a span that is open; for tests. */
  readonly jobsMax?: number;
}

/** Spans of one job: `job` from its offer to its result, `step` its handler, then its report. */
interface JobSpans {
  readonly job: Span;
  readonly inJob: Context;
  step: Span | undefined;
}

/** A job that ends without any event of its own would stay for ever: more than a worker's slots and parked jobs. */
const ordinaryJobsMax = 20_000;

export class Tracing {
  readonly #tracer: Tracer;
  readonly #jobsMax: number;
  readonly #jobs = new Map<string, JobSpans>();

  constructor(options: TracingOptions) {
    this.#tracer = options.tracer;
    this.#jobsMax = options.jobsMax ?? ordinaryJobsMax;
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "poll-finished":
      case "poll-failed":
        return this.#polled(event);
      case "job-started":
        return this.#started(event);
      case "job-recovered":
        this.#open(event.key, event.atMs, { "partnerd.recovered": true });
        return;
      case "callback-awaited":
        this.#jobs.get(jobKeyName(event.key))?.step?.addEvent("callback awaited", event.atMs);
        return;
      case "call-retried":
        return this.#retried(event);
      case "job-settled":
        return this.#settled(event);
      case "job-reported":
        return this.#close(event.key, event.atMs, { "partnerd.attempts": event.attempts });
      case "job-dropped":
        return this.#close(event.key, event.atMs, { "partnerd.dropped": event.reason }, event.message);
      case "job-unfinished":
        return this.#close(event.key, event.atMs, { "partnerd.unfinished": event.state }, event.message);
      default:
        return;
    }
  }

  /** What the job's handler goes on with; undefined when the job has no span. */
  traceOf(key: JobKey): JobTrace | undefined {
    const spans = this.#jobs.get(jobKeyName(key));
    const span = spans?.step;
    if (!spans || !span) return undefined;
    const spanContext = span.spanContext();
    if (!isSpanContextValid(spanContext)) return undefined;
    const { traceId, spanId, traceFlags, traceState } = spanContext;
    const state = traceState?.serialize();
    const inHandler = trace.setSpan(spans.inJob, span);
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      ...(state ? { tracestate: state } : {}),
      within: (run) => context.with(inHandler, run),
    };
  }

  /** Ends what is still open: the process ends. */
  close(): void {
    for (const { job, step } of this.#jobs.values()) {
      step?.end();
      job.end();
    }
    this.#jobs.clear();
  }

  #polled(event: WorkerEvent & { type: "poll-finished" | "poll-failed" }): void {
    const { account, region, actionType, query } = event.poller;
    const attributes = defined({
      "cloud.region": region,
      "partnerd.account": account,
      "partnerd.action_type": actionTypeName(actionType),
      "partnerd.query": query,
    });
    const startTime = event.atMs - event.durationMs;
    const span = this.#tracer.startSpan(
      "poll",
      { kind: SpanKind.CLIENT, startTime, attributes, root: true },
      ROOT_CONTEXT,
    );
    if (event.type === "poll-failed") {
      span.setAttribute("error.type", event.fault.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: event.fault.message });
    } else {
      span.setAttributes({ "partnerd.offered": event.offered, "partnerd.taken": event.taken });
    }
    span.end(event.atMs);
  }

  #started(event: WorkerEvent & { type: "job-started" }): void {
    const spans = this.#open(event.key, event.atMs - event.pickupMs, {});
    spans.job.setAttributes(
      defined({
        "partnerd.pipeline": event.pipelineName,
        "partnerd.action": event.actionName,
        "partnerd.action_execution_id": event.actionExecutionId,
        "partnerd.continuation": event.isContinuation,
      }),
    );
    spans.step = this.#tracer.startSpan(
      "handler",
      { startTime: event.atMs, attributes: { "partnerd.handler": event.handler } },
      spans.inJob,
    );
  }

  #retried(event: WorkerEvent & { type: "call-retried" }): void {
    const { fault, attempt } = event;
    const attributes = { "error.type": fault.code, "partnerd.operation": fault.operation, "partnerd.attempt": attempt };
    this.#jobs.get(jobKeyName(event.key))?.job.addEvent("call retried", attributes, event.atMs);
  }

  #settled(event: WorkerEvent & { type: "job-settled" }): void {
    const spans = this.#open(event.key, event.atMs, {});
    const { outcome } = event;
    spans.step?.setAttribute("partnerd.cause", event.cause);
    spans.job.setAttribute("partnerd.outcome", outcome.kind);
    if (outcome.kind === "failed") {
      spans.job.setAttribute("error.type", outcome.type);
      for (const span of [spans.step, spans.job]) {
        span?.setStatus({ code: SpanStatusCode.ERROR, message: outcome.message });
      }
    }
    spans.step?.end(event.atMs);
    spans.step = this.#tracer.startSpan("report", { kind: SpanKind.CLIENT, startTime: event.atMs }, spans.inJob);
  }

  #open(key: JobKey, startTime: number, more: Attributes): JobSpans {
    const name = jobKeyName(key);
    const known = this.#jobs.get(name);
    if (known) return known;
    const job = this.#tracer.startSpan(
      "job",
      { kind: SpanKind.CONSUMER, startTime, root: true, attributes: { ...attributesOf(key), ...more } },
      ROOT_CONTEXT,
    );
    const spans: JobSpans = { job, inJob: trace.setSpan(ROOT_CONTEXT, job), step: undefined };
    this.#jobs.set(name, spans);
    this.#endOldest(startTime);
    return spans;
  }

  #close(key: JobKey, endTime: number, attributes: Attributes, error?: string): void {
    const name = jobKeyName(key);
    const spans = this.#jobs.get(name);
    if (!spans) return;
    this.#jobs.delete(name);
    spans.job.setAttributes(attributes);
    if (error !== undefined) spans.job.setStatus({ code: SpanStatusCode.ERROR, message: error });
    spans.step?.end(endTime);
    spans.job.end(endTime);
  }

  /** A span that is not ended is never exported. */
  #endOldest(endTime: number): void {
    if (this.#jobs.size <= this.#jobsMax) return;
    const [oldest] = this.#jobs;
    if (oldest === undefined) return;
    const [name, { job, step }] = oldest;
    this.#jobs.delete(name);
    job.setAttribute("partnerd.evicted", true);
    step?.end(endTime);
    job.end(endTime);
  }
}

/** Tracing, if an SDK was registered in this process; without one nothing is loaded and nothing is paid. */
export function tracingOf(version: string): Tracing {
  return new Tracing({ tracer: trace.getTracer("partnerd", version) });
}

function attributesOf(key: JobKey): Attributes {
  return defined({
    "cloud.region": key.region,
    "partnerd.account": key.account,
    "partnerd.action_type": actionTypeName(key.actionType),
    "partnerd.job_id": key.jobId,
    "partnerd.client_id": key.clientId,
  });
}

function defined(attributes: Readonly<Record<string, string | boolean | undefined>>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Attributes;
}

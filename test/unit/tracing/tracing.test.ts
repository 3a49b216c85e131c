// Spans of polls and jobs, read off events, with OpenTelemetry's own SDK.
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UntimedEvent } from "../../../src/engine/events.js";
import type { JobId } from "../../../src/job/job.js";
import { failed, type Outcome, succeeded } from "../../../src/job/outcome.js";
import { Tracing } from "../../../src/tracing/tracing.js";
import { key, oneOfEach, polled, pollFailed, started } from "../admin/event-log-samples.js";

const startMs = Date.UTC(2026, 0, 1);

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

function given(options: { readonly jobsMax?: number } = {}) {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracing = new Tracing({ tracer: provider.getTracer("partnerd"), ...options });
  let atMs = startMs;
  return {
    tracing,
    provider,
    tell: (...events: readonly UntimedEvent[]) => {
      for (const event of events) {
        atMs += 10;
        tracing.observe({ ...event, atMs });
      }
    },
    spans: () => exporter.getFinishedSpans(),
    span: (name: string) => {
      const found = exporter.getFinishedSpans().filter((span) => span.name === name);
      expect(found, name).toHaveLength(1);
      return found[0] as (typeof found)[number];
    },
  };
}

const msOf = ([seconds, nanos]: readonly [number, number]) => seconds * 1_000 + nanos / 1e6;
const settled = (outcome: Outcome = succeeded()): UntimedEvent =>
  ({ ...oneOfEach["job-settled"], outcome }) as UntimedEvent;

describe("a job", () => {
  it("that nobody hears of any more has its spans ended, and not lost, when others take its place", () => {
    const { tell, spans } = given({ jobsMax: 2 });
    const jobs = ["job-1", "job-2", "job-3"].map((jobId) => ({ ...key, jobId: jobId as JobId }));
    for (const each of jobs) tell({ ...started, key: each } as UntimedEvent);
    expect(spans().map(({ name, attributes }) => [name, attributes["partnerd.evicted"]])).toEqual([
      ["handler", undefined],
      ["job", true],
    ]);
    expect(spans()[1]?.attributes["partnerd.job_id"]).toBe("job-1");
  });

  it("is one trace: the job, its handler and its report in it", () => {
    const { tell, span, spans } = given();
    tell(started, settled(), oneOfEach["job-reported"]);
    const [job, handler, report] = ["job", "handler", "report"].map(span);
    expect(spans()).toHaveLength(3);
    expect(job?.kind).toBe(SpanKind.CONSUMER);
    expect(job?.parentSpanContext).toBeUndefined();
    for (const part of [handler, report]) {
      expect(part?.spanContext().traceId).toBe(job?.spanContext().traceId);
      expect(part?.parentSpanContext?.spanId).toBe(job?.spanContext().spanId);
    }
    // The job began with its offer, 4.6 ms before its handler.
    expect(msOf(handler?.startTime ?? [0, 0]) - msOf(job?.startTime ?? [0, 0])).toBeCloseTo(4.6, 3);
    expect(handler?.endTime).toEqual(report?.startTime);
    expect(report?.endTime).toEqual(job?.endTime);
    expect(job?.attributes).toMatchObject({
      "partnerd.job_id": key.jobId,
      "partnerd.client_id": key.clientId,
      "partnerd.outcome": "succeeded",
      "partnerd.pipeline": "Shop",
    });
  });

  it("that fails says so, with type and message", () => {
    const { tell, span } = given();
    tell(started, settled(failed("no such bucket", { type: "ConfigurationError" })), oneOfEach["job-reported"]);
    expect(span("job").status).toEqual({ code: SpanStatusCode.ERROR, message: "no such bucket" });
    expect(span("job").attributes["error.type"]).toBe("ConfigurationError");
    expect(span("handler").status.code).toBe(SpanStatusCode.ERROR);
    expect(span("report").status.code).toBe(SpanStatusCode.UNSET);
  });

  it.each(["job-dropped", "job-unfinished"] as const)("ends with %s, and nothing of it stays", (type) => {
    const { tell, spans, tracing } = given();
    tell(started, oneOfEach[type]);
    expect(spans().map(({ name }) => name)).toEqual(["handler", "job"]);
    expect(tracing.traceOf(key)).toBeUndefined();
  });

  it("that an earlier process left is a trace of its own that says so", () => {
    const { tell, span } = given();
    tell(oneOfEach["job-recovered"], settled(), oneOfEach["job-reported"]);
    expect(span("job").attributes["partnerd.recovered"]).toBe(true);
  });

  it("tells of calls that were made again as events", () => {
    const { tell, span } = given();
    tell(started, oneOfEach["call-retried"], oneOfEach["callback-awaited"], settled(), oneOfEach["job-reported"]);
    expect(span("job").events.map(({ name }) => name)).toEqual(["call retried"]);
    expect(span("handler").events.map(({ name }) => name)).toEqual(["callback awaited"]);
  });
});

describe("polls", () => {
  it("are a span each, as long as the call took", () => {
    const { tell, spans } = given();
    tell(polled(), pollFailed(1));
    const [good, bad] = spans();
    expect(good).toMatchObject({ name: "poll", kind: SpanKind.CLIENT, attributes: { "partnerd.taken": 2 } });
    expect(msOf(good?.duration ?? [0, 0])).toBeCloseTo(9.4, 1);
    expect(bad).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { "error.type": "ECONNRESET" } });
  });
});

describe("what a handler goes on with", () => {
  it("is the handler's own span, as a traceparent and as the active context", () => {
    const { tell, tracing, span, provider } = given();
    tell(started);
    const handed = tracing.traceOf(key);
    const child = handed?.within(() => {
      const inner = provider.getTracer("handler").startSpan("inner");
      inner.end();
      return trace.getActiveSpan();
    });
    tell(settled(), oneOfEach["job-reported"]);
    const { traceId, spanId } = span("handler").spanContext();
    expect(handed?.traceparent).toBe(`00-${traceId}-${spanId}-01`);
    expect(child?.spanContext().spanId).toBe(spanId);
    expect(span("inner").parentSpanContext?.spanId).toBe(spanId);
  });

  it("is nothing where nobody records, or where there is no such job", () => {
    const tracing = new Tracing({ tracer: trace.getTracer("nobody") });
    tracing.observe({ ...started, atMs: startMs });
    expect(tracing.traceOf(key)).toBeUndefined();
    expect(given().tracing.traceOf(key)).toBeUndefined();
  });
});

it("takes every event, in any order, and ends what is open when it closes", () => {
  const { tell, tracing, spans } = given();
  const events = Object.values(oneOfEach);
  for (let turn = 0; turn < events.length; turn++) tell(...events.slice(turn), ...events.slice(0, turn));
  tell(started);
  const before = spans().length;
  tracing.close();
  expect(spans().length).toBeGreaterThan(before);
});

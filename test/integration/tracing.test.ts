// Promise: where an OpenTelemetry SDK is registered, a job is one trace, and handlers of every kind can go on with it.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Config } from "../../src/config/config.js";
import { custom, type Rig, type RigOptions, startRig } from "../support/rig.js";

const exporter = new InMemorySpanExporter();

beforeEach(() => {
  exporter.reset();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => {
  trace.disable();
  context.disable();
});

/** Works one job; what its handler saw as its place in the trace, by its summary. */
async function worked(rig: Rig): Promise<string | undefined> {
  const id = rig.emulator.addJob({ actionType: custom });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  const { outcome } = await rig.event("job-reported", ({ key }) => key.jobId === id);
  return outcome.kind === "succeeded" ? outcome.summary : undefined;
}

function withHandler(handler: Config["handlers"][string]): RigOptions {
  return { actionTypes: [custom], config: { handlers: { scripted: handler } } };
}

function handlerSpan(): string {
  const [span] = exporter.getFinishedSpans().filter(({ name }) => name === "handler");
  const { traceId = "none", spanId = "none" } = span?.spanContext() ?? {};
  return `00-${traceId}-${spanId}-01`;
}

it("gives a command its handler's span as TRACEPARENT", async () => {
  const script = `printf '{"kind":"succeeded","summary":"%s"}' "$TRACEPARENT" > "$PARTNERD_OUTCOME"`;
  await using rig = await startRig(withHandler({ kind: "command", command: ["sh", "-c", script], env: {} }));
  expect(await worked(rig)).toBe(handlerSpan());
});

it("gives a service its handler's span as traceparent", async () => {
  const service = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ kind: "succeeded", summary: request.headers["traceparent"] ?? "none" }));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/jobs`;
  try {
    await using rig = await startRig(withHandler({ kind: "http", url, requestTimeoutMs: 5_000 }));
    expect(await worked(rig)).toBe(handlerSpan());
  } finally {
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
  }
});

it("runs a module within its handler's span, so that its own spans are children", async () => {
  await using rig = await startRig({
    actionTypes: [custom],
    handle: async () => {
      await Promise.resolve();
      return trace.getTracer("mine").startActiveSpan("mine", (span) => {
        span.end();
        return { kind: "succeeded" };
      });
    },
  });
  await worked(rig);
  const span = (name: string) => exporter.getFinishedSpans().find((each) => each.name === name);
  expect(span("mine")?.parentSpanContext?.spanId).toBe(span("handler")?.spanContext().spanId);
  expect(new Set(["job", "handler", "report", "mine"].map((name) => span(name)?.spanContext().traceId)).size).toBe(1);
  expect(span("poll")).toBeDefined();
});

it("shows no secret in any span", async () => {
  await using rig = await startRig({
    actionTypes: [{ ...custom, secretProperties: ["ApiKey"] }],
    handle: () => {
      throw new Error("the key hush-hush-hush was refused");
    },
  });
  const id = rig.emulator.addJob({ actionType: custom, configuration: { ApiKey: "hush-hush-hush" } });
  await rig.emulator.waitForJob(id, "over");
  await rig.event("job-reported");
  const shown = exporter.getFinishedSpans().map(({ attributes, status, events }) => ({ attributes, status, events }));
  expect(JSON.stringify(shown)).toContain("was refused");
  expect(JSON.stringify(shown)).not.toContain("hush-hush-hush");
});

it("makes nothing of it where no SDK is registered", async () => {
  trace.disable();
  const script = `printf '{"kind":"succeeded","summary":"%s"}' "\${TRACEPARENT-none}" > "$PARTNERD_OUTCOME"`;
  await using rig = await startRig(withHandler({ kind: "command", command: ["sh", "-c", script], env: {} }));
  expect(await worked(rig)).toBe("none");
  expect(exporter.getFinishedSpans()).toEqual([]);
});

// Traces across the threads: makes the spans of a handler's code children of the daemon's span of its job, where an
// OpenTelemetry SDK was registered in the thread (`node --import ./tracing.mjs` registers one in each). Loaded only then.
import { context, createTraceState, ROOT_CONTEXT, trace } from "@opentelemetry/api";

const traceparentForm = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Runs code in the given context (W3C Trace Context). */
export function within<T>(
  of: { readonly traceparent: string; readonly tracestate?: string | undefined },
  run: () => T,
): T {
  const [, traceId, spanId, flags] = traceparentForm.exec(of.traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return run();
  const traceState = of.tracestate === undefined ? {} : { traceState: createTraceState(of.tracestate) };
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, ...traceState };
  return context.with(trace.setSpanContext(ROOT_CONTEXT, parent), run);
}

/** Sends what the SDK of this thread still holds, where it can. */
export async function flush(): Promise<void> {
  const provider: unknown = trace.getTracerProvider();
  const delegate = hasMethod(provider, "getDelegate") ? provider.getDelegate() : provider;
  if (hasMethod(delegate, "forceFlush")) await delegate.forceFlush();
}

function hasMethod<N extends string>(value: unknown, name: N): value is Record<N, () => unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function";
}

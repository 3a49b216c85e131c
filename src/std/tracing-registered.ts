// Whether an OpenTelemetry SDK was registered in this process. Imports nothing, so that asking costs nothing.

/** Where the OpenTelemetry API, in all of its 1.x versions, keeps what was registered with it. */
const apiGlobal = Symbol.for("opentelemetry.js.api.1");

/** True when a tracer provider was registered before. */
export function isTracingRegistered(): boolean {
  const registered = Reflect.get(globalThis, apiGlobal) as { readonly trace?: unknown } | undefined;
  return registered?.trace !== undefined;
}

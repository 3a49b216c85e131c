// How each fault looks on the wire: resets, silence, broken bodies and errors that no rule of the API called for.
// Which call is struck was decided in injected-faults.ts. Nothing here outlives its connection.
import type { ServerResponse } from "node:http";
import type { ApiAnswer } from "./api-answer.js";
import { begin, failure, send, success } from "./api-answer.js";
import type { FaultView } from "./injected-faults.js";
import { ApiError } from "./wire.js";

/** Size and pace of an endless body: enough to hurt a reader without limits, not enough to fill a machine at once. */
const endlessChunk = Buffer.alloc(65_536, " ");
const endlessPauseMs = 20;

/** One answer about to be spoilt. */
export interface Spoiling {
  readonly fault: FaultView;
  readonly response: ServerResponse;
  readonly callId: string;
  /** The true answer, if the call took effect. */
  readonly answer: ApiAnswer | undefined;
  /** For the Date header. */
  readonly nowMs: number;
}

/** Answers as the fault says; returns the status and error code that went out, status 0 for none. */
export function sabotage(spoiling: Spoiling): { readonly status: number; readonly code?: string } {
  const { fault, response, answer, callId, nowMs } = spoiling;
  // What CodePipeline says, however odd, has its request id.
  const given = answer ?? success(callId, undefined);
  switch (fault.kind) {
    case "throttle":
    case "internal-error":
    case "unavailable":
    case "error":
      return refuse(spoiling);
    case "reset":
      response.socket?.resetAndDestroy();
      return { status: 0 };
    case "lost-answer":
      response.socket?.destroy();
      return { status: 0 };
    case "cut-answer":
      return cutShort(spoiling);
    case "black-hole":
      return { status: 0 };
    case "html":
      return show(spoiling, { status: fault.status ?? 502, headers: { "content-type": "text/html" }, body: page });
    case "malformed-json":
      return show(spoiling, { ...given, body: `${(answer?.body ?? "{").slice(0, -1)},"` });
    case "null-members":
      return show(spoiling, changed(given, fault, "null"));
    case "missing-members":
      return show(spoiling, changed(given, fault, "missing"));
    case "endless-body":
      runOn(response);
      return { status: 200 };
    case "latency":
    case "wrong-clock":
    case "short-credentials":
    case "slow-body":
    case "stalled-body":
    case "corrupt-body":
    case "short-body":
    case "refuse-connections":
      // These do not spoil an answer of the job API: job-api.ts waits, shifts the date; the server stops listening;
      // bodies of S3 are spoilt in s3/sending.ts.
      send(response, given, nowMs);
      return { status: given.status };
  }
}

const page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";

function refuse(spoiling: Spoiling): { status: number; code: string } {
  const { fault } = spoiling;
  const [code, message, status] = standardErrors[fault.kind] ?? ["InternalFailure", "The call failed.", 400];
  const error = new ApiError(fault.code ?? code, fault.message ?? message, {
    status: fault.status ?? status,
    ...(fault.retryAfter !== undefined && { retryAfterS: fault.retryAfter }),
  });
  send(spoiling.response, failure(spoiling.callId, error), spoiling.nowMs);
  return { status: error.status, code: error.code };
}

const standardErrors: Readonly<Partial<Record<string, readonly [string, string, number]>>> = {
  throttle: ["ThrottlingException", "Rate exceeded", 400],
  "internal-error": ["InternalFailure", "The request processing has failed because of an unknown error.", 500],
  unavailable: ["ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503],
};

function show(spoiling: Spoiling, answer: ApiAnswer): { status: number } {
  send(spoiling.response, answer, spoiling.nowMs);
  return { status: answer.status };
}

/** Half the body, then a reset; an empty body loses a byte that was promised. */
function cutShort({ response, answer, callId, nowMs }: Spoiling): { status: number } {
  const given = answer ?? success(callId, undefined);
  const whole = given.body || " ";
  begin(response, { ...given, body: whole }, nowMs);
  response.write(whole.slice(0, Math.floor(whole.length / 2)) || "", () => response.socket?.resetAndDestroy());
  if (whole.length < 2) response.flushHeaders();
  return { status: given.status };
}

function changed(answer: ApiAnswer, fault: FaultView, how: "null" | "missing"): ApiAnswer {
  if (!answer.document) return answer;
  const names = new Set(fault.members ?? Object.keys(answer.document));
  return { ...answer, body: JSON.stringify(without(answer.document, names, how)) };
}

/** A copy in which the named members, at any depth, are null or not there. */
function without(value: unknown, names: ReadonlySet<string>, how: "null" | "missing"): unknown {
  if (Array.isArray(value)) return value.map((element) => without(element, names, how));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => how === "null" || !names.has(name));
  return Object.fromEntries(kept.map(([name, member]) => [name, names.has(name) ? null : without(member, names, how)]));
}

function runOn(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
  response.write('{"jobs":[');
  const next = () => {
    if (response.destroyed || response.socket?.destroyed) return;
    response.write(endlessChunk, () => setTimeout(next, endlessPauseMs).unref());
  };
  next();
}

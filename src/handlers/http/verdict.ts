// What an answer of a partner's service means for the job. Pure: a table from status and body to a verdict.
// Never puts the service's address into a message: the customer reads it.
import { type FailureType, JobFailure } from "../../job/failure.js";
import { shorten } from "../../job/limits.js";
import type { WorkerFault } from "../../job/worker-fault.js";
import { retryAfterMs } from "../../std/retry-after.js";
import { plainText } from "../plain-text.js";
import type { Answer } from "./exchange.js";

/** The outcome as the service gave it, unchecked, or its promise (202) to deliver one later. */
export type Verdict = { readonly outcome: unknown } | "promised";

/** No verdict: asked again, the service may give one. */
export class Unanswered extends Error {
  /** What the service asked us to wait. */
  readonly retryAfterMs: number | undefined;
  /** What no job of this handler can do anything about. */
  readonly fault: WorkerFault | undefined;

  constructor(
    message: string,
    options: {
      readonly retryAfterMs?: number | undefined;
      readonly fault?: WorkerFault | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Unanswered";
    this.retryAfterMs = options.retryAfterMs;
    this.fault = options.fault;
  }
}

/**
 * Statuses that pass: 408 and 425 ask for it, 429 too often, and 409 and 423 are how services say that they are still
 * at the first copy of a request that was sent again. All of 5xx besides.
 */
const passingStatuses: ReadonlySet<number> = new Set([408, 409, 423, 425, 429]);
const forbiddenStatuses: ReadonlySet<number> = new Set([401, 402, 403, 407, 451]);
/** Of what the service says of its refusal: enough for a sentence or two. */
const excerptMaxChars = 1_000;

/** What the answer means. Throws Unanswered when it is worth asking again, else JobFailure. */
export function verdictOf(answer: Answer, nowMs: number): Verdict {
  const { status } = answer;
  if (status === 200) return { outcome: outcomeIn(answer, nowMs) };
  if (status === 202) return "promised";
  if (status >= 500 || passingStatuses.has(status)) {
    throw new Unanswered(`answered ${status}`, { retryAfterMs: retryAfterMs(answer.headers, nowMs) });
  }
  throw new JobFailure(refusalType(status), `the handler's service answered ${status}${explanation(answer)}`);
}

function refusalType(status: number): FailureType {
  if (status < 300) return "JobFailed";
  return forbiddenStatuses.has(status) ? "PermissionError" : "ConfigurationError";
}

function explanation(answer: Answer): string {
  if (answer.status < 300) return "; it must answer 200 with an outcome document, or 202 and deliver it later";
  if (answer.status < 400) return "; redirects are not followed: the handler's url must name the place itself";
  const excerpt = excerptOf(answer);
  return excerpt === "" ? "" : `: ${excerpt}`;
}

function outcomeIn(answer: Answer, nowMs: number): unknown {
  if (!answer.isWhole) {
    throw new Unanswered("answered 200 with a body that broke off, came too slowly or was too large", {
      retryAfterMs: retryAfterMs(answer.headers, nowMs),
    });
  }
  const text = textOf(answer.body);
  // An answer with nothing in it is the service's word, not a proxy's: the engine calls it an invalid outcome.
  if (text.trim() === "") return undefined;
  const parsed = parsedJson(text);
  if (parsed === undefined) {
    throw new Unanswered("answered 200 with something that is not JSON", {
      retryAfterMs: retryAfterMs(answer.headers, nowMs),
    });
  }
  return parsed.value;
}

/** What the service says of its refusal, if it says it in words: a JSON body's message, or plain text. */
function excerptOf({ body, headers }: Answer): string {
  const text = textOf(body);
  const parsed = parsedJson(text);
  const words = parsed ? saidIn(parsed.value) : isMarkup(text, headers["content-type"]) ? "" : text;
  return shorten(plainText(words).trim(), excerptMaxChars);
}

function saidIn(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return "";
  const raw = value as Record<string, unknown>;
  for (const name of ["message", "detail", "title", "error"]) {
    const said = raw[name];
    if (typeof said === "string" && said !== "") return said;
    if (typeof said === "object" && said !== null && "message" in said && typeof said.message === "string") {
      return said.message;
    }
  }
  return "";
}

function isMarkup(text: string, contentType: string | undefined): boolean {
  return /html|xml/i.test(contentType ?? "") || /^\s*</.test(text);
}

function textOf(body: Buffer): string {
  return body.toString("utf8").replace(/^\uFEFF/, "");
}

function parsedJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

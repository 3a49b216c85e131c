// What an answer of a partner's service means for the job. Pure: a table from status and body to a verdict.
// Never puts the service's address into a message: the customer reads it.
import { type FailureType, JobFailure } from "../../job/failure.js";
import { shorten } from "../../job/limits.js";
import { plainText } from "../../job/plain-text.js";
import type { WorkerFault } from "../../job/worker-fault.js";
import { retryAfterMs } from "../../std/retry-after.js";
import type { ServiceAnswer } from "./exchange.js";

/** The outcome as the service gave it, unchecked, or its promise (202) to deliver one later. */
export type AnswerVerdict = { readonly outcome: unknown } | "promised";

/** No verdict: asked again, the service may give one. */
export class Unanswered extends Error {
  /** What the service asked us to wait. */
  readonly retryAfterMs: number | undefined;
  /** Set when there was an answer and it was none that a service gives: a proxy's page, or a service that is wrong. */
  readonly wrongAnswer: string | undefined;
  /** What no job of this handler can do anything about. */
  readonly fault: WorkerFault | undefined;

  constructor(message: string, options: UnansweredOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Unanswered";
    this.retryAfterMs = options.retryAfterMs;
    this.wrongAnswer = options.wrongAnswer;
    this.fault = options.fault;
  }
}

interface UnansweredOptions {
  readonly retryAfterMs?: number | undefined;
  readonly wrongAnswer?: string;
  readonly fault?: WorkerFault | undefined;
  readonly cause?: unknown;
}

/**
 * Distinguishes, for one job, a page that will go away from a service that stays wrong: the same wrong answer this many
 * times in a row fails the job. By the default `retry.handler` that takes about a minute and a half.
 */
export class WrongAnswers {
  #last: string | undefined;
  #times = 0;

  /** What an attempt's error means after those before it: itself, or the job's failure. */
  after(error: unknown): unknown {
    const wrong = error instanceof Unanswered ? error.wrongAnswer : undefined;
    this.#times = wrong !== undefined && wrong === this.#last ? this.#times + 1 : 1;
    this.#last = wrong;
    if (wrong === undefined || this.#times < wrongAnswersMax) return error;
    // It may still be something between us and the service.
    return new JobFailure("SystemUnavailable", `${wrong} in ${this.#times} attempts in a row; ${whatToAnswer}`);
  }
}

const wrongAnswersMax = 10;

/**
 * Statuses that pass: 408 and 425 ask for it, 429 too often, and 409 and 423 are how services say that they are still
 * at the first copy of a request that was sent again. So do all 5xx.
 */
const passingStatuses: ReadonlySet<number> = new Set([408, 409, 423, 425, 429]);
const forbiddenStatuses: ReadonlySet<number> = new Set([401, 402, 403, 407, 451]);
/** An outcome document is small; what is larger is no outcome. */
export const answerMaxBytes = 1024 * 1024;
/** Of what the service says of its refusal: enough for a sentence or two. */
const excerptMaxChars = 1_000;
const whatToAnswer = "it must answer 200 with an outcome document, or 202 and deliver it later";

/** What the answer means. Throws Unanswered when it is worth asking again, else JobFailure. */
export function verdictOf(answer: ServiceAnswer, nowMs: number): AnswerVerdict {
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

function explanation(answer: ServiceAnswer): string {
  if (answer.status < 300) return `; ${whatToAnswer}`;
  if (answer.status < 400) return "; redirects are not followed: the handler's url must name the final address";
  const excerpt = excerptOf(answer);
  return excerpt === "" ? "" : `: ${excerpt}`;
}

function outcomeIn(answer: ServiceAnswer, nowMs: number): unknown {
  refuseForGood(answer);
  const unanswered = (what: string, wrongAnswer?: string) =>
    new Unanswered(`answered 200 with ${what}`, {
      retryAfterMs: retryAfterMs(answer.headers, nowMs),
      ...(wrongAnswer === undefined ? {} : { wrongAnswer }),
    });
  if (answer.bodyEnd === "broken") throw unanswered("a body that was incomplete or too slow");
  const text = textOf(answer.body);
  // An answer with nothing in it is the service's word, not a proxy's: the engine calls it an invalid outcome.
  if (text.trim() === "") return undefined;
  const parsed = parsedJson(text);
  if (parsed) return parsed.value;
  const what = `${typeOf(answer)} that is not JSON`;
  if (isCalledJson(answer) && isFramed(answer)) {
    throw new JobFailure("JobFailed", `the handler's service answered 200 with ${what}`);
  }
  throw unanswered(what, `the handler's service answered 200 with ${what}`);
}

/** Answers that a second request would not change: nothing between us and the service gives them temporarily. */
function refuseForGood(answer: ServiceAnswer): void {
  const encoding = encodingOf(answer);
  if (encoding !== undefined) {
    const what = `a compressed body (Content-Encoding: ${encoding}), although the request says \`Accept-Encoding: identity\``;
    throw new JobFailure("JobFailed", `the handler's service answered 200 with ${what}; it must not compress answers`);
  }
  if (answer.bodyEnd !== "too-long") return;
  const what = `more than ${answerMaxBytes} bytes; an outcome document may not be longer`;
  throw new JobFailure("JobFailed", `the handler's service answered 200 with ${what}`);
}

/** The coding of the body, for a message; undefined when the bytes are the text. */
function encodingOf({ headers }: ServiceAnswer): string | undefined {
  const codings = (headers["content-encoding"] ?? "").split(",").map((each) => each.trim().toLowerCase());
  const real = codings.filter((each) => each !== "" && each !== "identity");
  if (real.length === 0) return undefined;
  return real.every((each) => /^[\w-]{1,20}$/.test(each)) ? real.join(", ").slice(0, 60) : "unknown";
}

/** The media type as a message may show it. */
function typeOf({ headers }: ServiceAnswer): string {
  const type = /^\s*([\w.+-]{1,60}\/[\w.+-]{1,60})\s*(;|$)/.exec(headers["content-type"] ?? "")?.[1];
  return type?.toLowerCase() ?? "something";
}

function isCalledJson(answer: ServiceAnswer): boolean {
  return /[/+]json$/.test(typeOf(answer));
}

/** Without a length or chunks a body that was cut looks whole. */
function isFramed({ headers }: ServiceAnswer): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** What the service says of its refusal, if it says it in words: a JSON body's message, or plain text. */
function excerptOf(answer: ServiceAnswer): string {
  if (encodingOf(answer) !== undefined) return "";
  const { body, headers } = answer;
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

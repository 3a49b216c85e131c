// How a job fails: CodePipeline's failure types, the error a handler may throw, and the way from any thrown
// value to the failure details that PutJobFailureResult and PutThirdPartyJobFailureResult take.
import { apiText, limits } from "./limits.js";

export const failureTypes = [
  "JobFailed",
  "ConfigurationError",
  "PermissionError",
  "RevisionOutOfSync",
  "RevisionUnavailable",
  "SystemUnavailable",
] as const;
/** CodePipeline's FailureType. All of them fail the action; the type becomes its error code. */
export type FailureType = (typeof failureTypes)[number];

export interface FailureDetails {
  readonly type: FailureType;
  /** 1..5000 characters: an empty or longer one is refused and the job would hang. */
  readonly message: string;
  /** 1..1500 characters. */
  readonly externalExecutionId?: string;
}

/** Thrown by a handler to fail its job with a type of its choice; any other throw becomes `JobFailed`. */
export class JobFailure extends Error {
  readonly type: FailureType;
  readonly externalExecutionId: string | undefined;

  constructor(type: FailureType, message: string, options: { externalExecutionId?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "JobFailure";
    this.type = type;
    this.externalExecutionId = options.externalExecutionId;
  }
}

/** True for a JobFailure of any copy of this package: a handler may bring its own. Never throws. */
export function isJobFailure(error: unknown): error is JobFailure {
  try {
    return (
      isError(error) &&
      error.name === "JobFailure" &&
      "type" in error &&
      (failureTypes as readonly unknown[]).includes(error.type)
    );
  } catch {
    return false;
  }
}

/** Failure details as the API takes them; an empty message is replaced, a long one shortened. */
export function failureDetails(type: FailureType, message: string, externalExecutionId?: string): FailureDetails {
  const text = message.trim() === "" ? `the job failed (${type}) without a reason` : message;
  return {
    type,
    message: apiText(text, limits.failureMessage),
    ...(externalExecutionId ? { externalExecutionId: apiText(externalExecutionId, limits.externalExecutionId) } : {}),
  };
}

/** What a thrown value says of itself, whatever it is. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    if (!isError(thrown)) return written(thrown);
    return written(thrown.message || severalIn(thrown) || thrown.name || "an error without a message");
  } catch {
    return "a value that cannot be shown";
  }
}

/**
 * Any thrown value as failure details: a JobFailure keeps its type, all else is `JobFailed`. `mask` masks secrets in
 * the message before it is shortened. Never throws.
 */
export function failureFrom(thrown: unknown, mask: (text: string) => string = (text) => text): FailureDetails {
  try {
    // A handler in JavaScript may have put anything into the members.
    if (isJobFailure(thrown)) {
      return failureDetails(
        thrown.type,
        mask(written(thrown.message ?? "")),
        written(thrown.externalExecutionId ?? ""),
      );
    }
  } catch {
    // One of its members throws when read: then it is reported like any other thrown value.
  }
  return failureDetails("JobFailed", `the handler failed: ${mask(messageOf(thrown))}`);
}

/** Also of another realm, such as a vm context: such an error is no instance of this one's Error. */
function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

const severalMax = 3;

/** Errors that stand for several others may have no text of their own, as that of a connection to several addresses. */
function severalIn(error: Error): string {
  const several: unknown = Reflect.get(error, "errors");
  return Array.isArray(several) ? several.slice(0, severalMax).map(messageOf).join("; ") : "";
}

/** A value as text. Throws what the value's own members throw. */
function written(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const json = jsonOf(value);
  if (json !== undefined && json !== "{}") return json;
  // A circle, an event, a promise: JSON shows nothing of them.
  const message: unknown = Reflect.get(value, "message");
  if (typeof message === "string" && message !== "") return message;
  return json === undefined ? "a value that cannot be shown" : Object.prototype.toString.call(value);
}

function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value) ?? "{}";
  } catch {
    return undefined;
  }
}

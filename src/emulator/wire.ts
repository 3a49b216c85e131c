// The AWS JSON 1.1 protocol as text: what errors and answers look like on the wire.
// Knows nothing of jobs; the server decides when to send what.
import type { OperationName } from "./model.js";
import { isOperation } from "./model.js";
import type { ShapeProblem } from "./shape-checks.js";
import { isRecord } from "./shape-checks.js";

/** An error that the API answers with: `__type`, message and HTTP status. */
export class ApiError extends Error {
  /** The name without a namespace, such as `InvalidNonceException`. */
  readonly code: string;
  readonly status: number;
  /** The namespace that AWS's own framework errors carry in `__type`. */
  readonly namespace: string | undefined;
  /** Seconds for a Retry-After header. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: string,
    message: string,
    extra: { readonly status?: number; readonly namespace?: string; readonly retryAfterS?: number } = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = extra.status ?? 400;
    this.namespace = extra.namespace;
    this.retryAfterS = extra.retryAfterS;
  }
}

const framework = "com.amazon.coral.service";
const targetPrefix = "CodePipeline_20150709.";
/** The media type of every answer that is JSON. */
export const jsonContentType = "application/x-amz-json-1.1";

/** A refusal by a rule that the model does not hold. */
export function invalid(message: string): ApiError {
  return new ApiError("ValidationException", message);
}

/** A body that is no JSON object, or a value of the wrong type. */
export function unreadable(message: string): ApiError {
  return new ApiError("SerializationException", message, { namespace: framework });
}

/** The refusal for a document's mistakes: SerializationException for wrong types, else one ValidationException. */
export function refusal(problems: readonly ShapeProblem[]): ApiError {
  const wrongType = problems.find((problem) => problem.kind === "type");
  if (wrongType) return unreadable(wrongType.constraint);
  const count = `${problems.length} validation error${problems.length === 1 ? "" : "s"} detected`;
  const each = problems.map((problem) => {
    const value = problem.shown === undefined ? "Value" : `Value ${problem.shown}`;
    return `${value} at '${problem.path}' failed to satisfy constraint: ${problem.constraint}`;
  });
  return invalid(`${count}: ${each.join("; ")}`);
}

/** The operation that X-Amz-Target names. Throws ApiError. */
export function operationOf(target: string | undefined): OperationName {
  const name = target?.startsWith(targetPrefix) ? target.slice(targetPrefix.length) : undefined;
  if (name !== undefined && isOperation(name)) return name;
  throw new ApiError(
    "UnknownOperationException",
    "X-Amz-Target names no operation that the emulator serves: it serves the job and the action type operations",
    { namespace: framework },
  );
}

/** Reads a request body; an empty one counts as `{}`, as AWS does. Throws ApiError. */
export function parseBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let document: unknown;
  try {
    document = JSON.parse(body.toString("utf8"));
  } catch {
    throw unreadable("Unable to parse the request body: it is not JSON");
  }
  if (!isRecord(document)) {
    throw unreadable("Start of structure or map expected: the request body is not a JSON object");
  }
  return document;
}

/** The body of an error answer. */
export function errorBody(error: ApiError): string {
  const type = error.namespace === undefined ? error.code : `${error.namespace}#${error.code}`;
  return JSON.stringify({ __type: type, message: error.message });
}

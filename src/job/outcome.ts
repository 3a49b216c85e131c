// What a handler decided: the Outcome, its three constructors, and the check that turns whatever a handler
// returned, printed or answered into an outcome that the API takes, or into a failure that says what is wrong.
// One shape everywhere: the object a module returns is the document a command writes and a service answers.
import { type FailureType, failureDetails, failureTypes } from "./failure.js";
import type { ActionOwner } from "./job.js";
import {
  apiText,
  isCarriable,
  limits,
  outputVariableName,
  outputVariablesMaxBytes,
  percentMax,
  shorten,
} from "./limits.js";
import { withoutEscapes } from "./plain-text.js";

/** CurrentRevision: what a source or build action made. */
export interface CurrentRevision {
  /** 1..1500 characters. */
  readonly revision: string;
  /** 1..100 characters. */
  readonly changeIdentifier: string;
  /** ISO 8601. */
  readonly created?: string;
  /** 1..2048 characters. */
  readonly summary?: string;
}

/** The action is done. */
export interface Succeeded {
  readonly kind: "succeeded";
  /** Shown in the console; 1..2048 characters. */
  readonly summary?: string;
  /** Fills `{ExternalExecutionId}` in the action type's link; 1..1500 characters. */
  readonly externalExecutionId?: string;
  readonly revision?: CurrentRevision;
  /** Custom actions only; 122,880 bytes in all, names of `[A-Za-z0-9@_-]`. */
  readonly outputVariables?: Readonly<Record<string, string>>;
}

/** This job is done, the action is not: CodePipeline offers a new job that carries the token. */
export interface Continued {
  readonly kind: "continued";
  /** Enough for any worker to continue; 1..2048 characters; no secret in it. */
  readonly continuationToken: string;
  /** Whole number, 0..100. */
  readonly percentComplete?: number;
  readonly summary?: string;
  readonly externalExecutionId?: string;
}

/** The action failed. */
export interface Failed {
  readonly kind: "failed";
  readonly type: FailureType;
  /** 1..5000 characters. */
  readonly message: string;
  readonly externalExecutionId?: string;
}

/** The verdict of one job. */
export type Outcome = Succeeded | Continued | Failed;

/** The action is done. */
export function succeeded(details: Omit<Succeeded, "kind"> = {}): Succeeded {
  return { kind: "succeeded", ...details };
}

/** This job is done, the action is not: CodePipeline offers a new job that carries `continuationToken`. */
export function continued(
  continuationToken: string,
  details: Omit<Continued, "kind" | "continuationToken"> = {},
): Continued {
  return { kind: "continued", continuationToken, ...details };
}

/** The action failed; its type is `JobFailed` by default. `message`: 1..5000 characters, for the customer. */
export function failed(
  message: string,
  typeOrDetails: FailureType | { readonly type?: FailureType; readonly externalExecutionId?: string } = {},
): Failed {
  const details = typeof typeOrDetails === "string" ? { type: typeOrDetails } : typeOrDetails;
  const text = withoutEscapes(message);
  return { kind: "failed", ...failureDetails(details.type ?? "JobFailed", text, details.externalExecutionId) };
}

/**
 * Whatever a handler gave, as an outcome within the API's limits. Texts over the limit are truncated and marked,
 * characters that the API cannot hold replaced in texts and refused in tokens and variables, empty optional texts left out, unknown members ignored; an invalid outcome becomes a `failed` one whose message
 * says what the handler did wrong. `mask` masks secrets in what people read, before a text is truncated: half a
 * secret could not be found any more. Never throws.
 */
export function outcomeFrom(value: unknown, owner: ActionOwner, mask: Mask = (text) => text): Outcome {
  try {
    return checked(value, owner, mask);
  } catch (error) {
    return failed(mask(reasonOf(error)));
  }
}

type Mask = (text: string) => string;

function reasonOf(error: unknown): string {
  try {
    if (error instanceof Impossible) return `the handler returned an invalid outcome: ${error.message}`;
  } catch {
    // What a member threw cannot even be looked at, a revoked proxy for one.
  }
  return "the handler returned an outcome that cannot be read (one of its members throws)";
}

/** Says what is impossible in an outcome; never leaves this file. */
class Impossible extends Error {}

const uncarriable = "a NUL or half a character (a lone surrogate), which CodePipeline cannot carry; encode it";

function checked(value: unknown, owner: ActionOwner, mask: Mask): Outcome {
  if (value === undefined || value === null) {
    throw new Impossible("nothing (return succeeded(), continued() or failed())");
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new Impossible(`${Array.isArray(value) ? "a list" : `a ${typeof value}`}, not an object with a "kind"`);
  }
  const raw = value as Record<string, unknown>;
  switch (raw["kind"]) {
    case "succeeded":
      return checkedSuccess(raw, owner, mask);
    case "continued":
      return checkedContinuation(raw, mask);
    case "failed":
      return checkedFailure(raw, mask);
    default:
      throw new Impossible(`"kind" is ${shown(raw["kind"], mask)}; it must be "succeeded", "continued" or "failed"`);
  }
}

function checkedSuccess(raw: Record<string, unknown>, owner: ActionOwner, mask: Mask): Succeeded {
  if (present(raw["continuationToken"])) {
    throw new Impossible('"succeeded" with a continuationToken; return "continued" if the work continues');
  }
  const revision = present(raw["revision"]) ? checkedRevision(raw["revision"], mask) : undefined;
  const variables = present(raw["outputVariables"]) ? checkedVariables(raw["outputVariables"], owner, mask) : undefined;
  return {
    kind: "succeeded",
    ...execution(raw, mask),
    ...(revision ? { revision } : {}),
    ...(variables && Object.keys(variables).length > 0 ? { outputVariables: variables } : {}),
  };
}

function checkedContinuation(raw: Record<string, unknown>, mask: Mask): Continued {
  const token = raw["continuationToken"];
  if (typeof token !== "string" || token === "") throw new Impossible('"continued" without a continuationToken');
  if (token.length > limits.continuationToken) {
    throw new Impossible(
      `a continuationToken of ${token.length} characters (at most ${limits.continuationToken}); keep the state elsewhere and its key in the token`,
    );
  }
  // A token that was altered would be another token.
  if (!isCarriable(token)) throw new Impossible(`a continuationToken with ${uncarriable}`);
  if (present(raw["outputVariables"])) {
    throw new Impossible("outputVariables together with a continuationToken (only the last job may set them)");
  }
  const percent = raw["percentComplete"];
  if (present(percent) && !(Number.isInteger(percent) && Number(percent) >= 0 && Number(percent) <= percentMax)) {
    throw new Impossible(`percentComplete is ${shown(percent, mask)}; it must be a whole number from 0 to 100`);
  }
  return {
    kind: "continued",
    continuationToken: token,
    ...(present(percent) ? { percentComplete: Number(percent) } : {}),
    ...execution(raw, mask),
  };
}

function checkedFailure(raw: Record<string, unknown>, mask: Mask): Failed {
  const type = present(raw["type"]) ? raw["type"] : "JobFailed";
  const known = failureTypes.find((name) => name === type);
  if (known === undefined) {
    throw new Impossible(`failure type ${shown(type, mask)}; it must be one of ${failureTypes.join(", ")}`);
  }
  const message = text(raw, "message", Number.POSITIVE_INFINITY, mask) ?? "";
  const { externalExecutionId } = execution(raw, mask);
  return { kind: "failed", ...failureDetails(known, message, externalExecutionId) };
}

function checkedRevision(value: unknown, mask: Mask): CurrentRevision {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Impossible('"revision" is not an object with "revision" and "changeIdentifier"');
  }
  const raw = value as Record<string, unknown>;
  const revision = text(raw, "revision", limits.revision);
  const changeIdentifier = text(raw, "changeIdentifier", limits.revisionChangeIdentifier);
  if (!revision || !changeIdentifier) {
    throw new Impossible('"revision" needs both "revision" and "changeIdentifier", neither of them empty');
  }
  const at = time(raw["created"], mask);
  const summary = text(raw, "summary", limits.revisionSummary, mask);
  return {
    revision,
    changeIdentifier,
    ...(at ? { created: at.toISOString() } : {}),
    ...(summary ? { summary } : {}),
  };
}

function time(value: unknown, mask: Mask): Date | undefined {
  if (!present(value) || value === "") return undefined;
  const isTime = typeof value === "string" || typeof value === "number" || value instanceof Date;
  const at = isTime ? new Date(value instanceof Date ? value.getTime() : value) : undefined;
  if (at === undefined || Number.isNaN(at.getTime())) {
    throw new Impossible(`revision.created is ${shown(value, mask)}; write it as ISO 8601`);
  }
  return at;
}

function checkedVariables(value: unknown, owner: ActionOwner, mask: Mask): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Impossible('"outputVariables" is not an object of strings');
  }
  const entries = Object.entries(value);
  if (owner === "ThirdParty" && entries.length > 0) {
    throw new Impossible("outputVariables from a third-party action (only custom actions have them)");
  }
  let bytes = 0;
  for (const [name, variable] of entries) {
    if (!outputVariableName.test(name)) {
      throw new Impossible(
        `an output variable is called ${shown(name, mask)}; names are made of letters, digits, @, - and _`,
      );
    }
    if (typeof variable !== "string") throw new Impossible(`the output variable ${name} is not a string`);
    if (!isCarriable(variable)) throw new Impossible(`the output variable ${name} with ${uncarriable}`);
    // Not counted to the end: one may be a gigabyte.
    const isLong = name.length + variable.length > outputVariablesMaxBytes;
    bytes += isLong ? Number.POSITIVE_INFINITY : utf8Length(name) + utf8Length(variable);
    if (bytes > outputVariablesMaxBytes) {
      throw new Impossible(`output variables of more than ${outputVariablesMaxBytes} bytes together`);
    }
  }
  // Not by assignment: "__proto__" is a name that the API takes, and assigning it would lose it.
  return Object.fromEntries(entries);
}

function execution(raw: Record<string, unknown>, mask: Mask): { summary?: string; externalExecutionId?: string } {
  const summary = text(raw, "summary", limits.executionSummary, mask);
  const externalExecutionId = text(raw, "externalExecutionId", limits.externalExecutionId);
  return { ...(summary ? { summary } : {}), ...(externalExecutionId ? { externalExecutionId } : {}) };
}

/** The member as text within `max`; numbers and booleans are written out; anything else is invalid. */
function text(
  raw: Record<string, unknown>,
  name: string,
  max: number,
  mask: Mask = (plain) => plain,
): string | undefined {
  const value = raw[name];
  if (!present(value)) return undefined;
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
    throw new Impossible(`"${name}" is not a string`);
  }
  return apiText(mask(String(value)), max);
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A value for a message about it. */
function shown(value: unknown, mask: Mask): string {
  return shorten(mask(typeof value === "string" ? JSON.stringify(value) : String(value)), 80);
}

/** Bytes in UTF-8, without Buffer: this folder imports nothing. */
function utf8Length(value: string): number {
  let bytes = 0;
  for (const character of value) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

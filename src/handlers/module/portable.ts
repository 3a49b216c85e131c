// What a handler gives, throws and logs, made of plain data that can be copied to another thread. Nothing is judged
// here: what the engine thinks of an outcome is the same on both sides of the copy. Bounded: what is copied is read in
// the daemon's thread, which a text of 100 MB would hold up for a second. Never throws.
import { isJobFailure, JobFailure, messageOf } from "../../job/failure.js";
import { cut, outputVariablesMaxBytes } from "../../job/limits.js";
import { type ErrorRecord, errorRecord } from "../../std/errors.js";
import type { PortableEnd, PortableError } from "./messages.js";

/**
 * Longest text that is copied. Far longer than any that is shown, since secrets are masked first: half of one that was
 * cut here must not come among the characters that are left.
 */
const textMaxChars = 1024 * 1024;

/** Every member of an outcome that means something. */
const outcomeMembers = [
  "kind",
  "summary",
  "externalExecutionId",
  "revision",
  "outputVariables",
  "continuationToken",
  "percentComplete",
  "type",
  "message",
] as const;
const systemMembers = ["code", "syscall", "errno"] as const;
const revisionMembers = ["revision", "changeIdentifier", "created", "summary"] as const;

/** Whatever a handler returned. */
export function portableOutcome(value: unknown): PortableEnd {
  try {
    if (!isObject(value)) return { kind: "gave", value: leaf(value) };
    const members = picked(value, outcomeMembers);
    const { revision, outputVariables } = value;
    if (isObject(revision)) members["revision"] = picked(revision, revisionMembers);
    if (isObject(outputVariables)) {
      // Not by assignment: a variable may be called __proto__.
      members["outputVariables"] = Object.fromEntries(variablesIn(outputVariables));
    }
    return { kind: "gave", value: members };
  } catch {
    return { kind: "unreadable" };
  }
}

/** As many as show that they are too many. */
function* variablesIn(variables: Members): Generator<[string, unknown]> {
  let chars = 0;
  for (const [name, variable] of Object.entries(variables)) {
    yield [cut(name, textMaxChars), leaf(variable)];
    chars += name.length + (typeof variable === "string" ? variable.length : 0);
    if (chars > outputVariablesMaxBytes) return;
  }
}

/** Whatever was thrown. */
export function portableError(thrown: unknown): PortableError {
  try {
    if (isJobFailure(thrown)) {
      // A handler in JavaScript may have put anything into the members.
      const { type, message, externalExecutionId } = thrown;
      const id = externalExecutionId ? { externalExecutionId: shortMessage(externalExecutionId) } : {};
      return { message: shortMessage(message ?? ""), failure: { type, ...id } };
    }
    // These say what the machine lacks.
    if (thrown instanceof Error) {
      const { stack, cause } = errorRecord(thrown);
      const origin = { ...(stack === undefined ? {} : { stack }), ...(cause ? { cause: asError(cause) } : {}) };
      return { message: shortMessage(thrown), system: picked(thrown, systemMembers), origin };
    }
  } catch {
    // One of its members throws when it is read: then it is any thrown value.
  }
  return { message: shortMessage(thrown) };
}

/** What a thrown value says, within the length that is copied. */
export function shortMessage(thrown: unknown): string {
  return cut(messageOf(thrown), textMaxChars);
}

/** The record in the form of the error that it describes. */
function asError({ type, cause, ...rest }: ErrorRecord): Members {
  return { name: type, ...rest, ...(cause ? { cause: asError(cause) } : {}) };
}

/** The thrown value again, as far as anybody looks at it. */
export function errorOf({ message, failure, system, origin }: PortableError): Error {
  // Without a stack of its own: this thread's would lead nowhere.
  if (failure === undefined) return Object.assign(new Error(message), { stack: undefined }, system, origin);
  const { type, externalExecutionId } = failure;
  return new JobFailure(type, message, externalExecutionId === undefined ? {} : { externalExecutionId });
}

/** What the handler gave, or throws what it threw. */
export function endOf(end: PortableEnd): unknown {
  if (end.kind === "threw") throw errorOf(end.error);
  return end.kind === "gave" ? end.value : unreadable;
}

const unreadable = {
  get kind(): never {
    throw new Error("a member of the outcome throws");
  },
};

const notShown = "[cannot be shown]";
const tooLong = "[too long to be logged]";

/** The fields of a log line as JSON has them, and how long they are together; errors stay errors. */
export function portableFields(fields: unknown): { readonly fields: Members; readonly chars: number } {
  if (!isObject(fields)) return { fields: {}, chars: 0 };
  try {
    let chars = 0;
    const portable = Object.entries(fields).map(([name, value]) => {
      const field = portableField(value, textMaxChars - chars);
      chars += name.length + field.chars;
      return [name, field.value] as const;
    });
    return { fields: Object.fromEntries(portable), chars };
  } catch {
    return { fields: { fields: notShown }, chars: 0 };
  }
}

function portableField(value: unknown, roomChars: number): { readonly value: unknown; readonly chars: number } {
  try {
    if (value instanceof Error) return loggable(value, roomChars);
    const plain = typeof value === "bigint" ? leaf(value) : value;
    const json = typeof plain === "bigint" ? `"${plain}"` : JSON.stringify(plain);
    if (json === undefined) return { value: undefined, chars: 0 };
    if (json.length > roomChars) return { value: tooLong, chars: tooLong.length };
    return { value: JSON.parse(json) as unknown, chars: json.length };
  } catch {
    return { value: notShown, chars: notShown.length };
  }
}

/** With its stack and its causes. */
function loggable(error: Error, roomChars: number): { readonly value: unknown; readonly chars: number } {
  const copy = structuredClone(error);
  const chars = JSON.stringify(errorRecord(copy)).length + String(copy.message).length + String(copy.stack).length;
  return chars > roomChars ? { value: tooLong, chars: tooLong.length } : { value: copy, chars };
}

type Members = Record<string, unknown>;

/** An object that is no list. */
function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function picked(from: object, names: readonly string[]): Members {
  const members: Members = {};
  for (const name of names) {
    const value: unknown = Reflect.get(from, name);
    if (value !== undefined) members[name] = leaf(value);
  }
  return members;
}

/** A value whose members are not read; what cannot be copied becomes neither a string nor a number. */
function leaf(value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol") return {};
  if (typeof value === "string") return cut(value, textMaxChars);
  // To write a huge one takes seconds.
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : {};
  if (value instanceof Date) return new Date(value.getTime());
  if (Array.isArray(value)) return [];
  return typeof value === "object" && value !== null ? {} : value;
}

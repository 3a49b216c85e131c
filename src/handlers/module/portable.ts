// What a handler gives, throws and logs, made of plain data that can be copied to another thread. Nothing is judged
// here: what the engine thinks of an outcome is the same on both sides of the copy. Never throws.
import { isJobFailure, JobFailure, messageOf } from "../../job/failure.js";
import type { PortableEnd, PortableError } from "./messages.js";

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
      members["outputVariables"] = Object.fromEntries(
        Object.entries(outputVariables).map(([name, variable]) => [name, leaf(variable)]),
      );
    }
    return { kind: "gave", value: members };
  } catch {
    return { kind: "unreadable" };
  }
}

/** Whatever was thrown. */
export function portableError(thrown: unknown): PortableError {
  try {
    if (isJobFailure(thrown)) {
      // A handler in JavaScript may have put anything into the members.
      const { type, message, externalExecutionId } = thrown;
      const id = externalExecutionId ? { externalExecutionId: messageOf(externalExecutionId) } : {};
      return { message: messageOf(message ?? ""), failure: { type, ...id } };
    }
    // These say what the machine lacks.
    if (thrown instanceof Error) return { message: messageOf(thrown), system: picked(thrown, systemMembers) };
  } catch {
    // One of its members throws when it is read: then it is any thrown value.
  }
  return { message: messageOf(thrown) };
}

/** The thrown value again, as far as anybody looks at it. */
export function errorOf({ message, failure, system }: PortableError): Error {
  if (failure === undefined) return Object.assign(new Error(message), system);
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

/** The fields of a log line as JSON has them; errors stay errors. */
export function portableFields(fields: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(fields)) return {};
  try {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, portableField(value)]));
  } catch {
    return { fields: notShown };
  }
}

const notShown = "[cannot be shown]";

function portableField(value: unknown): unknown {
  try {
    if (value instanceof Error) return structuredClone(value);
    if (typeof value === "bigint") return String(value);
    const json = JSON.stringify(value);
    return json === undefined ? undefined : (JSON.parse(json) as unknown);
  } catch {
    return notShown;
  }
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
  if (value instanceof Date) return new Date(value.getTime());
  if (Array.isArray(value)) return [];
  return typeof value === "object" && value !== null ? {} : value;
}

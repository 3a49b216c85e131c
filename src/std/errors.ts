// What an error says, in one line for people and in a small object for logs: itself, its code, its causes.
// Takes any thrown value, however hostile, and never throws; everything is bounded. Masking is not done here.

/** An error as a log line shows it. */
export interface ErrorRecord {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorRecord;
}

/** Causes shown; a longer chain helps no one. */
const depthMax = 5;
const messageMaxLength = 1_000;
const stackMaxLength = 4_000;

/** One line: the message, its code, and the causes that say something new. At most a few thousand characters. */
export function describeError(thrown: unknown): string {
  const told: string[] = [];
  let record: ErrorRecord | undefined = errorRecord(thrown);
  while (record !== undefined) {
    const code = record.code !== undefined && !record.message.includes(record.code) ? ` (${record.code})` : "";
    const text = record.message.replace(/\s+/g, " ").trim() + code;
    // Many a wrapper repeats the message of what it wraps.
    if (!told.some((earlier) => earlier.includes(text))) told.push(text);
    record = record.cause;
  }
  return told.join("; caused by: ");
}

/** The code of an error, such as ENOENT; `undefined` where there is none, whatever was thrown. Never throws. */
export function codeOf(thrown: unknown): string | undefined {
  const code = typeof thrown === "object" && thrown !== null ? read(thrown, "code") : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The error as plain data: no SDK response, no request, no field but those named here. */
export function errorRecord(thrown: unknown): ErrorRecord {
  return recordOf(thrown, depthMax, new Set());
}

function recordOf(thrown: unknown, depth: number, seen: Set<unknown>): ErrorRecord {
  if (typeof thrown !== "object" || thrown === null) return { type: typeof thrown, message: plainText(thrown) };
  seen.add(thrown);
  const code = read(thrown, "code");
  const stack = read(thrown, "stack");
  // Node wraps several failed connection attempts in one error without its own message.
  const several = read(thrown, "errors");
  const cause = read(thrown, "cause") ?? (Array.isArray(several) ? several[0] : undefined);
  const isNew = cause !== undefined && cause !== null && depth > 1 && !seen.has(cause);
  const record = isNew ? recordOf(cause, depth - 1, seen) : undefined;
  const type = textOf(read(thrown, "name")) || "Error";
  return {
    type,
    message: textOf(read(thrown, "message")) || record?.message || (isError(thrown) ? type : plainText(thrown)),
    ...(typeof code === "string" || typeof code === "number" ? { code: shortened(String(code), 100) } : {}),
    ...(typeof stack === "string" ? { stack: shortened(stack, stackMaxLength) } : {}),
    ...(record ? { cause: record } : {}),
  };
}

/** A property of anything; a getter that throws has none. */
function read(holder: object, name: string): unknown {
  try {
    return (holder as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? shortened(value, messageMaxLength) : undefined;
}

function plainText(value: unknown): string {
  try {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return shortened(text, messageMaxLength);
  } catch {
    return "a value that cannot be shown";
  }
}

function shortened(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max).toWellFormed()} …`;
}

/**
 * Takes secrets out of what a service said of an error, in place: it may repeat what it was sent. Must come before the
 * text is shortened, for half a secret looks like none.
 */
export function maskError(error: unknown, mask: ((text: string) => string) | undefined): unknown {
  if (!mask || !(error instanceof Error)) return error;
  try {
    const masked = mask(error.message);
    // Defined, not set: some errors have a message that can only be read.
    if (masked !== error.message) Object.defineProperty(error, "message", { value: masked, configurable: true });
    return error;
  } catch {
    return new Error("an error whose text cannot be shown");
  }
}

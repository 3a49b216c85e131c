// The one way to say something: pino, with every finished line passed through the masker and bounded in length.
// Lines about jobs carry the job's fields through child loggers.
import { type Logger, pino, stdTimeFunctions, symbols } from "pino";
import { errorRecord } from "./errors.js";
import type { LostLines } from "./log-output.js";
import type { LogLevel } from "./log-queue.js";
import { prettyLine } from "./pretty-line.js";
import { safeJson } from "./safe-json.js";

export type Log = Logger;

/** Takes finished lines, each with its newline; LogOutput is one. Must not throw. */
export interface LogDestination {
  write(line: string, level: LogLevel): void;
  /** Colours for levels, in the pretty format. */
  readonly isColored?: boolean;
  /** Whom to tell of lines that were lost, once lines go through again. */
  onLost?(report: (lost: LostLines) => void): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  readonly masker: { mask(text: string): string };
  readonly destination: LogDestination;
}

type Fields = Readonly<Record<string, unknown>>;

/** A logger that takes the message first; for handlers. */
export interface TextLog {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/**
 * The daemon's logger. Each line is JSON with `time` (ISO 8601), `level` (a word) and `msg`, or the pretty form of
 * it. No secret that the masker knows, and no field that is called like one, is ever shown.
 */
export function createLog(options: LogOptions): Log {
  const { masker, destination } = options;
  const isPretty = options.format === "pretty";
  const mask = (text: string) => masker.mask(text);
  const stream = {
    // Asks pino for the level of each line.
    [symbols.needsMetadataGsym]: true,
    lastLevel: infoLevel,
    write: (line: string): void => {
      const safe = safeJson(line.slice(0, -1), mask);
      const shown = isPretty ? prettyLine(safe, destination.isColored ?? false) : `${safe}\n`;
      destination.write(shown, levelOf(stream.lastLevel));
    },
  };
  const log = pino(
    {
      level: options.level,
      // Who runs where is known to whatever collects the lines.
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      // In place of pino's own, which spreads whatever hangs on an error.
      serializers: { err: (value: unknown) => (value instanceof Error ? errorRecord(value) : value) },
      formatters: { level: (label) => ({ level: label }), log: withErrorsAsRecords },
    },
    stream,
  );
  destination.onLost?.(({ lines, why }) => log.error({ lines }, `log lines were dropped: ${why}`));
  return log;
}

const infoLevel = 30;

/** pino's numbers: 20, 30, 40 and 50, or between and beyond them. */
function levelOf(level: number): LogLevel {
  if (level < infoLevel) return "debug";
  if (level < 40) return "info";
  return level < 50 ? "warn" : "error";
}

/**
 * A logger for code that is not ours: it never throws, and its fields cannot pose as `level`, `time`, `msg` or as
 * one of `fields`, which every line carries.
 */
export function textLog(log: Log, fields: Fields): TextLog {
  const child = log.child(fields);
  const reserved = new Set(["time", "level", "msg", ...Object.keys(fields)]);
  const at = (level: "debug" | "info" | "warn" | "error") => (message: string, more?: Fields) => {
    try {
      const entries = Object.entries(more ?? {}).map(([name, value]) => [
        reserved.has(name) ? `${name}_` : name,
        value,
      ]);
      child[level](Object.fromEntries(entries), "%s", String(message));
    } catch {
      child[level]("a log line of the handler cannot be shown");
    }
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Errors under any name; JSON knows nothing of them, and those of the SDK drag whole answers along. */
function withErrorsAsRecords(fields: Record<string, unknown>): Record<string, unknown> {
  let records: Record<string, unknown> | undefined;
  for (const name in fields) {
    const value = fields[name];
    if (!(value instanceof Error)) continue;
    records ??= { ...fields };
    records[name] = errorRecord(value);
  }
  return records ?? fields;
}

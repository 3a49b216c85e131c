// The one way to log: pino, with every finished line passed through the masker and bounded in length. Every line has an
// event of log-events.ts, checked by the compiler. Lines about one job get the job's fields by `with`.
import { type Logger, pino, stdTimeFunctions, symbols } from "pino";
import { errorRecord } from "./errors.js";
import type { EventOf, FieldOf, LevelOf, LogEvent } from "./log-events.js";
import type { LostLines } from "./log-output.js";
import type { LogLevel } from "./log-queue.js";
import { prettyLine } from "./pretty-line.js";
import { safeJson } from "./safe-json.js";

type Fields = Readonly<Record<string, unknown>>;

/** Has no field but those that the event's entry names. */
type Checked<E extends LogEvent, F> = F & { readonly [Name in Exclude<keyof F, FieldOf<E>>]: never };

/** Logs a line of this level. */
type LogAt<L extends LogLevel> = <E extends EventOf<L>, F extends Fields>(
  event: E,
  fields: Checked<E, F>,
  message: string,
) => void;

/** A line has an event, that event's fields, and a text that may change. */
export interface Log {
  readonly debug: LogAt<"debug">;
  readonly info: LogAt<"info">;
  readonly warn: LogAt<"warn">;
  readonly error: LogAt<"error">;
  /** For a level that is decided when the line is logged. */
  at<E extends LogEvent, F extends Fields>(level: LevelOf<E>, event: E, fields: Checked<E, F>, message: string): void;
  /** The same log, whose lines have these fields in addition to their own. */
  with(fields: Fields): Log;
}

/** The log of a whole process. */
export interface RootLog extends Log {
  /** Below it nothing is logged; `silent`: nothing at all. */
  setLevel(level: LogLevel | "silent"): void;
  /**
   * Calls back with every line that is logged, as JSON without its newline, masked; must not throw. Until the returned
   * function is called.
   */
  listen(reader: (json: string) => void): () => void;
}

/** Takes finished lines, each with its newline; LogOutput is one. Must not throw. */
export interface LogDestination {
  write(line: string, level: LogLevel): void;
  /** Colours for levels, in the pretty format. */
  readonly isColored?: boolean;
  /** Called with what was lost, once lines go through again. */
  onLost?(report: (lost: LostLines) => void): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  readonly masker: { mask(text: string): string };
  readonly destination: LogDestination;
}

/** A logger that takes the message first; for handlers. */
export interface TextLog {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/**
 * The daemon's logger. Each line is JSON with `time` (ISO 8601), `level` (a word), `event` and `msg`, or the pretty form
 * of it. No secret that the masker knows, and no field that is called like one, is ever shown.
 */
export function createLog(options: LogOptions): RootLog {
  const { masker, destination } = options;
  const isPretty = options.format === "pretty";
  const mask = (text: string) => masker.mask(text);
  const readers = new Set<(json: string) => void>();
  const stream = {
    // Asks pino for the level of each line.
    [symbols.needsMetadataGsym]: true,
    lastLevel: infoLevel,
    write: (line: string): void => {
      const safe = safeJson(line.slice(0, -1), mask);
      for (const reader of readers) reader(safe);
      const shown = isPretty ? prettyLine(safe, destination.isColored ?? false) : `${safe}\n`;
      destination.write(shown, levelOf(stream.lastLevel));
    },
  };
  const logger = pino(
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
  const log = logOf(logger);
  destination.onLost?.(({ lines, why: reason }) =>
    log.error("log-lines-dropped", { lines, reason }, `dropped ${lines} log lines: ${reason}`),
  );
  return {
    ...log,
    setLevel: (level) => {
      logger.level = level;
    },
    listen: (reader) => {
      readers.add(reader);
      return () => void readers.delete(reader);
    },
  };
}

function logOf(logger: Logger): Log {
  const at = (level: LogLevel, event: LogEvent, fields: Fields, message: string) =>
    logger[level]({ event, ...fields }, message);
  return {
    debug: (event, fields, message) => at("debug", event, fields, message),
    info: (event, fields, message) => at("info", event, fields, message),
    warn: (event, fields, message) => at("warn", event, fields, message),
    error: (event, fields, message) => at("error", event, fields, message),
    at,
    with: (fields) => logOf(logger.child(fields)),
  };
}

const infoLevel = 30;

/** pino's numbers: 20, 30, 40 and 50, or between and beyond them. */
function levelOf(level: number): LogLevel {
  if (level < infoLevel) return "debug";
  if (level < 40) return "info";
  return level < 50 ? "warn" : "error";
}

/** What lines about a job have already: a handler's own field of that name gets another one. */
const reserved = new Set(["time", "level", "event", "msg", "jobId", "actionType", "region", "clientId"]);

/**
 * A logger for code that is not ours, over the log of its job, which is asked for with each line: it never throws, and its
 * fields cannot pose as those of partnerd.
 */
export function textLog(logOf: () => Log): TextLog {
  const at = (level: LogLevel) => (message: string, more?: Fields) => {
    try {
      const entries = Object.entries(more ?? {}).map(([name, value]) => [
        reserved.has(name) ? `${name}_` : name,
        value,
      ]);
      logOf().at(level, "handler-log", Object.fromEntries(entries), String(message));
    } catch {
      logOf().at(level, "handler-log", {}, "a log line of the handler cannot be shown");
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

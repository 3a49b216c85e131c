// The log lines of a job's story: whose a finished line is, found without taking it apart, and a line as it is shown.
import { cutText, type StoryLine } from "./job-story.js";

/** A longer line is shortened before it is kept. */
export const lineMaxCharacters = 3_000;
const textMaxCharacters = 2_000;
const fieldsMaxCharacters = 500;

/** A finished line as it is shown. */
export function shownLine(json: string): StoryLine {
  return lineOf(parsed(json) ?? {});
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    // A line that was too long to stay JSON says nothing of its job.
    return undefined;
  }
}

/** What every line of one job has in common. */
const ofJob = ["jobId", "region", "actionType", "clientId", "account"] as const;
const ofLine = new Set<string>(["time", "level", "event", "msg", ...ofJob]);

/**
 * The job of a line, found without taking the line apart: there may be thousands a second. The log writes a job's own
 * fields before those of a handler, and within a text no quote stands alone.
 */
export function lineName(json: string): string {
  // What a handler adds stands behind the Region: an `account` before it is the job's own.
  const head = json.slice(0, Math.max(0, json.indexOf('"region":"')));
  return `${after(head, '"account":"')} ${after(json, '"region":"')} ${after(json, '"jobId":"')}`;
}

/** Up to the quote that ends the text, as it is written. */
function after(json: string, name: string): string {
  const at = json.indexOf(name);
  if (at < 0) return "";
  const from = at + name.length;
  let to = json.indexOf('"', from);
  while (to > 0 && isEscaped(json, to)) to = json.indexOf('"', to + 1);
  return to < 0 ? "" : json.slice(from, to);
}

function isEscaped(json: string, at: number): boolean {
  let from = at;
  while (json[from - 1] === "\\") from -= 1;
  return (at - from) % 2 === 1;
}

/** A long line as a shorter one. */
export function shortenedLine(json: string): string {
  const fields = parsed(json) ?? {};
  const { at: time, level, event, text: msg, fields: rest } = lineOf(fields);
  return JSON.stringify({ time, level, event, msg, ...rest });
}

function lineOf(fields: Fields): StoryLine {
  const { time, level, event, msg } = fields;
  const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => !ofLine.has(name)));
  const json = JSON.stringify(rest);
  return {
    at: String(time),
    level: String(level),
    event: String(event),
    text: cutText(String(msg ?? ""), textMaxCharacters),
    ...(json === "{}" ? {} : json.length <= fieldsMaxCharacters ? { fields: rest } : { fields: { leftOut: true } }),
  };
}

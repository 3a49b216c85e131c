// A log line for people: `12:01:02.345 info  job started  jobId=… region=…`. Reads the JSON line, so that both
// formats say the same. Control characters are shown, never sent: a handler's output must not steer a terminal.

const colors: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 };

/** The line of one JSON log line, local time; a stack follows on indented lines. */
export function prettyLine(json: string, isColored: boolean): string {
  const { time, level, msg, stack, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const paint = (code: number, text: string) => (isColored ? `\u001b[${code}m${text}\u001b[0m` : text);
  const shownLevel = paint(colors[String(level)] ?? 0, plain(String(level)).padEnd(5));
  const error = (err ?? {}) as Record<string, unknown>;
  const parts =
    err === undefined ? fields : { ...fields, error: error["message"], code: fields["code"] ?? error["code"] };
  const shownFields = Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${paint(90, `${plain(name)}=`)}${fieldText(value)}`);
  const line = [`${paint(90, timeOfDay(time))} ${shownLevel} ${plain(String(msg ?? ""))}`, shownFields.join(" ")];
  const trace = stack ?? error["stack"];
  return `${line.filter((part) => part !== "").join("  ")}\n${traceLines(level === "error" ? trace : undefined)}`;
}

function timeOfDay(time: unknown): string {
  const at = new Date(String(time));
  if (Number.isNaN(at.getTime())) return plain(String(time));
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${clock}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function fieldText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) || typeof value !== "string" ? plain(text) : plain(JSON.stringify(text));
}

/** Frames only: the first line of a stack is the message, which is there already. */
function traceLines(trace: unknown): string {
  if (typeof trace !== "string") return "";
  const frames = trace.split("\n").filter((line) => /^\s+at /.test(line));
  return frames.map((frame) => `    ${plain(frame.trim())}\n`).join("");
}

/** Control and direction characters as escapes. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" ? "\\n" : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

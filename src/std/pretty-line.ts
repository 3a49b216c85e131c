// A log line for people: `12:01:02.345 info  job started  jobId=… region=…`. Reads the JSON line, so that both
// formats say the same. Control characters are shown, never sent: a handler's output must not steer a terminal.

/** Fields that a line about a job shows only as JSON: a person follows the story, a program wants the rest. */
const leftOut = new Set([
  "region",
  "actionExecutionId",
  "deadline",
  "pickupMs",
  "owedMs",
  "outcome",
  "action",
  "stream",
]);

const colors: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 };

/** The line of one JSON log line, local time; warnings and errors name their event. A stack follows on indented lines. */
export function prettyLine(json: string, isColored: boolean): string {
  const { time, level, event, msg, stack, err, ...all } = JSON.parse(json) as Record<string, unknown>;
  const { subject, fields } = aboutJob(all);
  const paint = (code: number, text: string) => (isColored ? `\u001b[${code}m${text}\u001b[0m` : text);
  const shownLevel = paint(colors[String(level)] ?? 0, plain(String(level)).padEnd(5));
  const error = (err ?? {}) as Record<string, unknown>;
  const named = level === "warn" || level === "error" ? { event, ...fields } : fields;
  const parts =
    err === undefined ? named : { ...named, error: error["message"], code: fields["code"] ?? error["code"] };
  const shownFields = Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${paint(90, `${plain(name)}=`)}${fieldText(value)}`);
  const about = subject === "" ? "" : `${paint(36, subject)} `;
  const line = [
    `${paint(90, timeOfDay(time))} ${shownLevel} ${about}${plain(String(msg ?? ""))}`,
    shownFields.join(" "),
  ];
  const trace = stack ?? error["stack"];
  return `${line.filter((part) => part !== "").join("  ")}\n${traceLines(level === "error" ? trace : undefined)}`;
}

/** A line about a job begins with whose it is and the first characters of its id: enough to follow one story. */
function aboutJob(all: Record<string, unknown>): { subject: string; fields: Record<string, unknown> } {
  const { jobId, actionType, clientId, ...rest } = all;
  if (typeof jobId !== "string" || typeof actionType !== "string") return { subject: "", fields: all };
  const provider = actionType.split("/").at(-2) ?? actionType;
  const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !leftOut.has(name)));
  if (typeof clientId === "string") fields["client"] = clientId.slice(0, 8);
  return { subject: plain(`${provider} ${jobId.slice(0, 8)}`), fields };
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

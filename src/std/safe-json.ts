// The last gate before a JSON line leaves the process: secrets hidden by value and by the name of their field,
// length bounded, and the line still JSON whatever a secret looks like.
import { secretMark } from "./secret-forms.js";

/** Longest line; collectors of logs cut or split longer ones (Docker from 16 KiB on). */
const lineMaxLength = 65_536;
/** Longest text within a line that is too long. */
const textMaxLength = 8_192;
/** Deeper structures are left out. */
const depthMax = 20;

/** Names of fields that hold a secret. Continuation tokens hold none, and help to follow a job. */
const secretName =
  /^(?!(continuation|next|page)-?token$).*(token|secret|password|passwd|passphrase|authorization|cookies?|private-?key|api-?key|access-?key|credentials?)$/i;
/** The same as it is in a line; cheap, because it runs over every line. */
const secretNameInLine = /(?:token|secret|password|passwd|passphrase|authorization|cookies?|key|credentials?)"\s*:/i;

/** A JSON document without a secret in it. Text that is no JSON comes back as a JSON string. */
export function safeJson(json: string, mask: (text: string) => string): string {
  const masked = mask(json);
  if (masked === json && json.length <= lineMaxLength && !secretNameInLine.test(json)) return json;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return JSON.stringify(masked.slice(0, textMaxLength));
  }
  // Not the masked text: a secret may be a number, or look like a piece of JSON.
  const cleaner = { mask, textMax: json.length > lineMaxLength ? textMaxLength : Number.POSITIVE_INFINITY };
  return fitted(cleaned(value, cleaner, 0));
}

interface Cleaner {
  readonly mask: (text: string) => string;
  readonly textMax: number;
}

function cleaned(value: unknown, cleaner: Cleaner, depth: number): unknown {
  if (typeof value === "string") return cleanText(value, cleaner);
  if (typeof value === "number") {
    const shown = String(value);
    return cleaner.mask(shown) === shown ? value : secretMark;
  }
  if (typeof value !== "object" || value === null) return value;
  if (depth === depthMax) return "[too deep]";
  if (Array.isArray(value)) return value.map((item) => cleaned(item, cleaner, depth + 1));
  const members = Object.entries(value).map(([name, member]) => cleanMember(name, member, cleaner, depth));
  // Defines, never assigns: a member may be called __proto__.
  return Object.fromEntries(members);
}

function cleanMember(name: string, member: unknown, cleaner: Cleaner, depth: number): [string, unknown] {
  // Ours: a customer whose secret is "info" or "2026" must not blank the levels, events and times of all lines.
  if (depth === 0 && (name === "time" || name === "level" || name === "event")) return [name, member];
  const shownName = depth === 0 && name === "msg" ? name : cleanText(name, cleaner);
  const isSecret = secretName.test(name.replaceAll("_", "-")) && typeof member !== "boolean" && member !== null;
  return [shownName, isSecret ? secretMark : cleaned(member, cleaner, depth + 1)];
}

/** Masks first, cuts then. */
function cleanText(text: string, { mask, textMax }: Cleaner): string {
  const masked = mask(text);
  return masked.length <= textMax ? masked : `${masked.slice(0, textMax).toWellFormed()} … [truncated by partnerd]`;
}

/** Within the longest line: members that find no room are counted instead. */
function fitted(value: unknown): string {
  const json = JSON.stringify(value);
  if (json.length <= lineMaxLength) return json;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(`[a document of ${json.length} characters, left out]`);
  }
  const kept: [string, unknown][] = [];
  let leftOut = 0;
  let room = lineMaxLength - 100;
  for (const [name, member] of Object.entries(value)) {
    const length = JSON.stringify(name).length + (JSON.stringify(member)?.length ?? 0) + 2;
    if (length <= room) {
      kept.push([name, member]);
      room -= length;
    } else leftOut++;
  }
  return JSON.stringify(Object.fromEntries([...kept, ["leftOut", leftOut]]));
}

// The outcome document that a command may leave in its job's folder. What a child made is hostile: links are not
// followed, pipes are not waited for, sizes are limited.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { readBounded } from "../../std/bounded.js";
import { codeOf } from "../../std/errors.js";

/** What was found in the file that PARTNERD_OUTCOME names. */
export type OutcomeFile =
  | { readonly kind: "none" }
  | { readonly kind: "document"; readonly value: unknown }
  /** `why` completes "the outcome document …". */
  | { readonly kind: "unreadable"; readonly why: string };

const outcomeMaxBytes = 1024 * 1024;

/** Names the outcome file of a process's job, so its value also says to which job the process belongs. */
export const outcomeVariable = "PARTNERD_OUTCOME";

/**
 * The name of a job's outcome file, which cannot be guessed: commands of the same user may write into each other's
 * folders, and could write each other's outcomes.
 */
export function newOutcomeName(): string {
  return `outcome-${randomBytes(16).toString("hex")}.json`;
}

/** Reads the outcome document, if there is one. Never throws. */
export async function readOutcomeFile(path: string): Promise<OutcomeFile> {
  let bytes: Buffer | string;
  try {
    bytes = await boundedRead(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return { kind: "none" };
    const why = code === "ELOOP" ? notAFile : `cannot be read (${code ?? String(error)})`;
    return { kind: "unreadable", why };
  }
  if (typeof bytes === "string") return { kind: "unreadable", why: bytes };
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  if (text.trim() === "") return { kind: "unreadable", why: "is empty" };
  try {
    return { kind: "document", value: JSON.parse(text) as unknown };
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    return { kind: "unreadable", why: "is not JSON" };
  }
}

const notAFile = "is not a regular file";

/** The bytes, or what is wrong with the file. */
async function boundedRead(path: string): Promise<Buffer | string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) return notAFile;
    return (await readBounded(file, outcomeMaxBytes)) ?? `is larger than ${outcomeMaxBytes} bytes`;
  } finally {
    await file.close();
  }
}

// A text file that a person named, read whole and within a limit; and why it cannot be read, in words for that person.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { systemClock } from "./clock.js";
import { codeOf } from "./errors.js";

/** A pipe's writer has 10 seconds altogether. */
const pipePauseMs = 20;
const pipePausesMax = 500;

/** True when something of this name exists, readable or not. */
export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    // Forbidden is not absent: reading it will say so.
    (error: unknown) => codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR",
  );
}

/** Why a file cannot be read, as the end of a sentence. */
export interface Unreadable {
  readonly problem: string;
  readonly remedy: string;
}

/** A whole text file of at most `maxBytes`. Waits for a pipe's writer, but not forever. */
export async function readTextFile(path: string, maxBytes: number): Promise<string | Unreadable> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK the mere opening of a pipe could wait forever.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const kind = await handle.stat();
    if (kind.isDirectory()) return { problem: "is a directory", remedy: "name the file in it" };
    if (!kind.isFile() && !kind.isFIFO()) return { problem: "is not a file", remedy: "name a regular file" };
    const buffer = Buffer.alloc(maxBytes + 1);
    const length = await readAll(handle, buffer);
    if (length > maxBytes) return { problem: `is larger than ${maxBytes} bytes`, remedy: "is it the right file?" };
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } catch (error) {
    return unreadable(error);
  } finally {
    await handle?.close();
  }
}

/** Reads until the end or until the buffer is full. */
async function readAll(handle: FileHandle, buffer: Buffer): Promise<number> {
  let length = 0;
  let pauses = 0;
  while (length < buffer.length) {
    try {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    } catch (error) {
      // EAGAIN: a pipe such as the shell's <(…) whose writer is still at work.
      if (codeOf(error) !== "EAGAIN" || pauses++ >= pipePausesMax) throw error;
      await systemClock.sleep(pipePauseMs);
    }
  }
  return length;
}

function unreadable(error: unknown): Unreadable {
  const code = codeOf(error);
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return { problem: "does not exist", remedy: "check its name, and the folder it is relative to" };
    case "EACCES":
    case "EPERM":
      return { problem: "is not readable by this user", remedy: "change its owner or its mode" };
    case "EAGAIN":
      return { problem: "is a pipe that no process writes to", remedy: "name a regular file" };
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return { problem: "is not UTF-8 text", remedy: "save it as UTF-8" };
    default:
      return { problem: `cannot be read (${code ?? "unknown error"})`, remedy: "check the file and its disk" };
  }
}

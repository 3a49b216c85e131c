// What an entry of an archive may be called, and whether two entries mean the same place. The one gate for names from
// outside; it touches no disk. A name is judged as the strictest file system would: what collides anywhere is refused.
import { hash } from "node:crypto";
import { ArchiveRefused, shown } from "./refusal.js";
import { depthMax, nameMaxBytes, pathMaxBytes } from "./unpack/limits.js";

/** C0, DEL and C1: no file of a build is called so, and terminals obey them. */
const controls = /\p{Cc}/u;
const plainAscii = /^[\u0020-\u007e]*$/;

/**
 * The entry's path within the folder, parts joined by `/`, without `.` and empty parts; empty for the folder itself.
 * Throws ArchiveRefused.
 */
export function entryPath(name: string): string {
  if (name === "") throw new ArchiveRefused("it has an entry without a name; pack it anew");
  if (controls.test(name)) throw refused(name, "has control characters in its name");
  if (name.includes("\ufffd")) throw refused(name, "has a name that is not UTF-8");
  if (name.includes("\\")) throw refused(name, "has a backslash in its name; separate folders by /");
  if (name.startsWith("/")) throw refused(name, "has an absolute path; pack relative ones");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (/^[A-Za-z]:/.test(parts[0] ?? "")) throw refused(name, "begins with a drive letter; pack relative paths");
  if (parts.includes("..")) throw refused(name, "has .. in its path; pack paths within the folder");
  const path = parts.length === 1 ? (parts[0] ?? "") : parts.join("/");
  checkSize(name, path, parts);
  return path;
}

function checkSize(name: string, path: string, parts: readonly string[]): void {
  if (parts.length > depthMax + 1) throw refused(name, `lies deeper than ${depthMax} folders`);
  // No character has more than 3 bytes in UTF-8 for each of its UTF-16 units.
  if (path.length * 3 <= nameMaxBytes) return;
  if (Buffer.byteLength(path) > pathMaxBytes) throw refused(name, `has a path of more than ${pathMaxBytes} bytes`);
  const isLong = parts.some((part) => Buffer.byteLength(part) > nameMaxBytes);
  if (isLong) throw refused(name, `has a name of more than ${nameMaxBytes} bytes in its path`);
}

function refused(name: string, what: string): ArchiveRefused {
  return new ArchiveRefused(`its entry ${shown(name)} ${what}`);
}

/** One text for all names that some file system takes for the same: case, Unicode forms, dots and spaces at the end. */
export function folded(path: string): string {
  if (plainAscii.test(path)) return /[ .](?:\/|$)/.test(path) ? trimmed(path.toLowerCase()) : path.toLowerCase();
  return trimmed(path.normalize("NFKD").toUpperCase().toLowerCase().normalize("NFKC"));
}

function trimmed(path: string): string {
  // Not begun within a run: one that does not end its name would else be tried from each of its characters.
  return path.replace(/(?<![ .])[ .]+(?=\/|$)/g, "");
}

/** What a place in the folder is taken by. Links and files are leaves: nothing lies below them. */
type Taken = "leaf" | "folder";

/**
 * The places that an archive's entries take. It holds numbers instead of names, so that an archive of very long names
 * costs no memory; two names with the same number (about one in 10^15) would only be refused.
 */
export class Places {
  /** Of the folded path: the number of the path as written, negative for a leaf. */
  readonly #taken = new Map<number, number>();
  readonly #entriesMax: number;
  /** Folders known to be taken: most entries lie in the folder of the one before. */
  #known = new Set<string>();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Entries so far, with the folders that only paths imply. */
  get count(): number {
    return this.#taken.size;
  }

  /** Takes the place of a file or link. Throws ArchiveRefused when it is taken. */
  leaf(path: string): void {
    this.#parents(path);
    this.#take(path, "leaf");
  }

  /** Takes the place of a folder; the same folder may come again. Throws ArchiveRefused when something else is there. */
  folder(path: string): void {
    this.#parents(path);
    this.#folder(path);
  }

  #parents(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash < 0) return;
    const parent = path.slice(0, slash);
    if (this.#known.has(parent)) return;
    this.#parents(parent);
    this.#folder(parent);
  }

  #folder(path: string): void {
    if (this.#known.has(path)) return;
    this.#take(path, "folder");
    if (this.#known.size >= 1_000) this.#known.clear();
    this.#known.add(path);
  }

  #take(path: string, as: Taken): void {
    const place = numberOf(folded(path));
    const written = numberOf(path);
    const there = this.#taken.get(place);
    if (there === undefined) {
      if (this.#taken.size >= this.#entriesMax) {
        throw new ArchiveRefused(
          `it has more entries than artifacts.maxEntries allows (${this.#entriesMax}, folders included)`,
        );
      }
      this.#taken.set(place, as === "leaf" ? -written : written);
      return;
    }
    if (Math.abs(there) !== written) {
      throw refused(path, "differs from another only in case, Unicode form, or dots and spaces at the end of a name");
    }
    if (as === "leaf" && there < 0) throw refused(path, "is there twice");
    if (as === "leaf" || there < 0) throw refused(path, "is there as a folder and as something else");
  }
}

/** 52 bits of the text's hash, never 0. */
function numberOf(text: string): number {
  const digest = hash("md5", text, "buffer");
  return digest.readUIntLE(0, 6) * 16 + (digest.readUInt8(6) & 15) + 1;
}

// What an entry of an archive may be called, and whether two entries mean the same place: the one gate for names, of
// what is unpacked and of what is packed. A name is taken when unzip, bsdtar, GNU tar and Python make the same of it.
import { hash } from "node:crypto";
import { bytesOf, isText } from "./entry-text.js";
import { ArchiveRefused, shown } from "./refusal.js";
import { depthMax, nameMaxBytes, pathMaxBytes } from "./unpack/unpack-limits.js";

/** C0, DEL and C1. */
const controls = /\p{Cc}/u;
const plainAscii = /^[\u0020-\u007e]*$/;

/** Whose readers have to agree: unzip drops control characters, and bsdtar takes a backslash for a slash. */
export type ArchiveFormat = "zip" | "tar";

/**
 * The entry's path within the folder, parts joined by `/`, without `.`, empty parts and slashes in front; empty for the
 * folder itself. Throws ArchiveRefused.
 */
export function entryPath(name: string, format: ArchiveFormat): string {
  if (name === "") throw new ArchiveRefused("it has an entry without a name; pack it again");
  if (format === "zip") checkForZip(name);
  if (name.includes("\0")) throw refused(name, "has a NUL in its name, where some programs cut it off; rename it");
  if (leadsUpByBackslash(name))
    throw refused(name, "has a backslash in its name, and leads out of the folder on Windows");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (/^[A-Za-z]:/.test(parts[0] ?? "")) {
    throw refused(name, "begins with a drive letter, which some programs drop; pack relative paths");
  }
  if (parts.includes("..")) throw refused(name, "has .. in its path; pack paths within the folder");
  const path = parts.length === 1 ? (parts[0] ?? "") : parts.join("/");
  checkSize(name, path, parts);
  return path;
}

/** Names that one reader of zips takes for another. Throws ArchiveRefused. */
function checkForZip(name: string): void {
  if (controls.test(name)) {
    throw refused(name, "has control characters in its name, which unzip drops; rename it, or pack a tar");
  }
  if (!isText(name)) throw refused(name, "has a name that is not UTF-8; rename it, or pack a tar");
  if (name.includes("\\") && !name.includes("/")) {
    throw refused(
      name,
      "has a backslash in its name, which bsdtar takes for a slash; separate folders by /, or pack a tar",
    );
  }
}

/** Whether a program of Windows would leave the folder by this name or target. */
export function leadsUpByBackslash(name: string): boolean {
  return name.includes("\\") && (name.startsWith("\\") || name.split(/[\\/]/).includes(".."));
}

function checkSize(name: string, path: string, parts: readonly string[]): void {
  if (parts.length > depthMax + 1) throw refused(name, `is nested more than ${depthMax} folders deep`);
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

/** What a place in the folder is taken by. Links and files are leaves: nothing is below them. */
export type Taken = "file" | "link" | "folder";
const codes = { file: 0, link: 1, folder: 2 } as const;

/**
 * The places that an archive's entries take. It holds numbers instead of names, so that an archive of very long names
 * costs no memory; two names with the same number (about one in 10^15) would only be refused.
 */
export class Places {
  /** Of each place: the number of the path as written, and what is there. */
  readonly #taken = new Map<number, number>();
  readonly #entriesMax: number;
  readonly #isExact: boolean;
  /** Folders known to be taken: most entries are in the folder of the one before. */
  #known = new Set<string>();

  /** `isExact`: the file system distinguishes any two names. */
  constructor(options: { readonly entriesMax: number; readonly isExact: boolean }) {
    this.#entriesMax = options.entriesMax;
    this.#isExact = options.isExact;
  }

  /** Entries so far, with the folders that only paths imply. */
  get count(): number {
    return this.#taken.size;
  }

  /**
   * Takes a place; true when it is taken again: a folder may come twice, and of two files the last one counts. Throws
   * ArchiveRefused when something else is there.
   */
  take(path: string, as: Taken): boolean {
    this.#parents(path);
    return as === "folder" ? this.#folder(path) : this.#take(path, as);
  }

  #parents(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash < 0) return;
    const parent = path.slice(0, slash);
    if (this.#known.has(parent)) return;
    this.#parents(parent);
    this.#folder(parent);
  }

  #folder(path: string): boolean {
    if (this.#known.has(path)) return true;
    const isAgain = this.#take(path, "folder");
    if (this.#known.size >= 1_000) this.#known.clear();
    this.#known.add(path);
    return isAgain;
  }

  #take(path: string, as: Taken): boolean {
    const written = numberOf(path);
    const place = this.#isExact ? written : numberOf(folded(path));
    const there = this.#taken.get(place);
    if (there === undefined) {
      if (this.#taken.size >= this.#entriesMax) {
        throw new ArchiveRefused(
          `it has more entries than artifacts.maxEntries allows (${this.#entriesMax}, folders included)`,
        );
      }
      this.#taken.set(place, written * 4 + codes[as]);
      return false;
    }
    if (there === written * 4 + codes[as] && as !== "link") return true;
    if (Math.floor(there / 4) !== written) {
      const same = "only in case, Unicode form, or dots and spaces at the end of a name";
      throw refused(path, `differs from another ${same}, and this worker's disk cannot tell them apart; rename it`);
    }
    if (as === "folder" || there % 4 === codes.folder) {
      throw refused(path, "appears as a folder and as something else; pack it again");
    }
    throw refused(path, "appears twice, and one of them is a link; pack it again");
  }
}

/** 50 bits of the text's hash, so that four times as much is still a whole number. */
function numberOf(text: string): number {
  const digest = hash("sha256", bytesOf(text), "buffer");
  return digest.readUIntLE(0, 6) * 4 + (digest.readUInt8(6) & 3);
}

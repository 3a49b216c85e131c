// Lists the folder that is to be packed, everything checked before a byte is written: names, kinds, links, limits.
// Blocking, for the packing thread. It reads no file.
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { resolve } from "node:path";
import { codeOf } from "../../std/errors.js";
import { entryPath } from "../entry-names.js";
import { textOf } from "../entry-text.js";
import { badLinks, type LeftOut, leftOutOf } from "../links.js";
import { linkTargetMaxBytes } from "../unpack/unpack-limits.js";
import { HeldFolder } from "./held-folder.js";
import { changedEntry, FolderRefused, type PackLimits, refusedEntry } from "./pack-request.js";

/** One file, link or folder of the tree. */
export interface TreeEntry {
  /** Within the folder, parts joined by `/`. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  /** The permission bits: set-user-id, set-group-id and sticky mean nothing on another machine. */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly size: number;
  readonly device: number;
  readonly inode: number;
  /** Where a link leads: never absolutely. */
  readonly target?: string;
}

export interface TreeOptions {
  readonly limits: Pick<PackLimits, "maxExtractedBytes" | "maxEntries" | "maxLinks" | "badLinks">;
  /** The folder by the paths under which links may lead into it. */
  readonly rootPaths: readonly string[];
  /** The zip file itself: left out if it is in the folder. */
  readonly except: { readonly device: number; readonly inode: number };
}

/** What is to be packed. */
export interface Tree {
  readonly entries: readonly TreeEntry[];
  /** Links that are not packed (`artifacts.badLinks: skip`), when there are any. */
  readonly leftOut?: LeftOut;
}

/** The tree in a fixed order: by name, each folder before what is in it. Throws refusals, or what the disk says. */
export function listTree(root: HeldFolder, options: TreeOptions): Tree {
  const lister = new Lister(options);
  lister.list(root, "");
  // Two names on this disk are two files.
  const bad = badLinks(targetsOf(lister.entries), { limits: options.limits, isExact: true });
  if (bad.length === 0) return { entries: lister.entries };
  const without = new Set(bad.map(({ path }) => path));
  return { entries: lister.entries.filter(({ path }) => !without.has(path)), leftOut: leftOutOf(bad) };
}

/** The absolute paths of a folder: as it is named, and as the system sees it. */
export function rootPathsOf(directory: string): readonly string[] {
  return [...new Set([resolve(directory), realpathSync(directory)])].filter((path) => path !== "/");
}

/** Opens the folder that is to be packed. Throws FolderRefused when it is none. */
export function openRoot(directory: string): HeldFolder {
  try {
    return HeldFolder.open(directory);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") throw new FolderRefused("its folder does not exist");
    if (code === "ENOTDIR" || code === "ELOOP") throw new FolderRefused("its folder is a file or a link, not a folder");
    if (code === "EACCES") throw new FolderRefused("its folder cannot be read: its permissions do not allow it");
    throw error;
  }
}

class Lister {
  readonly entries: TreeEntry[] = [];
  readonly #options: TreeOptions;
  #bytes = 0;
  #links = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  list(folder: HeldFolder, path: string): void {
    for (const bytes of namesIn(folder, path)) {
      const name = textOf(bytes);
      const within = path === "" ? name : `${path}/${name}`;
      // A name that we would not unpack is not packed.
      entryPath(within, "zip");
      const stats = reading(within, () => lstatSync(folder.at(name)));
      const { device, inode } = this.#options.except;
      if (stats.ino === inode && stats.dev === device) continue;
      const entry = this.#entry(folder, name, within, stats);
      this.#add(entry);
      if (entry.kind === "folder") this.#enter(folder, name, entry);
    }
  }

  #entry(folder: HeldFolder, name: string, path: string, stats: Stats): TreeEntry {
    const { mtimeMs, dev: device, ino: inode } = stats;
    const common = { path, mode: stats.mode & 0o777, mtimeMs, device, inode };
    if (stats.isFile()) return { ...common, kind: "file", size: stats.size };
    if (stats.isDirectory()) return { ...common, kind: "folder", size: 0 };
    if (!stats.isSymbolicLink()) throw refusedEntry(path, `is ${kindOf(stats)}; pack only files, folders and links`);
    const bytes = reading(path, () => readlinkSync(folder.at(name), { encoding: "buffer" }));
    if (bytes.length > linkTargetMaxBytes) throw refusedEntry(path, "is a link whose target is too long");
    return { ...common, kind: "link", size: bytes.length, target: this.#within(path, textOf(bytes)) };
  }

  /** An absolute target within the folder, relatively: where it is unpacked, the folder has another path. */
  #within(path: string, target: string): string {
    const root = this.#options.rootPaths.find((each) => target === each || target.startsWith(`${each}/`));
    if (root === undefined) return target;
    const up = "../".repeat(path.split("/").length - 1);
    const rest = target.slice(root.length).replace(/^\/+/, "");
    return up + rest === "" ? "." : up + rest;
  }

  #add(entry: TreeEntry): void {
    const { maxEntries, maxExtractedBytes, maxLinks } = this.#options.limits;
    if (entry.kind === "link" && ++this.#links > maxLinks) {
      throw new FolderRefused(`it has more symbolic links than artifacts.maxLinks allows (${maxLinks})`);
    }
    this.entries.push(entry);
    if (this.entries.length > maxEntries) {
      throw new FolderRefused(`it has more entries than artifacts.maxEntries allows (${maxEntries}, folders included)`);
    }
    this.#bytes += entry.size;
    if (this.#bytes > maxExtractedBytes) {
      throw new FolderRefused(`it has more bytes than artifacts.maxExtractedBytes allows (${maxExtractedBytes})`);
    }
  }

  #enter(folder: HeldFolder, name: string, entry: TreeEntry): void {
    const inner = reading(entry.path, () => folder.folder(name));
    try {
      if (!isSame(entry, inner.stats)) throw changedEntry(entry.path);
      this.list(inner, entry.path);
    } finally {
      inner.close();
    }
  }
}

/** Whether this is still the file or folder that was listed, unchanged as far as its stats show. */
export function isSame(entry: TreeEntry, stats: Stats): boolean {
  if (stats.ino !== entry.inode || stats.dev !== entry.device) return false;
  return entry.kind === "folder"
    ? stats.isDirectory()
    : stats.isFile() && stats.size === entry.size && stats.mtimeMs === entry.mtimeMs;
}

/** Does something to an entry; a fault of the entry itself is reported as such. */
export function reading<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    switch (codeOf(error)) {
      case "ENOENT":
      case "ENOTDIR":
      case "ELOOP":
      case "ENXIO":
      case "EINVAL":
      case "ESTALE":
        throw changedEntry(path);
      case "EACCES":
      case "EPERM":
        throw refusedEntry(path, "cannot be read: its permissions do not allow it");
      default:
        throw error;
    }
  }
}

function namesIn(folder: HeldFolder, path: string): readonly Buffer[] {
  // As bytes: a name that is not UTF-8 must be seen, not repaired.
  const names = reading(path, () => readdirSync(folder.at(), { encoding: "buffer" }));
  return names.sort(Buffer.compare);
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : "a device";
}

function targetsOf(entries: readonly TreeEntry[]): ReadonlyMap<string, string> {
  return new Map(entries.flatMap(({ path, target }) => (target === undefined ? [] : [[path, target] as const])));
}

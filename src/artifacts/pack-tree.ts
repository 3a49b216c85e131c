// Lists the folder that is to be packed, everything checked before a byte is written: names, kinds, links, limits.
// Blocking, for the packing thread. It reads no file.
import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
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
  /** Where a link leads. */
  readonly target?: string;
}

export interface TreeOptions {
  readonly limits: Pick<PackLimits, "maxExtractedBytes" | "maxEntries">;
  /** The zip file itself: left out if it lies in the folder. */
  readonly except: { readonly device: number; readonly inode: number };
}

/** Most bytes of a path, most folders in one another: what unpacking allows. */
const pathMaxBytes = 1_024;
const nameMaxBytes = 255;
const depthMax = 64;
/** Links followed for one link, as in Linux. */
const linkHopsMax = 40;

/** Control characters and the backslash: others take the one for a command and the other for a separator. */
const forbidden = /[\p{Cc}\\]/u;

/** The tree in a fixed order: by name, each folder before what is in it. Throws FolderRefused, or what the disk says. */
export function listTree(root: HeldFolder, options: TreeOptions): readonly TreeEntry[] {
  const lister = new Lister(options);
  lister.list(root, "", 0);
  checkLinks(lister.entries);
  return lister.entries;
}

/** Opens the folder that is to be packed. Throws FolderRefused when it is none. */
export function openRoot(directory: string): HeldFolder {
  try {
    return HeldFolder.open(directory);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") throw new FolderRefused("its folder is not there");
    if (code === "ENOTDIR" || code === "ELOOP") throw new FolderRefused("its folder is a file or a link, not a folder");
    if (code === "EACCES") throw new FolderRefused("its folder may not be read");
    throw error;
  }
}

class Lister {
  readonly entries: TreeEntry[] = [];
  readonly #options: TreeOptions;
  #bytes = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  list(folder: HeldFolder, path: string, depth: number): void {
    for (const bytes of namesIn(folder, path)) {
      const name = checkedName(bytes, path);
      const within = path === "" ? name : `${path}/${name}`;
      if (Buffer.byteLength(within) > pathMaxBytes) {
        throw refusedEntry(within, `has a path of more than ${pathMaxBytes} bytes`);
      }
      const stats = reading(within, () => lstatSync(folder.at(name)));
      const { device, inode } = this.#options.except;
      if (stats.ino === inode && stats.dev === device) continue;
      const entry = this.#entry(folder, name, within, stats);
      this.#add(entry);
      if (entry.kind === "folder") this.#enter(folder, name, entry, depth + 1);
    }
  }

  #entry(folder: HeldFolder, name: string, path: string, stats: Stats): TreeEntry {
    const { mtimeMs, dev: device, ino: inode } = stats;
    const common = { path, mode: stats.mode & 0o777, mtimeMs, device, inode };
    if (stats.isFile()) return { ...common, kind: "file", size: stats.size };
    if (stats.isDirectory()) return { ...common, kind: "folder", size: 0 };
    if (!stats.isSymbolicLink()) throw refusedEntry(path, `is ${kindOf(stats)}; pack only files, folders and links`);
    const bytes = reading(path, () => readlinkSync(folder.at(name), { encoding: "buffer" }));
    const target = bytes.toString("utf8");
    if (!Buffer.from(target).equals(bytes) || forbidden.test(target)) {
      throw refusedEntry(path, "is a link to a name with a backslash, control characters, or other than UTF-8");
    }
    return { ...common, kind: "link", size: bytes.length, target };
  }

  #add(entry: TreeEntry): void {
    const { maxEntries, maxExtractedBytes } = this.#options.limits;
    this.entries.push(entry);
    if (this.entries.length > maxEntries) {
      throw new FolderRefused(`it has more entries than artifacts.maxEntries allows (${maxEntries}, folders included)`);
    }
    this.#bytes += entry.size;
    if (this.#bytes > maxExtractedBytes) {
      throw new FolderRefused(`it has more bytes than artifacts.maxExtractedBytes allows (${maxExtractedBytes})`);
    }
  }

  #enter(folder: HeldFolder, name: string, entry: TreeEntry, depth: number): void {
    if (depth > depthMax) throw refusedEntry(entry.path, `lies deeper than ${depthMax} folders`);
    const inner = reading(entry.path, () => folder.folder(name));
    try {
      if (!isSame(entry, inner.stats)) throw changedEntry(entry.path);
      this.list(inner, entry.path, depth);
    } finally {
      inner.close();
    }
  }
}

/** Whether this is still the file or folder that was listed, unchanged as far as its stats tell. */
export function isSame(entry: TreeEntry, stats: Stats): boolean {
  if (stats.ino !== entry.inode || stats.dev !== entry.device) return false;
  return entry.kind === "folder"
    ? stats.isDirectory()
    : stats.isFile() && stats.size === entry.size && stats.mtimeMs === entry.mtimeMs;
}

/** Does something to an entry; what befalls the entry itself is told as such. */
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
        throw refusedEntry(path, "may not be read: the permissions forbid it");
      default:
        throw error;
    }
  }
}

function namesIn(folder: HeldFolder, path: string): readonly Buffer[] {
  // As bytes: a name that is not UTF-8 must be seen, not mended.
  const names = reading(path, () => readdirSync(folder.at(), { encoding: "buffer" }));
  return names.sort(Buffer.compare);
}

function checkedName(bytes: Buffer, parent: string): string {
  const name = bytes.toString("utf8");
  const path = parent === "" ? name : `${parent}/${name}`;
  if (name.includes("\ufffd") && !Buffer.from(name).equals(bytes))
    throw refusedEntry(path, "has a name that is not UTF-8");
  if (forbidden.test(name)) throw refusedEntry(path, "has a backslash or control characters in its name");
  if (parent === "" && /^[A-Za-z]:/.test(name)) throw refusedEntry(path, "begins like a drive letter");
  if (bytes.length > nameMaxBytes) throw refusedEntry(path, `has a name of more than ${nameMaxBytes} bytes`);
  return name;
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : "a device";
}

/** Throws FolderRefused for the first link that leads out of the folder, also by way of other links. */
function checkLinks(entries: readonly TreeEntry[]): void {
  const links = new Map<string, string>();
  for (const { path, target } of entries) if (target !== undefined) links.set(path, target);
  for (const path of links.keys()) {
    const why = troubleOf(path, links);
    if (why !== undefined) throw refusedEntry(path, why);
  }
}

/** Follows a link as the system would; what it leads to need not be there. */
function troubleOf(path: string, links: ReadonlyMap<string, string>): string | undefined {
  const here = path.split("/");
  /** Parts yet to walk, the next one last; the link itself is the first. */
  const ahead = [here.pop() ?? ""];
  let hops = 0;
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (here.pop() === undefined) return "is a link that leads out of the folder; copy what it leads to instead";
      continue;
    }
    here.push(part);
    const target = links.get(here.join("/"));
    if (target === undefined) continue;
    here.pop();
    if (++hops > linkHopsMax) return "is a link that goes round in a circle";
    if (target.startsWith("/") || /^[A-Za-z]:/.test(target))
      return "is a link with an absolute target; link relatively";
    ahead.push(...target.split("/").reverse());
  }
  return undefined;
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

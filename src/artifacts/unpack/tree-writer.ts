// Writes the unpacked tree into a new folder and counts what it writes against the limits. No symbolic link is made
// before all else is written, so nothing is ever written through one; then each must end within the folder.
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { entryPath, Places } from "../entry-names.js";
import { checkLinks } from "../links.js";
import { ArchiveRefused, shown } from "../refusal.js";
import { linksMax, linkTargetMaxBytes, ratioFreeBytes, ratioMax, type UnpackLimits } from "./limits.js";

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const folderMode = 0o755;
/** Folders remembered as made; forgotten all at once, for a folder made twice costs one failing call. */
const madeMax = 1_000;

export interface TreeWriterOptions {
  /** The folder to make: it must not exist. */
  readonly root: string;
  readonly limits: UnpackLimits;
}

/** A file being written. `close` must be called, also after a failure. */
export interface OpenFile {
  write(content: Buffer): void;
  close(): void;
}

export class TreeWriter {
  readonly #root: string;
  readonly #limits: UnpackLimits;
  readonly #places: Places;
  readonly #made = new Set<string>();
  readonly #links = new Map<string, string>();
  /** Permission bits that the process's umask takes away; they are given back. */
  readonly #umask: number;
  #bytes = 0;
  #packedBytes = 0;

  constructor(options: TreeWriterOptions) {
    this.#root = options.root;
    this.#limits = options.limits;
    this.#places = new Places(options.limits.maxEntries);
    mkdirSync(options.root, 0o777);
    this.#umask = 0o777 & ~statSync(options.root).mode;
    chmodSync(options.root, 0o700);
  }

  get entries(): number {
    return this.#places.count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the archive read so far. */
  get packedBytes(): number {
    return this.#packedBytes;
  }

  /** The path that an entry of this name gets, its place taken. Throws ArchiveRefused. */
  claim(name: string, as: "leaf" | "folder"): string {
    const path = entryPath(name);
    if (as === "folder") {
      if (path !== "") this.#places.folder(path);
      return path;
    }
    if (path === "") throw new ArchiveRefused(`its entry ${shown(name)} is no folder and has no name`);
    this.#places.leaf(path);
    return path;
  }

  /** The path of an entry whose place was claimed before. */
  pathOf(name: string): string {
    return entryPath(name);
  }

  /** So many more bytes of the archive were read: what the ratio is measured against. */
  consumed(packedBytes: number): void {
    this.#packedBytes += packedBytes;
  }

  folder(path: string, mode: number): void {
    if (path === "") return;
    this.#makeFolder(path);
    // Ours to enter and to remove, whatever the archive says.
    const wanted = (mode & 0o777) | 0o700;
    if (wanted !== (folderMode & ~this.#umask)) chmodSync(`${this.#root}/${path}`, wanted);
  }

  /** A whole file in one go. */
  file(path: string, mode: number, content: Buffer): void {
    const file = this.openFile(path, mode);
    try {
      if (content.length > 0) file.write(content);
    } finally {
      file.close();
    }
  }

  openFile(path: string, mode: number): OpenFile {
    this.#makeParent(path);
    // Ours to read; set-id and sticky bits never.
    const wanted = (mode & 0o777) | 0o400;
    const fd = openSync(`${this.#root}/${path}`, newFile, wanted);
    try {
      if ((wanted & this.#umask) !== 0) fchmodSync(fd, wanted);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return {
      write: (content) => {
        this.#count(path, content.length);
        for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
      },
      close: () => closeSync(fd),
    };
  }

  /** A symbolic link; it is made by `finish`. */
  link(path: string, target: string): void {
    if (Buffer.byteLength(target) > linkTargetMaxBytes) {
      throw new ArchiveRefused(`its link ${shown(path)} has a target of more than ${linkTargetMaxBytes} bytes`);
    }
    if (this.#links.size >= linksMax) throw new ArchiveRefused(`it has more than ${linksMax} symbolic links`);
    this.#links.set(path, target);
  }

  /** A second name for a file of the archive that is already there. */
  hardLink(path: string, target: string): void {
    const refused = new ArchiveRefused(
      `its hard link ${shown(path)} leads to ${shown(target)}, which is no file before it in the archive`,
    );
    const from = entryPath(target);
    if (from === "" || this.#links.has(from)) throw refused;
    this.#makeParent(path);
    try {
      // There is no link in the folder yet: this never leaves it.
      linkSync(`${this.#root}/${from}`, `${this.#root}/${path}`);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      throw code === "ENOENT" || code === "ENOTDIR" || code === "EPERM" ? refused : error;
    }
  }

  /** The one file of an artifact that is no archive: the raw object itself, or its copy where links are not possible. */
  plainFile(name: string, from: string, bytes: number): void {
    const path = `${this.#root}/${this.claim(name, "leaf")}`;
    this.#bytes = bytes;
    try {
      linkSync(from, path);
    } catch {
      copyFileSync(from, path, constants.COPYFILE_EXCL);
    }
  }

  /** Makes the links, once all of them are known to end within the folder. Throws ArchiveRefused. */
  finish(): void {
    checkLinks(this.#links);
    for (const [path, target] of this.#links) {
      this.#makeParent(path);
      symlinkSync(target, `${this.#root}/${path}`);
    }
  }

  #makeParent(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash > 0) this.#makeFolder(path.slice(0, slash));
  }

  #makeFolder(path: string): void {
    if (this.#made.has(path)) return;
    mkdirSync(`${this.#root}/${path}`, { recursive: true, mode: folderMode });
    if (this.#made.size >= madeMax) this.#made.clear();
    this.#made.add(path);
  }

  #count(path: string, bytes: number): void {
    this.#bytes += bytes;
    const { maxExtractedBytes } = this.#limits;
    if (this.#bytes > maxExtractedBytes) {
      throw new ArchiveRefused(
        `it unpacks to more than artifacts.maxExtractedBytes allows (${maxExtractedBytes} bytes), at ${shown(path)}`,
      );
    }
    if (this.#bytes > ratioFreeBytes && this.#bytes > ratioMax * this.#packedBytes) {
      throw new ArchiveRefused(`it unpacks to more than ${ratioMax} times its size, at ${shown(path)}`);
    }
  }
}

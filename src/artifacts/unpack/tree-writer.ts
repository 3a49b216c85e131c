// Writes the unpacked tree into a new folder and counts what it writes against the limits. No symbolic link is made
// before all else is written, so nothing is ever written through one; then each must end within the folder.
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { codeOf } from "../../std/errors.js";
import { type ArchiveFormat, entryPath, Places, type Taken } from "../entry-names.js";
import { bytesOf } from "../entry-text.js";
import { type BadLink, badLinks } from "../links.js";
import { ArchiveRefused, shown } from "../refusal.js";
import { tellsNamesApart } from "./name-probe.js";
import { isOverRatio, linkTargetMaxBytes, type UnpackLimits } from "./unpack-limits.js";

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const folderMode = 0o755;
/** Folders remembered as made; forgotten all at once, for a folder made twice costs one failing call. */
const madeMax = 1_000;

export interface TreeWriterOptions {
  /** The folder to make: it must not exist. */
  readonly root: string;
  readonly limits: UnpackLimits;
  /** Bytes of the whole archive; asked only where those read so far are too few. */
  readonly archiveBytes: () => number;
}

/** A file being written. `close` must be called, also after a failure. */
export interface OpenFile {
  write(content: Buffer): void;
  /** So many zeros, which take no room. */
  skip(bytes: number): void;
  close(): void;
}

/** A claimed place: the path, and whether a file of that name came before. */
export interface Claim {
  readonly path: string;
  readonly isAgain: boolean;
}

export class TreeWriter {
  readonly #root: string;
  readonly #options: TreeWriterOptions;
  readonly #limits: UnpackLimits;
  readonly #isExact: boolean;
  readonly #places: Places;
  readonly #made = new Set<string>();
  readonly #links = new Map<string, string>();
  /** Permission bits that the process's umask takes away; they are given back. */
  readonly #umask: number;
  #bytes = 0;
  #packedBytes = 0;

  constructor(options: TreeWriterOptions) {
    this.#root = options.root;
    this.#options = options;
    this.#limits = options.limits;
    mkdirSync(options.root, 0o777);
    this.#umask = 0o777 & ~statSync(options.root).mode;
    chmodSync(options.root, 0o700);
    this.#isExact = tellsNamesApart(options.root);
    this.#places = new Places({ entriesMax: options.limits.maxEntries, isExact: this.#isExact });
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

  /** The place of an entry of this name. Throws ArchiveRefused. */
  claim(name: string, as: Taken, format: ArchiveFormat): Claim {
    const path = entryPath(name, format);
    if (path !== "") return { path, isAgain: this.#places.take(path, as) };
    if (as === "folder") return { path, isAgain: true };
    throw new ArchiveRefused(`its entry ${shown(name)} is not a folder and has no name`);
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
    if (wanted !== (folderMode & ~this.#umask)) chmodSync(this.#at(path), wanted);
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
    const fd = this.#create(path, wanted);
    try {
      if ((wanted & this.#umask) !== 0) fchmodSync(fd, wanted);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    let end = 0;
    let isHole = false;
    return {
      write: (content) => {
        this.#count(path, content.length);
        for (let at = 0; at < content.length; ) at += writeSync(fd, content, at, content.length - at, end + at);
        end += content.length;
        isHole = false;
      },
      skip: (bytes) => {
        this.#count(path, bytes);
        end += bytes;
        isHole = bytes > 0 || isHole;
      },
      close: () => {
        try {
          if (isHole) ftruncateSync(fd, end);
        } finally {
          closeSync(fd);
        }
      },
    };
  }

  /** A new file; of two by one name the last one counts. */
  #create(path: string, mode: number): number {
    const at = this.#at(path);
    try {
      return openSync(at, newFile, mode);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    // Its place was claimed by files alone, so this is a file of ours.
    if (lstatSync(at).nlink > 1) {
      const differ = "GNU tar then keeps the old content by that other name, and Python does not; pack it again";
      throw new ArchiveRefused(`its entry ${shown(path)} appears twice, with a hard link to the first: ${differ}`);
    }
    unlinkSync(at);
    return openSync(at, newFile, mode);
  }

  /** A symbolic link; it is made by `finish`. */
  link(path: string, target: string): void {
    if (Buffer.byteLength(target) > linkTargetMaxBytes) {
      throw new ArchiveRefused(`its link ${shown(path)} has a target of more than ${linkTargetMaxBytes} bytes`);
    }
    const { maxLinks } = this.#limits;
    if (this.#links.size >= maxLinks) {
      throw new ArchiveRefused(`it has more symbolic links than artifacts.maxLinks allows (${maxLinks})`);
    }
    this.#links.set(path, target);
  }

  /** A second name for a file or link of the archive that is already there. */
  hardLink(path: string, target: string): void {
    const refused = new ArchiveRefused(
      `its hard link ${shown(path)} points to ${shown(target)}, which is not an earlier file in the archive`,
    );
    const from = entryPath(target, "tar");
    const link = this.#links.get(from);
    if (link !== undefined) return this.link(path, link);
    if (from === "") throw refused;
    this.#makeParent(path);
    try {
      // There is no link in the folder yet: this never leaves it.
      linkSync(this.#at(from), this.#at(path));
    } catch (error) {
      throw ["ENOENT", "ENOTDIR", "EPERM"].includes(codeOf(error) ?? "") ? refused : error;
    }
  }

  /**
   * The one file of an artifact that is no archive: the raw object itself, or its copy where links are not possible.
   */
  plainFile(name: string, from: string, bytes: number): void {
    const path = `${this.#root}/${this.claim(name, "file", "zip").path}`;
    this.#bytes = bytes;
    try {
      linkSync(from, path);
    } catch {
      copyFileSync(from, path, constants.COPYFILE_EXCL);
    }
  }

  /** Makes the links that end within the folder; answers those left out. Throws ArchiveRefused. */
  finish(): readonly BadLink[] {
    const bad = badLinks(this.#links, { limits: this.#limits, isExact: this.#isExact });
    for (const { path } of bad) this.#links.delete(path);
    for (const [path, target] of this.#links) {
      this.#makeParent(path);
      symlinkSync(bytesOf(target), this.#at(path));
    }
    return bad;
  }

  /** Throws ArchiveRefused when so many bytes are more than an archive of this size may unpack to. */
  checkRatio(bytes: number, what: string, at = ""): void {
    if (!isOverRatio(this.#limits, bytes, this.#packedBytes)) return;
    // What comes later in the archive may be as good as not packed.
    if (!isOverRatio(this.#limits, bytes, this.#options.archiveBytes())) return;
    const { maxRatio, maxRatioFromBytes } = this.#limits;
    throw new ArchiveRefused(
      `${what} to more than ${maxRatio} times its size${at}: artifacts.maxRatio allows no more beyond the first ` +
        `${maxRatioFromBytes} bytes (artifacts.maxRatioFrom)`,
    );
  }

  /** Where a path is on the disk. */
  #at(path: string): string | Buffer {
    return bytesOf(`${this.#root}/${path}`);
  }

  #makeParent(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash > 0) this.#makeFolder(path.slice(0, slash));
  }

  #makeFolder(path: string): void {
    if (this.#made.has(path)) return;
    mkdirSync(this.#at(path), { recursive: true, mode: folderMode });
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
    this.checkRatio(this.#bytes, "it unpacks", `, at ${shown(path)}`);
  }
}

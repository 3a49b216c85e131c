// A folder held open, so that what is in it is reached by the folder itself and not by its path: a folder that is
// swapped for a link meanwhile leads nowhere else. Node has no openat; Linux's /proc/self/fd does the same. Elsewhere
// the path has to do, and only comparing the inodes afterwards shows a swap.
import { closeSync, constants, existsSync, fstatSync, openSync, type Stats } from "node:fs";
import { join } from "node:path";

/** One open folder. Blocking: for separate threads only. */
export class HeldFolder {
  readonly stats: Stats;
  readonly #descriptor: number;
  readonly #base: string;

  private constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.stats = fstatSync(descriptor);
    const held = `/proc/self/fd/${descriptor}`;
    this.#base = existsSync(held) ? held : path;
  }

  /** Opens a folder. Throws what the system says; ELOOP or ENOTDIR for a link. */
  static open(path: string): HeldFolder {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      return new HeldFolder(descriptor, path);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** The path by which the folder, or what it holds under this name, is reached. */
  at(name?: string | Buffer): string | Buffer {
    if (name === undefined) return `${this.#base}/`;
    return typeof name === "string" ? join(this.#base, name) : Buffer.concat([Buffer.from(`${this.#base}/`), name]);
  }

  /** Opens a folder in it. Throws like `open`. */
  folder(name: string): HeldFolder {
    return HeldFolder.open(join(this.#base, name));
  }

  /** Opens a file in it for reading, without waiting for a pipe's other end and without following a link. */
  file(name: string): number {
    return openSync(join(this.#base, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

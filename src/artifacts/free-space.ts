// Whether the disk of the jobs' folders has room for another job. Looks from time to time, so that asking costs
// nothing. Room that downloads are about to fill is reserved: one look must not be enough for fifty of them.
import { statfs } from "node:fs/promises";
import { JobFailure } from "../job/failure.js";
import type { Clock } from "../std/clock.js";
import { valueWithin } from "../std/ends-within.js";
import { codeOf } from "../std/errors.js";
import type { Room } from "./artifacts.js";

/** What a disk has left for us. */
export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Files that can still be made; `undefined` where the file system has no such limit. */
  readonly freeFiles: number | undefined;
}

export interface FreeSpaceOptions {
  /** A folder on the disk. */
  readonly folder: string;
  /** The operator's `artifacts.minFreeBytes`; a smaller disk needs only `smallDiskShare` of itself. 0 for no check. */
  readonly minFreeBytes: number;
  /** A disk may have bytes left and no place for another file. */
  readonly minFreeFiles: number;
  readonly intervalMs: number;
  /** How long a look may take; a network disk that hangs has no room. */
  readonly lookMaxMs: number;
  readonly clock: Clock;
  /** `diskSpace` but for tests. */
  readonly look: (folder: string) => Promise<DiskSpace>;
  /** Called when there is no room any more, why, and when there is again. */
  readonly onChange: (room: Room) => void;
}

/** Room for one file that is about to be written. */
export interface Reservation {
  /** How many bytes of it are on the disk already, where every look sees them. */
  wrote(bytes: number): void;
  release(): void;
}

/** What is kept free of what is reserved, as a share of what new jobs ask for: the ledger may be on the same disk. */
const keptShare = 0.5;

/** A small memory file system beside a container must not keep jobs away that touch no artifact. */
const smallDiskShare = 0.25;

/** Watches one disk. */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  readonly #closing = new AbortController();
  #room: Room = { isEnough: true };
  #looking: Promise<DiskSpace> | undefined;
  #cancel = () => {};
  /** Bytes that are reserved and not written yet, of each reservation. */
  readonly #reserved = new Set<{ bytes: number }>();

  private constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /**
   * Looks once, then from time to time until it is closed. Never throws: a disk that cannot be looked at has no room.
   */
  static async open(options: FreeSpaceOptions): Promise<FreeSpace> {
    const space = new FreeSpace(options);
    if (options.minFreeBytes > 0) await space.#lookAndGoOn();
    return space;
  }

  /** What the latest look found. */
  room(): Room {
    return this.#room;
  }

  /**
   * Reserves room for a file of this size; waits while others fill or leave the disk, at most `waitMaxMs`. Throws
   * JobFailure SystemUnavailable when there is still none, or the signal's reason.
   */
  async reserve(
    bytes: number,
    options: { readonly waitMaxMs: number; readonly signal: AbortSignal },
  ): Promise<Reservation> {
    const { clock, minFreeBytes, intervalMs } = this.#options;
    const { waitMaxMs, signal } = options;
    const own = { bytes };
    const untilMs = clock.monotonic() + waitMaxMs;
    for (;;) {
      signal.throwIfAborted();
      // No check, by the operator's word.
      const lacking = minFreeBytes === 0 ? undefined : await this.#tryToReserve(own);
      if (lacking === undefined) break;
      const leftMs = untilMs - clock.monotonic();
      if (leftMs <= 0) throw new JobFailure("SystemUnavailable", `${lacking}; retry the action later`);
      await clock.sleep(Math.min(intervalMs, leftMs), signal);
    }
    return {
      wrote: (written) => {
        own.bytes = Math.max(0, bytes - written);
      },
      release: () => void this.#reserved.delete(own),
    };
  }

  /** Reserves what fits, or says why it does not. A disk that cannot be checked has room: writing will show. */
  async #tryToReserve(own: { readonly bytes: number }): Promise<string | undefined> {
    const space = await this.#look().catch(() => "hangs" as const);
    const { folder, minFreeBytes } = this.#options;
    // From here on at once: others may wait for the same look.
    const free = space === "hangs" ? Number.POSITIVE_INFINITY : space.freeBytes - this.#reservedBytes();
    const kept = space === "hangs" ? 0 : neededOf(minFreeBytes, space) * keptShare;
    if (free - own.bytes >= kept) {
      this.#reserved.add(own);
      return undefined;
    }
    const asked = `an artifact of ${mebibytes(own.bytes)} does not fit on the disk of ${folder}`;
    return `${asked}, which has ${mebibytes(Math.max(0, free))} free after the space reserved for other artifacts`;
  }

  #reservedBytes(): number {
    let bytes = 0;
    for (const each of this.#reserved) bytes += each.bytes;
    return bytes;
  }

  close(): void {
    this.#closing.abort();
    this.#cancel();
  }

  async #lookAndGoOn(): Promise<void> {
    const room = await this.#judged();
    if (this.#closing.signal.aborted) return;
    const hasChanged = room.isEnough !== this.#room.isEnough;
    this.#room = room;
    if (hasChanged) this.#options.onChange(room);
    const { clock, intervalMs } = this.#options;
    this.#cancel = clock.after(intervalMs, () => void this.#lookAndGoOn());
  }

  async #judged(): Promise<Room> {
    const { folder, minFreeBytes, minFreeFiles } = this.#options;
    try {
      const space = await this.#look();
      if (space === "hangs") return noRoom(`the disk of ${folder} does not respond`);
      const { freeFiles } = space;
      const freeBytes = space.freeBytes - this.#reservedBytes();
      const neededBytes = neededOf(minFreeBytes, space);
      if (freeBytes < neededBytes) {
        const asked = `artifacts.minFreeBytes requires ${mebibytes(neededBytes)}`;
        return noRoom(`the disk of ${folder} has ${mebibytes(Math.max(0, freeBytes))} free, but ${asked}`);
      }
      if (freeFiles !== undefined && freeFiles < minFreeFiles) {
        return noRoom(
          `the disk of ${folder} has room for ${freeFiles} more files (inodes), and ${minFreeFiles} are needed`,
        );
      }
      return { isEnough: true };
    } catch (error) {
      const code = codeOf(error) ?? String(error);
      return noRoom(`the free space of ${folder} cannot be read (${code})`);
    }
  }

  async #look(): Promise<DiskSpace | "hangs"> {
    const { clock, folder, look, lookMaxMs } = this.#options;
    // One look at a time: each that hangs holds one of the few threads that all of Node's file calls share.
    this.#looking ??= look(folder).finally(() => {
      this.#looking = undefined;
    });
    return valueWithin(this.#looking, "hangs", { ms: lookMaxMs, clock, signal: this.#closing.signal });
  }
}

/** What statfs(2) says of the disk that a folder is on. Throws what the system says. */
export async function diskSpace(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeFiles: files === 0 ? undefined : ffree };
}

function neededOf(minFreeBytes: number, { totalBytes }: DiskSpace): number {
  return Math.min(minFreeBytes, totalBytes * smallDiskShare);
}

function noRoom(why: string): Room {
  return { isEnough: false, reason: `${why}: free disk space, or set artifacts.workDir to another disk` };
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}

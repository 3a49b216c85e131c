// What an archive may ask of us. Some limits are the operator's (`artifacts.*`); the others are the same for everybody,
// because no honest archive comes near them. All are counted while unpacking: what a header says is never believed.

/** The operator's limits (`artifacts.*` of the configuration); packing keeps to the same. */
export interface UnpackLimits {
  /** Most bytes of the archive as stored in S3. */
  readonly maxArchiveBytes: number;
  /** Most bytes of all unpacked files together. */
  readonly maxExtractedBytes: number;
  /** Most entries: files, links and folders, those included that only a path implies. */
  readonly maxEntries: number;
  /** Most unpacked bytes for each byte of the whole archive; the first `maxRatioFromBytes` bytes are not counted. */
  readonly maxRatio: number;
  readonly maxRatioFromBytes: number;
  /** Most symbolic links: their targets are held in memory until the end. */
  readonly maxLinks: number;
  /** What becomes of a link that leads out of the folder, or nowhere: the archive is refused, or the link left out. */
  readonly badLinks: "refuse" | "skip";
}

/** Whether so many unpacked bytes are too many for an archive of so many. */
export function isOverRatio(
  { maxRatio, maxRatioFromBytes }: UnpackLimits,
  bytes: number,
  archiveBytes: number,
): boolean {
  return bytes - maxRatioFromBytes > maxRatio * archiveBytes;
}

/** Most bytes of an entry's path. With the folder's own path it stays under Linux's limit of 4,096. */
export const pathMaxBytes = 1_024;
/** Most bytes of one name in a path: what nearly every file system holds. */
export const nameMaxBytes = 255;
/** Most folders in one another. `node_modules` at its worst reaches about 30. */
export const depthMax = 64;
/** Most bytes of a link's target. */
export const linkTargetMaxBytes = 1_024;
/** Links followed for one link, as in Linux. */
export const linkHopsMax = 40;
/**
 * Characters of the paths that all links together lead through, for each link allowed: 60 folders in paths of 200.
 * Without it 40 links through one another's long targets, 40 KiB in all, take half a minute, and 10,000 take hours.
 */
export const linkWalkCharacters = 13_000;

/** Most bytes of one pax header: a path, a link, times, and what macOS knows of a file beside them. */
export const paxMaxBytes = 2 ** 20;
/** Most pieces of one sparse file: 100 GiB in pieces of 1 MiB. */
export const sparsePiecesMax = 100_000;

/** How much of a file is read at once; the reader's only buffer. */
export const windowBytes = 2 ** 20;
/** Entries up to this size (packed and unpacked) are inflated in one go: a stream for each costs more than its work. */
export const smallEntryBytes = 256 * 2 ** 10;
/** How much a stream inflates at once. */
export const chunkBytes = 256 * 2 ** 10;
/** Threads at most. One is kept for archives that are there in full: downloads must not hold all of them. */
export const unpackThreadsMax = 3;
/** A thread without work ends after this time. */
export const threadIdleMs = 10_000;
/** How long a thread may take to notice that its work has ended before it is ended by force. */
export const threadEndMs = 5_000;

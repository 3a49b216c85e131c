// What an archive may ask of us. Three limits are the operator's (`artifacts.*`); the others are the same for everybody,
// because no honest archive comes near them. All are counted while unpacking: what a header says is never believed.

/** The operator's limits (`artifacts.*` of the configuration). */
export interface UnpackLimits {
  /** Most bytes of the archive as it lies in S3. */
  readonly maxArchiveBytes: number;
  /** Most bytes of all unpacked files together. */
  readonly maxExtractedBytes: number;
  /** Most entries: files, links and folders, those included that only a path implies. */
  readonly maxEntries: number;
}

/** Most bytes of an entry's path. With the folder's own path it stays under Linux's limit of 4,096. */
export const pathMaxBytes = 1_024;
/** Most bytes of one name in a path: what nearly every file system holds. */
export const nameMaxBytes = 255;
/** Most folders in one another. `node_modules` at its worst reaches about 30. */
export const depthMax = 64;
/** Most symbolic links: their targets are held in memory until the end. */
export const linksMax = 10_000;
/** Most bytes of a link's target. */
export const linkTargetMaxBytes = 1_024;
/** Links followed for one link, as in Linux. */
export const linkHopsMax = 40;
/**
 * Characters of the paths that all links together lead through: 10,000 links through 60 folders each, in paths of 200.
 * Without it 40 links through one another's long targets, 40 KiB in all, take half a minute, and 10,000 take hours.
 */
export const linkWalkMaxCharacters = 2 ** 27;

/** Unpacked bytes for each byte of archive. Source code and logs reach 20, deflate ends at 1,032: beyond is a bomb. */
export const ratioMax = 200;
/** So much is unpacked before the ratio counts: a few blank disk images or empty logs harm nobody. */
export const ratioFreeBytes = 64 * 2 ** 20;

/** Most bytes of one pax header: it holds a path, a link and a few times. */
export const paxMaxBytes = 64 * 2 ** 10;

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
/** So long a thread may take to notice that its work is over before it is ended by force. */
export const threadEndMs = 5_000;

// Which file systems a ledger file may lie on. SQLite keeps a second daemon out by file locks, and its write-ahead log
// by memory that all its users share: both end at the edge of one machine. A share between machines is refused, since
// after a partition two daemons could work the same jobs; what another program serves is warned of, since it may do
// the same and may not keep what it was told to flush; what is gone after a restart only `doctor` speaks of.
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { LedgerError } from "../ledger.js";

export interface FileSystemRisk {
  readonly kind: "shared" | "served" | "short-lived";
  /** What follows "the ledger PATH". */
  readonly what: string;
  readonly fix: string;
}

const shared = (name: string): FileSystemRisk => ({
  kind: "shared",
  what: `is on ${name}, where SQLite's locks do not keep a second daemon out`,
  fix: "use a local disk, or ledger.store: dynamodb",
});
const served = (name: string): FileSystemRisk => ({
  kind: "served",
  what: `is on ${name}: locks and flushes work only if the program behind it supports them`,
  fix: "use a local disk, and never let a second daemon or machine use this file",
});
const shortLived = (what: string, fix: string): FileSystemRisk => ({ kind: "short-lived", what, fix });

/** By the magic number of statfs(2): linux/magic.h, and the sources of what is not in it. */
const risks: ReadonlyMap<number, FileSystemRisk> = new Map([
  [0x6969, shared("NFS (Amazon EFS is NFS)")],
  [0xff534d42, shared("CIFS (SMB)")],
  [0xfe534d42, shared("SMB")],
  [0x517b, shared("SMB")],
  [0x564c, shared("NCP")],
  [0x5346414f, shared("AFS")],
  [0x6b414653, shared("AFS")],
  [0x73757245, shared("Coda")],
  [0x00c36400, shared("CephFS")],
  [0x0bd00bd0, shared("Lustre (Amazon FSx)")],
  [0x47504653, shared("GPFS")],
  [0x19830326, shared("BeeGFS")],
  [0xaad7aaea, shared("PanFS")],
  [0x20030528, shared("OrangeFS")],
  [0x01161970, shared("GFS2")],
  [0x7461636f, shared("OCFS2")],
  [0x65735546, served("a FUSE file system")],
  [0x01021997, served("a 9p share of the host (WSL or a virtual machine)")],
  [0x786f4256, served("a VirtualBox shared folder")],
  [0xbacbacbc, served("a VMware shared folder")],
  [0x7c7c6673, served("a Parallels shared folder")],
  [0x01021994, shortLived("is in memory (tmpfs) and gone after a restart of the machine", "put it on a disk")],
  [0x858458f6, shortLived("is in memory (ramfs) and gone after a restart of the machine", "put it on a disk")],
  [0x794c7630, shortLived("is in the container's own layer and gone with it", "mount a volume there")],
]);

/** What a file system with this magic number means for a ledger; `undefined`: nothing that is known. */
export function fileSystemRisk(magic: number): FileSystemRisk | undefined {
  // The kernel's long is signed, and of 32 bits on some machines.
  return risks.get(magic >>> 0);
}

/** Looks where the file lies, and its folder, where SQLite puts its other files. Throws LedgerError when it is shared. */
export function mustNotBeShared(path: string, magicOf = magicAt): FileSystemRisk | undefined {
  const found = [path, dirname(path)].flatMap((each) => fileSystemRisk(magicOf(each) ?? 0) ?? []);
  const refused = found.find(({ kind }) => kind === "shared");
  if (refused) throw new LedgerError("unwritable", `the ledger ${path} ${refused.what}: ${refused.fix}`);
  return found.find(({ kind }) => kind === "served") ?? found[0];
}

/** `undefined`: nothing is there, or it does not say; what is wrong with that shows when the file is opened. */
function magicAt(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}

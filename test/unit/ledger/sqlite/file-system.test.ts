// Where a ledger file may lie: a share between machines is refused, what a program serves is warned of.
import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileSystemRisk, mustNotBeShared } from "../../../../src/ledger/sqlite/file-system.js";
import { newIdentity } from "../../../../src/ledger/sqlite/sqlite-file.js";
import { SqliteStore } from "../../../../src/ledger/sqlite/sqlite-store.js";

const nfs = 0x6969;
const fuse = 0x65735546;
const overlay = 0x794c7630;
const ext4 = 0xef53;

describe("fileSystemRisk", () => {
  it.each([
    ["nfs, nfs4, Amazon EFS", nfs, "shared"],
    ["cifs", 0xff534d42, "shared"],
    ["cifs as a signed number", 0xff534d42 | 0, "shared"],
    ["smb2", 0xfe534d42, "shared"],
    ["smbfs", 0x517b, "shared"],
    ["ncpfs", 0x564c, "shared"],
    ["OpenAFS", 0x5346414f, "shared"],
    ["kAFS", 0x6b414653, "shared"],
    ["coda", 0x73757245, "shared"],
    ["ceph", 0x00c36400, "shared"],
    ["lustre", 0x0bd00bd0, "shared"],
    ["gpfs", 0x47504653, "shared"],
    ["beegfs", 0x19830326, "shared"],
    ["panfs", 0xaad7aaea, "shared"],
    ["orangefs", 0x20030528, "shared"],
    ["gfs2", 0x01161970, "shared"],
    ["ocfs2", 0x7461636f, "shared"],
    ["fuse, fuseblk, virtiofs", fuse, "served"],
    ["9p", 0x01021997, "served"],
    ["vboxsf", 0x786f4256, "served"],
    ["vmhgfs", 0xbacbacbc, "served"],
    ["prl_fs", 0x7c7c6673, "served"],
    ["tmpfs", 0x01021994, "short-lived"],
    ["ramfs", 0x858458f6, "short-lived"],
    ["overlay", overlay, "short-lived"],
    ["ext2, ext3, ext4", ext4, undefined],
    ["xfs", 0x58465342, undefined],
    ["btrfs", 0x9123683e, undefined],
    ["zfs", 0x2fc12fc1, undefined],
    ["f2fs", 0xf2f52010, undefined],
    ["none that is known", 0, undefined],
  ])("%s", (_, magic, kind) => {
    expect(fileSystemRisk(magic)?.kind).toBe(kind);
  });
});

describe("mustNotBeShared", () => {
  const at = (file: number | undefined, folder: number) => (path: string) => (path === "/data/l.db" ? file : folder);

  it.each([
    ["its folder, the file being yet to be made", at(undefined, nfs)],
    ["the file alone, by a bind mount or a link", at(nfs, ext4)],
    ["its folder alone", at(ext4, nfs)],
  ])("refuses a share of %s", (_, magicOf) => {
    expect(() => mustNotBeShared("/data/l.db", magicOf)).toThrow(
      expect.objectContaining({
        code: "unwritable",
        message: expect.stringMatching(/\/data\/l\.db is on NFS.*dynamodb/),
      }),
    );
  });

  it("tells of the worse of two risks", () => {
    expect(mustNotBeShared("/data/l.db", at(overlay, fuse))?.kind).toBe("served");
    expect(mustNotBeShared("/data/l.db", at(overlay, ext4))?.kind).toBe("short-lived");
    expect(mustNotBeShared("/data/l.db", at(ext4, ext4))).toBeUndefined();
  });

  it("leaves a folder that does not exist to those that open the file", () => {
    expect(mustNotBeShared("/no/such/folder/l.db")).toBeUndefined();
  });
});

/** The one file system besides a disk's that a test finds nearly everywhere. */
const memory = "/dev/shm";
const hasMemory = existsSync(memory) && fileSystemRisk(statfsSync(memory).type)?.kind === "short-lived";

it.skipIf(!hasMemory)("the store looks before it opens, and tells what it found", () => {
  const folder = mkdtempSync(join(memory, "partnerd-"));
  const holder = { pid: 1, host: "h", sinceMs: 0 };
  const options = { path: join(folder, "l.db"), recentMs: 1_000, recentMax: 10, holder, identity: newIdentity() };
  const store = new SqliteStore(options);
  try {
    store.open();
    expect(store.read(0)).toMatchObject({ jobs: [], risk: { kind: "short-lived" } });
  } finally {
    store.close();
    rmSync(folder, { recursive: true });
  }
});

// No new job is taken while the disk is too full for its artifacts; asking costs nothing, looking never hangs.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Room } from "../../../src/artifacts/artifacts.js";
import { type DiskSpace, diskSpace, FreeSpace } from "../../../src/artifacts/free-space.js";
import { FakeClock } from "../../support/fake-clock.js";
import { canMount } from "../../support/mounts.js";

const mib = 2 ** 20;

async function given(first: DiskSpace | Error | "hangs", minFreeBytes = 100 * mib) {
  const clock = new FakeClock();
  const told: Room[] = [];
  const disk = { says: first, looks: 0, answer: (_: DiskSpace) => {} };
  const opening = FreeSpace.open({
    folder: "/work",
    minFreeBytes,
    minFreeFiles: 1_000,
    intervalMs: 10_000,
    lookMaxMs: 5_000,
    clock,
    look: () => {
      disk.looks++;
      if (disk.says === "hangs") {
        return new Promise((resolve) => {
          disk.answer = resolve;
        });
      }
      return disk.says instanceof Error ? Promise.reject(disk.says) : Promise.resolve(disk.says);
    },
    onChange: (room) => told.push(room),
  });
  if (first === "hangs") await clock.advance(5_000);
  return { space: await opening, clock, told, disk };
}

const roomy: DiskSpace = { freeBytes: 100 * mib, totalBytes: 2 ** 40, freeFiles: 1_000 };

test("has room at exactly the minimum, and tells nobody", async () => {
  const { space, told } = await given(roomy);
  expect(space.room()).toEqual({ isEnough: true });
  expect(told).toEqual([]);
});

test("says what is left, what is asked for and what to do below it", async () => {
  const { space, told } = await given({ ...roomy, freeBytes: 100 * mib - 1 });
  const reason =
    "the disk of /work has 99 MiB free, but artifacts.minFreeBytes requires 100 MiB: " +
    "free disk space, or set artifacts.workDir to another disk";
  expect(space.room()).toEqual({ isEnough: false, reason });
  expect(told).toEqual([{ isEnough: false, reason }]);
});

test("asks a small disk for no more than a quarter of itself", async () => {
  const small = { ...roomy, totalBytes: 64 * mib };
  expect((await given({ ...small, freeBytes: 16 * mib })).space.room()).toEqual({ isEnough: true });
  expect((await given({ ...small, freeBytes: 16 * mib - 1 })).space.room().reason).toContain(
    "has 15 MiB free, but artifacts.minFreeBytes requires 16 MiB",
  );
});

test("looks from time to time, and tells only what changes", async () => {
  const { space, clock, told, disk } = await given(roomy);
  await clock.advance(9_999);
  expect(disk.looks).toBe(1);
  disk.says = { ...roomy, freeBytes: 5 * mib };
  await clock.advance(1);
  expect(space.room().isEnough).toBe(false);
  disk.says = { ...roomy, freeBytes: 4 * mib };
  await clock.advance(10_000);
  expect(space.room().reason).toContain("4 MiB free");
  disk.says = roomy;
  await clock.advance(10_000);
  expect(space.room()).toEqual({ isEnough: true });
  expect(told.map((room) => room.isEnough)).toEqual([false, true]);
  expect(disk.looks).toBe(4);
});

test("counts the files that can still be made, where there is such a limit", async () => {
  expect((await given({ ...roomy, freeBytes: 2 ** 40, freeFiles: 999 })).space.room().reason).toContain(
    "999 more files (inodes)",
  );
  expect((await given({ ...roomy, freeBytes: 2 ** 40, freeFiles: undefined })).space.room().isEnough).toBe(true);
});

test("has no room on a disk that cannot be looked at", async () => {
  const { space, clock, disk } = await given(Object.assign(new Error("gone"), { code: "ENOENT" }));
  expect(space.room().reason).toContain("the free space of /work cannot be read (ENOENT)");
  disk.says = roomy;
  await clock.advance(10_000);
  expect(space.room()).toEqual({ isEnough: true });
});

test("has no room on a disk that does not answer, asks it nothing more, and has again when it answers", async () => {
  const { space, clock, disk, told } = await given("hangs");
  expect(space.room().reason).toContain("the disk of /work does not respond");
  disk.says = roomy;
  await clock.advance(60_000);
  expect(disk.looks).toBe(1);
  disk.answer(roomy);
  await clock.advance(15_000);
  expect(space.room()).toEqual({ isEnough: true });
  expect(told.map((room) => room.isEnough)).toEqual([false, true]);
});

test("looks no more when it is closed, nor at all when no minimum is set", async () => {
  const { space, clock, disk } = await given(roomy);
  space.close();
  await clock.advance(60_000);
  expect(disk.looks).toBe(1);
  expect(clock.pending).toBe(0);
  const off = await given({ ...roomy, freeBytes: 0, freeFiles: 0 }, 0);
  expect(off.disk.looks).toBe(0);
  expect(off.space.room()).toEqual({ isEnough: true });
});

test("reads a real disk", async () => {
  const space = await diskSpace(tmpdir());
  expect(space.freeBytes).toBeGreaterThan(0);
  expect(Number.isSafeInteger(space.freeBytes)).toBe(true);
  await expect(diskSpace("/nowhere/at/all")).rejects.toMatchObject({ code: "ENOENT" });
});

test.skipIf(!canMount())("sees a small disk fill up (needs root and mount)", async () => {
  const base = mkdtempSync(join(tmpdir(), "partnerd-space-"));
  const disk = join(base, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  try {
    const before = await diskSpace(disk);
    writeFileSync(join(disk, "file"), Buffer.alloc(mib));
    const after = await diskSpace(disk);
    expect(before.freeBytes - after.freeBytes).toBe(mib);
    expect((before.freeFiles ?? 0) - (after.freeFiles ?? 0)).toBe(1);
  } finally {
    execFileSync("umount", [disk]);
    rmSync(base, { recursive: true });
  }
});

const limit = { waitMaxMs: 30_000, signal: new AbortController().signal };

test("reserves room by announced size: of fifty downloads that one look would let in, only those begin that fit", async () => {
  const { space, clock } = await given({ ...roomy, freeBytes: 256 * mib });
  const began: number[] = [];
  const failed: string[] = [];
  const all = Array.from({ length: 50 }, (_, n) =>
    space.reserve(60 * mib, limit).then(
      (reservation) => {
        began.push(n);
        return reservation;
      },
      (error: Error) => void failed.push(error.message),
    ),
  );
  await clock.advance(0);
  // Half of the minimum stays free, whatever jobs do that were let in.
  expect(began.length).toBe(3);
  // New jobs are kept away while the room is spoken for.
  await clock.advance(10_000);
  expect(space.room().isEnough).toBe(false);
  (await all[0])?.release();
  await clock.advance(10_000);
  expect(began.length).toBe(4);
  await clock.advance(30_000);
  expect(failed.length).toBe(46);
  expect(failed[0]).toBe(
    "an artifact of 60 MiB does not fit on the disk of /work, which has 76 MiB free after the space reserved " +
      "for other artifacts; retry the action later",
  );
});

test("counts what was written once: by the look that sees it", async () => {
  const { space, disk, clock } = await given({ ...roomy, freeBytes: 256 * mib });
  const first = await space.reserve(200 * mib, limit);
  disk.says = { ...roomy, freeBytes: 56 * mib };
  first.wrote(200 * mib);
  const second = space.reserve(10 * mib, limit);
  second.catch(() => {});
  await clock.advance(0);
  disk.says = { ...roomy, freeBytes: 60 * mib };
  await clock.advance(10_000);
  (await second).release();
  expect(space.room().isEnough).toBe(false);
});

test("reserves nothing where the check is off, waits for no disk that hangs, and ends with its job", async () => {
  const { space } = await given({ ...roomy, freeBytes: 0 }, 0);
  (await space.reserve(2 ** 40, limit)).release();
  const hanging = await given("hangs");
  const reserved = hanging.space.reserve(2 ** 40, limit);
  await hanging.clock.advance(5_000);
  (await reserved).release();
  const full = await given({ ...roomy, freeBytes: 0 });
  const job = new AbortController();
  const waiting = full.space.reserve(1, { ...limit, signal: job.signal });
  waiting.catch(() => {});
  job.abort(new Error("the job is over"));
  await expect(waiting).rejects.toThrow("the job is over");
});

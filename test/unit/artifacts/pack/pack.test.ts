// What is packed can be read by others exactly as it was, and what cannot be packed leaves nothing behind.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Packer, type PackerOptions, startPackWorker } from "../../../../src/artifacts/pack/pack.js";
import { systemClock } from "../../../../src/std/clock.js";
import { otherLimits } from "../../../support/artifact-limits.js";
import { canMount } from "../../../support/mounts.js";
import { readZip } from "../unpack/zip-reading.js";

const limits = { maxArchiveBytes: 2 ** 30, maxExtractedBytes: 2 ** 30, maxEntries: 100_000, ...otherLimits };
let base: string;
let folder: string;
let file: string;
let packer: Packer;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "partnerd-pack-"));
  folder = join(base, "out");
  file = join(base, "made.zip");
  mkdirSync(folder);
  packer = packerWith({});
});

afterEach(async () => {
  await packer.close();
  rmSync(base, { recursive: true, force: true });
});

function packerWith(options: Partial<PackerOptions>): Packer {
  return new Packer({ limits, threadsMax: 2, endMs: 5_000, clock: systemClock, start: startPackWorker, ...options });
}

function pack(signal = new AbortController().signal, with_ = packer) {
  return with_.pack({ artifact: "Report", directory: folder, file, signal });
}

/** Files by path; a path that ends in a slash is an empty folder. */
function write(files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(path.endsWith("/") ? join(folder, path) : dirname(join(folder, path)), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(folder, path), content);
  }
}

async function names(): Promise<readonly string[]> {
  return (await readZip(file)).map(({ name }) => name);
}

/** The message of the refusal; nothing may be left of the zip file. */
async function refusal(with_ = packer): Promise<{ readonly type: string; readonly message: string }> {
  const error = await pack(undefined, with_).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(readdirSync(base)).not.toContain("made.zip");
  expect(error).toMatchObject({ name: "JobFailure" });
  return error as { type: string; message: string };
}

test("packs files, folders and empty folders in a fixed order", async () => {
  write({ "b.txt": "b", "a/z.txt": "z", "a/b/c.txt": "c", "empty/": "", "a.txt": "a", "ä/ö.txt": "ü" });
  const packed = await pack();
  expect(await names()).toEqual(["a/", "a/b/", "a/b/c.txt", "a/z.txt", "a.txt", "b.txt", "empty/", "ä/", "ä/ö.txt"]);
  expect(packed).toEqual({ entries: 9, sizeBytes: readFileSync(file).length });
});

test("makes the same bytes of the same folder", async () => {
  write({ "one.txt": "1".repeat(1_000), "two/three.txt": "3" });
  await pack();
  const first = readFileSync(file);
  rmSync(file);
  await pack();
  expect(readFileSync(file).equals(first)).toBe(true);
});

test("packs an empty folder as a zip file without entries", async () => {
  expect(await pack()).toEqual({ entries: 0, sizeBytes: 22 });
  expect(await names()).toEqual([]);
});

test("keeps permissions, times and links, as the system's unzip finds them", async () => {
  write({ "bin/run.sh": "#!/bin/sh\n", "secret/key": "k", "plain.txt": "p" });
  chmodSync(join(folder, "bin/run.sh"), 0o755);
  chmodSync(join(folder, "secret/key"), 0o600);
  chmodSync(join(folder, "secret"), 0o700);
  utimesSync(join(folder, "plain.txt"), 1_600_000_001, 1_600_000_001);
  symlinkSync("bin/run.sh", join(folder, "start"));
  symlinkSync("../plain.txt", join(folder, "bin/up"));
  await pack();
  const entries = new Map((await readZip(file)).map((each) => [each.name, each]));
  expect(entries.get("bin/run.sh")?.mode).toBe(0o100_755);
  expect(entries.get("secret/key")?.mode).toBe(0o100_600);
  expect(entries.get("secret/")?.mode).toBe(0o040_700);
  expect(entries.get("start")).toMatchObject({ mode: 0o120_777, text: "bin/run.sh" });
  expect(entries.get("bin/up")).toMatchObject({ mode: 0o120_777, text: "../plain.txt" });
  expect(entries.get("plain.txt")?.entry.getLastModDate().getTime()).toBe(1_600_000_001_000);
});

test("flags names as UTF-8 exactly when they are not ASCII", async () => {
  write({ "plain.txt": "", "日本/名.txt": "x" });
  await pack();
  const flags = (await readZip(file)).map(({ name, entry }) => [name, (entry.generalPurposeBitFlag & 0x800) !== 0]);
  expect(flags).toEqual([
    ["plain.txt", false],
    ["日本/", true],
    ["日本/名.txt", true],
  ]);
});

const readers: readonly (readonly [string, readonly string[]])[] = [
  ["unzip", ["unzip", "-tqq"]],
  ["Python's zipfile", ["python3", "-m", "zipfile", "-t"]],
];
for (const [name, [program = "", ...args]] of readers) {
  test.skipIf(!isThere(program))(`makes what ${name} finds whole: large, small, stored and linked`, async () => {
    write({ "zeros.bin": Buffer.alloc(700_000), "noise.bin": randomBytes(600_001), "empty.txt": "", "é.txt": "é" });
    write({ "text.txt": "all work and no play\n".repeat(50_000), "exact.bin": randomBytes(262_144), "deep/er/": "" });
    symlinkSync("text.txt", join(folder, "link"));
    await pack();
    execFileSync(program, [...args, file], { stdio: "pipe" });
    for (const each of await readZip(file)) {
      if (each.name.endsWith(".txt")) expect(each.text).toBe(readFileSync(join(folder, each.name), "utf8"));
    }
  });
}

function isThere(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

test("packs any tree so that it reads the same", async () => {
  const name = fc.stringMatching(/^[\p{L}\p{N} ._+@#-]{1,12}$/u).filter((text) => !/^\.{1,2}$/.test(text));
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 2_000 }),
    fc.integer({ min: 262_100, max: 800_000 }).map((size) => Buffer.alloc(size, "pattern and more of it ")),
    fc.integer({ min: 262_100, max: 600_000 }).map((size) => randomBytes(size)),
  );
  const tree = fc.dictionary(
    fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    content.map((bytes) => Buffer.from(bytes)),
    { maxKeys: 8, noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(tree, async (files) => {
      rmSync(folder, { recursive: true });
      rmSync(file, { force: true });
      mkdirSync(folder);
      const written = new Map<string, Buffer>();
      for (const [path, bytes] of Object.entries(files)) {
        try {
          write({ [path]: bytes });
          written.set(path, bytes);
        } catch {
          // One path's folder is another's file: the tree is what could be written.
        }
      }
      await pack();
      const read = (await readZip(file)).filter((each) => !each.name.endsWith("/"));
      expect(new Set(read.map((each) => each.name))).toEqual(new Set(written.keys()));
      for (const each of read) expect(each.text).toBe(written.get(each.name)?.toString("utf8"));
    }),
    { numRuns: 12 },
  );
});

const outward: readonly (readonly [string, () => void])[] = [
  ["up", () => symlinkSync("../secret", join(folder, "bad"))],
  ["absolutely", () => symlinkSync("/etc/passwd", join(folder, "bad"))],
  ["up and back in by the folder's own name", () => symlinkSync("../out/a", join(folder, "bad"))],
  ["to the folder above", () => symlinkSync("..", join(folder, "bad"))],
  ["by a drive letter", () => symlinkSync("C:/Windows", join(folder, "bad"))],
  [
    "through another link that goes up inside",
    () => {
      mkdirSync(join(folder, "sub/deep"), { recursive: true });
      symlinkSync("../..", join(folder, "sub/deep/up"));
      symlinkSync("sub/deep/up/../secret", join(folder, "bad"));
    },
  ],
  ["in a circle", () => symlinkSync("bad", join(folder, "bad"))],
];
for (const [how, make] of outward) {
  test(`refuses a link that leads ${how}, by its name`, async () => {
    make();
    expect(await refusal()).toMatchObject({
      type: "ConfigurationError",
      message: expect.stringMatching(
        /^the output artifact Report cannot be packed: its link "bad" to ".*" (leads out|has an abs|goes round)/,
      ),
    });
  });
}

test("keeps links to nothing inside, and links to folders without following them", async () => {
  write({ "real/file.txt": "f" });
  symlinkSync("real", join(folder, "alias"));
  symlinkSync("alias/../real/gone", join(folder, "dangling"));
  await pack();
  expect(await names()).toEqual(["alias", "dangling", "real/", "real/file.txt"]);
});

test("refuses pipes and sockets, and does not wait for them", async () => {
  execFileSync("mkfifo", [join(folder, "pipe")]);
  expect((await refusal()).message).toContain('its entry "pipe" is a pipe; pack only files, folders and links');
  rmSync(join(folder, "pipe"));
  const server = createServer().listen(join(folder, "s"));
  await new Promise((resolve) => server.once("listening", resolve));
  expect((await refusal()).message).toContain('its entry "s" is a socket');
  await new Promise((resolve) => server.close(resolve));
});

const badNames: readonly (readonly [string, string | Buffer, string])[] = [
  ["a backslash", "..\\x", 'its entry "..\\\\x" has a backslash in its name'],
  ["a line feed", "a\nb", 'its entry "a\\nb" has control characters in its name'],
  ["a drive letter", "C:x", 'its entry "C:x" begins with a drive letter'],
  ["bytes that are not UTF-8", Buffer.from([0x61, 0xff]), "has a name that is not UTF-8"],
];
for (const [what, name, says] of badNames) {
  test(`refuses a name with ${what}`, async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]), "x");
    expect(await refusal()).toMatchObject({ type: "ConfigurationError", message: expect.stringContaining(says) });
  });
}

test("refuses a tree that is too deep to be unpacked", async () => {
  mkdirSync(join(folder, ...Array.from({ length: 66 }, () => "d")), { recursive: true });
  expect((await refusal()).message).toContain("is nested more than 64 folders deep");
});

test("refuses a folder that is missing, a file, or a link", async () => {
  rmSync(folder, { recursive: true });
  expect((await refusal()).message).toContain("its folder does not exist");
  writeFileSync(folder, "");
  expect((await refusal()).message).toContain("its folder is a file or a link");
  rmSync(folder);
  symlinkSync("/etc", folder);
  expect((await refusal()).message).toContain("its folder is a file or a link");
});

test("keeps to the limits, each by its name", async () => {
  write({ "a.bin": randomBytes(5_000), "b.bin": randomBytes(5_000) });
  const tight = (with_: Partial<PackerOptions["limits"]>) => packerWith({ limits: { ...limits, ...with_ } });
  expect((await refusal(tight({ maxEntries: 1 }))).message).toContain("artifacts.maxEntries allows (1, folders");
  expect((await refusal(tight({ maxExtractedBytes: 9_999 }))).message).toContain("artifacts.maxExtractedBytes");
  const refused = await refusal(tight({ maxArchiveBytes: 10_000 }));
  expect(refused).toMatchObject({ type: "ConfigurationError" });
  expect(refused.message).toContain("artifacts.maxArchiveBytes allows (10000 bytes), packed");
});

test("does not read a sparse file that is larger than allowed", async () => {
  write({ "sparse.bin": "" });
  truncateSync(join(folder, "sparse.bin"), 2 ** 43);
  expect((await refusal()).message).toContain("artifacts.maxExtractedBytes");
});

test("leaves itself out when the zip file lies in the folder", async () => {
  write({ "a.txt": "a" });
  file = join(folder, "itself.zip");
  await pack();
  expect(await names()).toEqual(["a.txt"]);
});

test("never writes over a file that is there", async () => {
  writeFileSync(file, "somebody's");
  await expect(pack()).rejects.toMatchObject({ type: "SystemUnavailable", message: expect.stringContaining("EEXIST") });
  expect(readFileSync(file, "utf8")).toBe("somebody's");
});

test("leaves nothing when it is aborted in the middle", async () => {
  write({ "big.bin": "" });
  // Zeros to deflate for seconds: the abort comes long before the end.
  truncateSync(join(folder, "big.bin"), 2 ** 30);
  const stop = new AbortController();
  const packing = pack(stop.signal);
  while (!existsSync(file)) await new Promise((resolve) => setImmediate(resolve));
  const reason = new Error("the job is over");
  stop.abort(reason);
  await expect(packing).rejects.toBe(reason);
  expect(existsSync(file)).toBe(false);
});

test("packs few at once, lets the others wait, and lets who waits go", async () => {
  write({ "a.txt": "a" });
  let started = 0;
  const one = packerWith({
    threadsMax: 1,
    start: (order) => {
      started++;
      return startPackWorker(order);
    },
  });
  const call = (index: number, signal = new AbortController().signal) =>
    one.pack({ artifact: "Report", directory: folder, file: join(base, `${index}.zip`), signal });
  const first = call(1);
  const stop = new AbortController();
  const second = call(2, stop.signal);
  const third = call(3);
  stop.abort(new Error("gone"));
  await expect(second).rejects.toThrow("gone");
  await Promise.all([first, third]);
  expect(started).toBe(2);
  expect(readdirSync(base).filter((name) => name.endsWith(".zip"))).toEqual(["1.zip", "3.zip"]);
  await one.close();
  await expect(call(4)).rejects.toThrow("the daemon is stopping");
});

test("tells that the system gives no thread, and leaves no file", async () => {
  write({ "a.txt": "a" });
  const one = packerWith({
    start: () => {
      throw Object.assign(new Error("EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" });
    },
  });
  const file = join(base, "none.zip");
  const packing = one.pack({ artifact: "Report", directory: folder, file, signal: new AbortController().signal });
  await expect(packing).rejects.toMatchObject({
    type: "SystemUnavailable",
    message: expect.stringMatching(/^the output artifact Report was not packed: .* no further thread \(EAGAIN\)/),
  });
  expect(existsSync(file)).toBe(false);
  await one.close();
});

test.skipIf(!canMount())("tells a full disk, and leaves no part of the file on it (needs root and mount)", async () => {
  const disk = join(base, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
  try {
    write({ "noise.bin": randomBytes(2_000_000) });
    file = join(disk, "made.zip");
    expect(await refusal()).toEqual(
      expect.objectContaining({
        type: "SystemUnavailable",
        message: expect.stringContaining("disk of this worker is full"),
      }),
    );
    expect(readdirSync(disk)).toEqual([]);
  } finally {
    execFileSync("umount", [disk]);
  }
});

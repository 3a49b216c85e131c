// Each remedy that a refusal names, tried with the program that made the archive: first it is refused, with that remedy in its
// text, then it is unpacked.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isInstalled } from "../support/archive-readers.js";
import { roomyLimits, UnpackRig } from "../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

interface Remedy {
  readonly what: string;
  readonly programs: readonly string[];
  /** What the folder holds that is packed. */
  readonly fill: (folder: string) => void;
  /** Shell commands that write `$OUT`. */
  readonly refused: string;
  readonly says: RegExp;
  readonly remedy: string;
}

const file = (folder: string) => writeFileSync(join(folder, "a"), "one");
const named = (name: string) => (folder: string) => writeFileSync(join(folder, name), "one");
const pythonZip = `python3 -c 'import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for name in os.listdir("."): z.write(name)' "$OUT"`;

const remedies: readonly Remedy[] = [
  {
    what: "a control character in a zip",
    programs: ["python3", "tar"],
    fill: named("Icon\r"),
    refused: pythonZip,
    says: /which unzip drops; rename it, or pack a tar/,
    remedy: 'tar -cf "$OUT" .',
  },
  {
    what: "a backslash in a zip",
    programs: ["python3", "tar"],
    fill: named("a\\b"),
    refused: pythonZip,
    says: /separate folders by \/, or pack a tar/,
    remedy: 'tar -cf "$OUT" .',
  },
  {
    what: "a password",
    programs: ["zip"],
    fill: file,
    refused: 'zip -q -P secret - a > "$OUT"',
    says: /pack it without a password/,
    remedy: 'zip -q - a > "$OUT"',
  },
  {
    what: "another method",
    programs: ["zip"],
    fill: (folder) => writeFileSync(join(folder, "a"), "one ".repeat(1_000)),
    refused: 'zip -q -Z bzip2 - a > "$OUT"',
    says: /only stored and deflated entries/,
    remedy: 'zip -q -Z deflate - a > "$OUT"',
  },
  {
    what: "a volume label",
    programs: ["tar"],
    fill: file,
    refused: 'tar -V label -cf "$OUT" .',
    says: /pack it without -V/,
    remedy: 'tar -cf "$OUT" .',
  },
  {
    what: "an incremental backup",
    programs: ["tar"],
    fill: file,
    refused: 'tar --listed-incremental=../snapshot -cf "$OUT" .',
    says: /--listed-incremental/,
    remedy: 'tar -cf "$OUT" .',
  },
  {
    what: "xz",
    programs: ["tar", "xz"],
    fill: file,
    refused: 'tar -cJf "$OUT" .',
    says: /pack it with gzip or zstd/,
    remedy: 'tar -czf "$OUT" .',
  },
  {
    what: "bzip2",
    programs: ["tar", "bzip2", "zstd"],
    fill: file,
    refused: 'tar -cjf "$OUT" .',
    says: /pack it with gzip or zstd/,
    remedy: 'tar -c --zstd -f "$OUT" .',
  },
  {
    what: "zstd that looks back far",
    programs: ["tar", "zstd"],
    fill: (folder) => {
      writeFileSync(join(folder, "a"), "one");
      truncateSync(join(folder, "a"), 300_000_000);
    },
    refused: 'tar -cf - . | zstd -q -1 --long=28 > "$OUT"',
    says: /pack it without --long/,
    remedy: 'rm a; echo one > a; tar -cf - . | zstd -q > "$OUT"',
  },
  {
    what: "an absolute link",
    programs: ["tar"],
    fill: (folder) => symlinkSync("/usr/bin/python3", join(folder, "python3")),
    refused: 'tar -cf "$OUT" .',
    says: /link relatively/,
    remedy: 'ln -sfn lib/python3 python3; tar -cf "$OUT" .',
  },
  {
    what: "an end in a comment",
    programs: ["zip", "python3"],
    fill: file,
    refused: `python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.write("a"); z.comment = b"PK\\x05\\x06" + b"x" * 40' "$OUT"`,
    says: /pack it without a comment/,
    remedy: 'zip -q - a > "$OUT"',
  },
  {
    what: "a file twice with a hard link",
    programs: ["tar"],
    fill: (folder) => {
      file(folder);
      spawnSync("ln", ["a", "h"], { cwd: folder });
    },
    refused: 'tar -cf "$OUT" a h; rm a; echo two > a; tar -rf "$OUT" a',
    says: /with a hard link to the first.*pack it again/,
    remedy: 'tar -cf "$OUT" a h',
  },
];

for (const { what, programs, fill, refused, says, remedy } of remedies) {
  it.skipIf(!programs.every(isInstalled))(`there is a way out of ${what}`, async () => {
    const folder = mkdtempSync(join(rig.folder, "remedy-"));
    const tree = join(folder, "tree");
    mkdirSync(tree);
    fill(tree);
    const packed = (command: string) => {
      const out = join(folder, "archive");
      rmSync(out, { force: true });
      const { status, stderr } = spawnSync("sh", ["-c", command], { cwd: tree, env: { ...process.env, OUT: out } });
      if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
      return readFileSync(out);
    };
    await expect(rig.unpack(packed(refused))).rejects.toThrow(says);
    const { unpacked } = await rig.unpack(packed(remedy));
    expect(unpacked.kind).not.toBe("file");
    expect(unpacked.entries).toBeGreaterThan(0);
    rmSync(folder, { recursive: true });
  });
}

it("there is a way out of a bad link without another archive", async () => {
  const folder = mkdtempSync(join(rig.folder, "link-"));
  symlinkSync("/usr/bin/python3", join(folder, "python3"));
  file(folder);
  spawnSync("tar", ["-cf", `${folder}.tar`, "."], { cwd: folder });
  const bytes = readFileSync(`${folder}.tar`);
  await expect(rig.unpack(bytes)).rejects.toThrow("artifacts.badLinks: skip leaves such links out");
  expect((await rig.unpack(bytes, { limits: { ...roomyLimits, badLinks: "skip" } })).tree).toEqual({ a: "one" });
});

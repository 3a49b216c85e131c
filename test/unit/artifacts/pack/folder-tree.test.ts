// A folder that changes between its listing and its packing, or while it is listed, is never packed as something else.
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listTree, openRoot } from "../../../../src/artifacts/pack/folder-tree.js";
import { HeldFolder } from "../../../../src/artifacts/pack/held-folder.js";
import { PackOutput } from "../../../../src/artifacts/pack/output.js";
import { zipTree } from "../../../../src/artifacts/pack/tree-zip.js";
import { otherLimits } from "../../../support/artifact-limits.js";

let base: string;
let folder: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "partnerd-tree-"));
  folder = join(base, "out");
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(folder, "sub/file.txt"), "as it was");
  mkdirSync(join(base, "elsewhere"));
  writeFileSync(join(base, "elsewhere/file.txt"), "a secret!");
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

const limits = { maxArchiveBytes: 10_000_000, maxEntries: 100, maxExtractedBytes: 10_000_000, ...otherLimits };
const options = { limits, except: { device: 0, inode: 0 }, rootPaths: [] };

function zipAfter(change: () => void): void {
  const root = openRoot(folder);
  const output = openSync(join(base, "made.zip"), "w");
  try {
    const { entries } = listTree(root, options);
    change();
    zipTree(root, entries, new PackOutput(output, 10_000_000), limits);
  } finally {
    closeSync(output);
    root.close();
  }
}

const file = () => join(folder, "sub/file.txt");
const changes: readonly (readonly [string, () => void])[] = [
  ["grew", () => appendFileSync(file(), "and more")],
  ["was written anew", () => utimesSync(file(), 1, 1)],
  ["vanished", () => rmSync(file())],
  [
    "became a link",
    () => {
      rmSync(file());
      symlinkSync(join(base, "elsewhere/file.txt"), file());
    },
  ],
  [
    "was replaced",
    () => {
      renameSync(join(base, "elsewhere/file.txt"), file());
    },
  ],
];
for (const [what, change] of changes) {
  test(`refuses a file that ${what}`, () => {
    expect(() => zipAfter(change)).toThrow('its entry "sub/file.txt" changed while it was packed');
  });
}

test("refuses a folder that was swapped for a link or another folder", () => {
  const swap = (make: () => void) => () => {
    renameSync(join(folder, "sub"), join(base, "away"));
    make();
  };
  expect(() => zipAfter(swap(() => symlinkSync(join(base, "elsewhere"), join(folder, "sub"))))).toThrow(
    'its entry "sub" changed while it was packed',
  );
  rmSync(join(folder, "sub"));
  renameSync(join(base, "away"), join(folder, "sub"));
  expect(() => zipAfter(swap(() => renameSync(join(base, "elsewhere"), join(folder, "sub"))))).toThrow(
    'its entry "sub" changed while it was packed',
  );
});

test("packs what changed nowhere", () => {
  expect(() => zipAfter(() => {})).not.toThrow();
});

test("stays in a folder that is swapped for a link while it is held", () => {
  const held = HeldFolder.open(join(folder, "sub"));
  try {
    renameSync(join(folder, "sub"), join(base, "away"));
    symlinkSync(join(base, "elsewhere"), join(folder, "sub"));
    writeFileSync(join(base, "elsewhere/other.txt"), "");
    expect(readdirSync(held.at())).toEqual(["file.txt"]);
    expect(() => held.file("other.txt")).toThrow("ENOENT");
    expect(() => HeldFolder.open(join(folder, "sub"))).toThrow(/ENOTDIR|ELOOP/);
  } finally {
    held.close();
  }
});

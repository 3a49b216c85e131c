// What everybody's archivers pack is unpacked by us as by two other readers, or they differ and we refuse it, or keep to
// a rule that docs/archives.md has.
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FullTree, fullTree, isInstalled, type Reader, readBy, readers } from "../support/archive-readers.js";
import { UnpackRig } from "../support/unpack-rig.js";
import { makers } from "./makers.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

function write(folder: string, files: Readonly<Record<string, string | Buffer | readonly [string, number]>>): void {
  for (const [path, what] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    const [content, mode] = typeof what === "string" || Buffer.isBuffer(what) ? [what, 0o644] : what;
    writeFileSync(join(folder, path), content);
    chmodSync(join(folder, path), mode);
  }
}

/** The trees that are packed: what projects are made of. */
const trees: Readonly<Record<string, (folder: string) => void>> = {
  "a project": (folder) => {
    write(folder, { "README.md": "# Read me\n", "src/main.ts": "export {};\n", "bin/run.sh": ["#!/bin/sh\n", 0o755] });
    write(folder, { ".hidden": "h", "secret/key": ["k", 0o600], "frozen.txt": ["f", 0o444], "empty.txt": "" });
    write(folder, { "name with spaces/and (more).txt": "x", "a.b.c/d..e": "x", "-dash": "x", "quote'\"&$": "x" });
    write(folder, { "large.bin": randomBytes(700_000), "long.txt": "all work and no play\n".repeat(60_000) });
    mkdirSync(join(folder, "empty folder"));
  },
  "names of many letters": (folder) => {
    write(folder, { "caf\u00e9.txt": "1", "\u65e5\u672c\u8a9e/\u540d.txt": "2", "\ud83d\ude80": "3", å: "4" });
    write(folder, { [`${"long/".repeat(25)}${"n".repeat(120)}.txt`]: "5", "\u00fc/\u00df": "6" });
  },
  "names that differ in case": (folder) => {
    write(folder, { "xt_DSCP.h": "1", "xt_dscp.h": "2", LICENSE: "3", "license/x": "4", "Lib/a": "5", "lib/b": "6" });
  },
  links: (folder) => {
    write(folder, { "lib/libx.so.1.2": "elf", "bin/tool": ["#!/bin/sh\n", 0o755] });
    symlinkSync("libx.so.1.2", join(folder, "lib/libx.so"));
    symlinkSync("../lib", join(folder, "bin/lib"));
    symlinkSync("nothing/here", join(folder, "dangling"));
    symlinkSync("lib/libx.so", join(folder, "chain"));
  },
  "holes and zeros": (folder) => {
    write(folder, { "sparse.img": "begin", "zeros.bin": Buffer.alloc(300_000), "end.img": "" });
    truncateSync(join(folder, "sparse.img"), 3 * 2 ** 20);
    writeFileSync(join(folder, "sparse.img"), "end\n", { flag: "a" });
    truncateSync(join(folder, "end.img"), 2 ** 20);
  },
  "many small files": (folder) => {
    for (let n = 0; n < 400; n++) write(folder, { [`d${n % 20}/f${n}.txt`]: `file ${n}\n` });
  },
};

/** What a reader keeps: Python's zipfile has neither links nor permissions, and those of folders are everybody's own. */
function comparable(tree: FullTree, links: FullTree, { kinds, keepsModes }: Reader): FullTree {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([path, what]): [string, string][] => {
      if (what.startsWith("folder")) return [[path, "folder"]];
      if (!keepsModes && kinds.includes("zip") && links[path]?.startsWith("link")) return [];
      // Some readers take the right to write from all but the owner, some give it; we do what the archive says.
      const mode = /^file (\d+) /.exec(what)?.[1];
      if (mode === undefined) return [[path, what]];
      const shown = keepsModes ? (Number.parseInt(mode, 8) & 0o755).toString(8) : "";
      return [[path, what.replace(`file ${mode} `, `file ${shown} `)]];
    }),
  );
}

/** What readers are known to do otherwise, as docs/archives.md says. */
function isKnownDifference(maker: string, tree: string, reader: string): boolean {
  // Names that are UTF-8 and do not say so: Python takes them for code page 437, unzip and bsdtar for what they are.
  const isUnflagged = /^(?:zip |git archive, zip|bsdtar --format zip)/.test(maker);
  if (tree === "names of many letters" && reader === "Python's zipfile" && isUnflagged) return true;
  // UTF-8, and they say so, in a zip that says it was made on FAT: Debian's unzip takes them for the code page there.
  if (tree === "names of many letters" && reader === "unzip" && maker.startsWith("jar ")) return true;
  // Python reads zstd from 3.14 on.
  return maker.includes("--zstd") && reader === "Python's tarfile";
}

for (const [treeName, fill] of Object.entries(trees)) {
  describe(treeName, () => {
    for (const maker of makers) {
      const { name, kind, program } = maker;
      it.skipIf(program !== undefined && !isInstalled(program))(`packed by ${name}`, async () => {
        const place = mkdtempSync(join(rig.folder, "place-"));
        const folder = join(place, "in");
        mkdirSync(folder);
        fill(folder);
        const archive = join(place, "archive");
        const before = fullTree(folder);
        const isMade = await tried(async () => maker.make(folder, `${archive}.${kind}`));
        // What a format cannot hold (v7 no long names) its archiver refuses by itself.
        if (isMade !== undefined) return expect(isMade.message).toMatch(/too long|cannot|ended with/i);
        const ours = join(place, "ours");
        const call = { ...rig.call(Buffer.alloc(0)), file: `${archive}.${kind}`, into: ours };
        const refusal = await tried(() => rig.unpacker.unpack(call));
        const links = fullTree(folder);
        expect(links).toEqual(before);
        const others = readers
          .filter((reader) => reader.kinds.includes(kind) && isInstalled(reader.program))
          .filter((reader) => !isKnownDifference(name, treeName, reader.name))
          .map((reader) => ({
            reader,
            ...readBy(reader, `${archive}.${kind}`, join(place, reader.name.replace(/\W/g, ""))),
          }));
        expect(others.length).toBeGreaterThanOrEqual(2);
        expect(refusal?.message).toBeUndefined();
        for (const { reader, tree, says } of others) {
          const theirs = comparable(tree, fullTree(ours), reader);
          expect(comparable(fullTree(ours), fullTree(ours), reader), `${reader.name}: ${says}`).toEqual(theirs);
        }
        rmSync(place, { recursive: true });
      });
    }
  });
}

async function tried(work: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

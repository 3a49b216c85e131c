// What holds for any archive: what the libraries and the system's programs pack unpacks to the same tree, and whatever
// is done to its bytes, it is unpacked within its folder or refused, and never fails in a way that nobody knows.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { create } from "tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ZipFile } from "yazl";
import { folded } from "../../../../src/artifacts/entry-names.js";
import { tar, zip } from "../../../support/archives.js";
import { treeOf, UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

type Files = readonly (readonly [string, Buffer])[];

const part = fc.stringMatching(/^[a-zé0-9_][A-Za-z0-9 é_.-]{0,11}[a-z0-9]$/);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  // Some are streamed.
  fc.tuple(fc.nat({ max: 600_000 }), fc.string({ minLength: 1 })).map(([length, text]) => Buffer.alloc(length, text)),
);
/** Files whose names do not collide; those that others need as folders are left out. */
const files: fc.Arbitrary<Files> = fc
  .uniqueArray(
    fc.tuple(
      fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
      content,
    ),
    {
      maxLength: 12,
      selector: ([path]) => folded(path),
    },
  )
  .map((all) => {
    const paths = new Map<string, string>();
    return all.filter(([path]) => {
      const parents = path.split("/").map((_, n, parts) => parts.slice(0, n + 1).join("/"));
      const isFree = parents.every((each) => (paths.get(folded(each)) ?? each) === each);
      const isLeaf = !all.some(([other]) => folded(other).startsWith(`${folded(path)}/`));
      if (!isFree || !isLeaf) return false;
      for (const each of parents) paths.set(folded(each), each);
      return true;
    });
  });

function expectedTree(all: Files): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const [path, bytes] of all) {
    tree[path] = bytes.toString("latin1");
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) tree[parent] = "/";
  }
  return tree;
}

/** The files on disk, packed by somebody else; undefined where the program is not installed. */
function packedBy(command: string, args: (archive: string) => string[], all: Files): Buffer | undefined {
  const folder = mkdtempSync(join(rig.folder, "tree-"));
  try {
    mkdirSync(join(folder, "in"));
    for (const [path, bytes] of all) {
      mkdirSync(dirname(join(folder, "in", path)), { recursive: true });
      writeFileSync(join(folder, "in", path), bytes);
    }
    const { error } = spawnSync(command, args(join(folder, "archive")), { cwd: join(folder, "in"), timeout: 20_000 });
    // zip adds its own ending to a name.
    const [name] = readdirSync(folder).filter((each) => each !== "in");
    return error === undefined && name !== undefined ? readFileSync(join(folder, name)) : undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function zipped(all: Files): Promise<Buffer> {
  const file = new ZipFile();
  for (const [path, bytes] of all) file.addBuffer(bytes, path, { compress: bytes.length % 2 === 0 });
  file.end();
  const parts: Buffer[] = [];
  for await (const piece of file.outputStream) parts.push(piece as Buffer);
  return Buffer.concat(parts);
}

const runs = { numRuns: 25 };

describe("any tree", () => {
  it("comes back from a zip of the library", async () => {
    await fc.assert(
      fc.asyncProperty(files, async (all) => {
        expect((await rig.unpack(await zipped(all))).tree).toEqual(expectedTree(all));
      }),
      runs,
    );
  });

  const programs: readonly (readonly [string, string, (archive: string) => string[]])[] = [
    ["zip", "zip", (archive) => ["-q", "-r", archive, "."]],
    ["tar", "tar", (archive) => ["-c", "-f", archive, "."]],
    ["tar, pax", "tar", (archive) => ["-c", "--format=pax", "-f", archive, "."]],
    ["tar, gzip", "tar", (archive) => ["-c", "-z", "-f", archive, "."]],
  ];
  it.each(programs)("comes back from the system's program, if it is installed: %s", async (_title, command, args) => {
    await fc.assert(
      fc.asyncProperty(files, async (all) => {
        // An empty folder is nothing that zip packs.
        if (all.length === 0) return;
        const bytes = packedBy(command, (archive) => args(archive), all);
        if (bytes === undefined) return;
        expect((await rig.unpack(bytes)).tree).toEqual(expectedTree(all));
      }),
      { numRuns: 8 },
    );
  });

  it("comes back from a tar of the library", async () => {
    await fc.assert(
      fc.asyncProperty(files, async (all) => {
        if (all.length === 0) return;
        const folder = mkdtempSync(join(rig.folder, "tree-"));
        for (const [path, bytes] of all) {
          mkdirSync(dirname(join(folder, path)), { recursive: true });
          writeFileSync(join(folder, path), bytes);
        }
        const archive = `${folder}.tgz`;
        await create({ cwd: folder, file: archive, gzip: true }, ["."]);
        expect((await rig.unpack(readFileSync(archive))).tree).toEqual(expectedTree(all));
      }),
      { numRuns: 8 },
    );
  });
});

describe("any archive with changed bytes", () => {
  const parts = [
    { name: "a", content: "one" },
    { name: "d/b", content: Buffer.alloc(3_000, "two "), hasDescriptor: true },
    { name: "d/l", content: "../a", mode: 0o120777 },
    { name: "s", content: "stored", method: 0 },
    { name: "big", content: Buffer.alloc(300_000, "more of it "), isZip64: true },
  ];
  const entries = [
    { name: "a", content: "one" },
    { name: "d", type: "5" },
    { name: "d/b", content: Buffer.alloc(3_000, "two ") },
    { name: "d/l", type: "2", linkTarget: "../a" },
    { name: "h", type: "1", linkTarget: "a" },
    { name: "L", type: "L", content: "d/a-longer-name\0" },
    { name: "x", content: "named" },
  ];
  const changes = fc.array(
    fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), to: fc.integer({ min: 0, max: 255 }) }),
    { minLength: 1, maxLength: 6 },
  );
  const cut = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 6 });

  it.each([
    ["zip", zip(parts, { isZip64: true })],
    ["zip, its directory", zip([{ name: "a" }, { name: "b/c" }, { name: "b/", mode: 0o040755 }])],
    ["tar", tar(entries)],
    ["tar.gz", gzipSync(tar(entries))],
  ])("is unpacked within its folder or refused: %s", async (_title, bytes) => {
    await fc.assert(
      fc.asyncProperty(changes, cut, async (flips, end) => {
        const changed = Buffer.from(bytes);
        for (const { at, to } of flips)
          changed.writeUInt8(to, Math.min(Math.floor(at * bytes.length), bytes.length - 1));
        const call = rig.call(end === null ? changed : changed.subarray(0, Math.floor(end * bytes.length)));
        const before = readdirSync(rig.folder).sort();
        const failure = await rig.unpacker.unpack(call).then(
          () => undefined,
          (error: unknown) => error,
        );
        const made = failure === undefined ? [call.into.slice(rig.folder.length + 1)] : [];
        expect(readdirSync(rig.folder).sort()).toEqual([...before, ...made].sort());
        if (failure === undefined) treeOf(call.into);
        else expect(failure).toMatchObject({ name: "JobFailure", type: "ConfigurationError" });
        rmSync(call.into, { recursive: true, force: true });
        rmSync(call.file);
      }),
      { numRuns: 120 },
    );
  });
});

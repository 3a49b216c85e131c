// Other people's programs that unpack archives, each into a folder of its own; for tests that compare them with ours.
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** What a reader made of an archive. `status` 0: without a word; other readers' warnings are in `says`. */
export interface Reading {
  readonly status: number;
  readonly says: string;
  readonly tree: FullTree;
}

/** By path, as bytes in latin1: kind, permissions, and content or target. */
export type FullTree = Readonly<Record<string, string>>;

/** What a reader of zips cannot tell: Python's zipfile writes links as files and keeps no permissions. */
export interface Reader {
  readonly name: string;
  readonly program: string;
  readonly kinds: readonly ("zip" | "tar")[];
  readonly keepsModes: boolean;
  readonly args: (archive: string, into: string) => readonly string[];
}

const pythonZip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
const pythonTar = [
  "import sys, tarfile",
  "t = tarfile.open(sys.argv[1])",
  "t.extractall(sys.argv[2], filter='tar') if hasattr(tarfile, 'data_filter') else t.extractall(sys.argv[2])",
].join("\n");

export const readers: readonly Reader[] = [
  {
    name: "unzip",
    program: "unzip",
    kinds: ["zip"],
    keepsModes: true,
    args: (archive, into) => ["-o", "-q", archive, "-d", into],
  },
  {
    name: "bsdtar",
    program: "bsdtar",
    kinds: ["zip", "tar"],
    keepsModes: true,
    args: (archive, into) => ["-x", "-f", archive, "-C", into],
  },
  {
    name: "GNU tar",
    program: "tar",
    kinds: ["tar"],
    keepsModes: true,
    args: (archive, into) => ["-x", "-f", archive, "-C", into],
  },
  {
    name: "Python's zipfile",
    program: "python3",
    kinds: ["zip"],
    keepsModes: false,
    args: (archive, into) => ["-c", pythonZip, archive, into],
  },
  {
    name: "Python's tarfile",
    program: "python3",
    kinds: ["tar"],
    keepsModes: true,
    args: (archive, into) => ["-c", pythonTar, archive, into],
  },
];

/** Unpacks by one reader. `into` must not exist. */
export function readBy(reader: Reader, archive: string, into: string): Reading {
  mkdirSync(into, { mode: 0o755 });
  const { status, stdout, stderr, error } = spawnSync(reader.program, reader.args(archive, into), {
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" },
    timeout: 60_000,
  });
  const says = `${stdout ?? ""}${stderr ?? ""}${error === undefined ? "" : error.message}`.trim();
  return { status: status ?? -1, says, tree: fullTree(into) };
}

/** All that lies in a folder. */
export function fullTree(folder: string): FullTree {
  const found: Record<string, string> = {};
  const look = (within: Buffer) => {
    for (const name of readdirSync(within, { encoding: "buffer" }).sort(Buffer.compare)) {
      const full = Buffer.concat([within, Buffer.from("/"), name]);
      const stats = lstatSync(full);
      const path = full.subarray(Buffer.byteLength(folder) + 1).toString("latin1");
      const mode = (stats.mode & 0o777).toString(8);
      if (stats.isSymbolicLink()) found[path] = `link ${readlinkSync(full, "latin1")}`;
      else if (stats.isFile()) found[path] = `file ${mode} ${readFileSync(full, "latin1")}`;
      else if (!stats.isDirectory()) found[path] = "other";
      else {
        found[path] = `folder ${mode}`;
        look(full);
      }
    }
  };
  look(Buffer.from(folder));
  return found;
}

/** Whether a program can be started at all. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

/** A fresh place for the files of one comparison. */
export function placeIn(folder: string, name: string): string {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  return place;
}

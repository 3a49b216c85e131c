// Other people's archivers: each packs a folder in its own way.
import { spawnSync } from "node:child_process";
import { createWriteStream, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import AdmZip from "adm-zip";
import { TarArchive, ZipArchive } from "archiver";
import { zipSync } from "fflate";
import JSZip from "jszip";
import { pack as packTar } from "tar-stream";
import { ZipFile } from "yazl";

export interface Maker {
  readonly name: string;
  readonly kind: "zip" | "tar";
  /** What must be installed. */
  readonly program?: string;
  /** Packs all that is in the folder. Throws when it cannot. */
  readonly make: (folder: string, archive: string) => Promise<void> | void;
}

/** What is in a folder, folders before what is in them. */
interface Item {
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  readonly content: Buffer;
}

function items(folder: string, within = ""): Item[] {
  return readdirSync(join(folder, within))
    .sort()
    .flatMap((name): Item[] => {
      const path = within === "" ? name : `${within}/${name}`;
      const full = join(folder, path);
      const stats = lstatSync(full);
      const mode = stats.mode & 0o777;
      if (stats.isSymbolicLink()) return [{ path, kind: "link", mode, content: Buffer.from(readlinkSync(full)) }];
      if (!stats.isDirectory()) return [{ path, kind: "file", mode, content: readFileSync(full) }];
      return [{ path, kind: "folder", mode, content: Buffer.alloc(0) }, ...items(folder, path)];
    });
}

/** A command that packs the folder that it runs in; "ARCHIVE" stands for what it makes. */
function command(kind: Maker["kind"], program: string, ...args: readonly string[]): Maker {
  const name = [program, ...args].join(" ").replace(/ ?-C \S+| ARCHIVE/g, "");
  return { name, kind, program, make: (folder, archive) => run(folder, archive, program, args) };
}

function run(cwd: string, archive: string, program: string, args: readonly string[]): void {
  const real = args.map((arg) => arg.replace("ARCHIVE", archive));
  const { status, stderr, error } = spawnSync(program, real, {
    cwd,
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", HOME: cwd },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
}

/** A command that writes the archive to its output. */
function streamed(kind: Maker["kind"], shell: string): Maker {
  const program = shell.split(" ")[0] ?? "";
  return {
    name: shell,
    kind,
    program,
    make: (cwd, archive) => run(cwd, archive, "sh", ["-c", `(${shell}) > 'ARCHIVE'`]),
  };
}

const python = (code: string): readonly string[] => ["-c", code, "ARCHIVE"];
const pythonZip = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for root, dirs, files in os.walk("."):
        for name in sorted(dirs + files):
            z.write(os.path.join(root, name))
`;
const pythonTar = (format: string) =>
  `import sys, tarfile; t = tarfile.open(sys.argv[1], "w:gz", format=tarfile.${format}); t.add("."); t.close()`;
const git = (format: string) =>
  `git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm x && git archive --format=${format} HEAD; s=$?; rm -rf .git; exit $s`;

export const makers: readonly Maker[] = [
  command("zip", "zip", "-q", "-r", "-y", "ARCHIVE", "."),
  command("zip", "zip", "-q", "-r", "-y", "-0", "ARCHIVE", "."),
  command("zip", "zip", "-q", "-r", "-y", "-fz", "ARCHIVE", "."),
  streamed("zip", "zip -q -r -y - ."),
  command("zip", "7z", "a", "-tzip", "-snl", "ARCHIVE", "."),
  command("zip", "7z", "a", "-tzip", "-snl", "-mcu=on", "-mx=0", "ARCHIVE", "."),
  command("zip", "bsdtar", "--format", "zip", "-c", "-f", "ARCHIVE", "."),
  streamed("zip", "bsdtar --format zip -c -f - ."),
  command("zip", "jar", "-c", "-f", "ARCHIVE", "-M", "."),
  command("zip", "jar", "-c", "-0", "-f", "ARCHIVE", "."),
  command("zip", "python3", ...python(pythonZip)),
  { ...streamed("zip", git("zip")), name: "git archive, zip", program: "git" },
  { ...streamed("tar", git("tar")), name: "git archive, tar", program: "git" },
  { ...streamed("tar", git("tar.gz")), name: "git archive, tar.gz", program: "git" },
  ...["gnu", "pax", "ustar", "v7", "oldgnu"].map((format) =>
    command("tar", "tar", `--format=${format}`, "-c", "-f", "ARCHIVE", "."),
  ),
  command("tar", "tar", "-c", "-z", "-f", "ARCHIVE", "."),
  command("tar", "tar", "-c", "--zstd", "-f", "ARCHIVE", "."),
  command("tar", "tar", "-c", "-S", "-f", "ARCHIVE", "."),
  command("tar", "tar", "-c", "-P", "-f", "ARCHIVE", "--transform", "s,^[.]/,/,", "."),
  streamed("tar", "tar -c --format=gnu -b 1 . | head -c -1024"),
  ...["pax", "gnutar", "ustar", "paxr"].map((format) =>
    command("tar", "bsdtar", "--format", format, "-c", "-f", "ARCHIVE", "."),
  ),
  command("tar", "bsdtar", "-c", "-z", "-f", "ARCHIVE", "."),
  command("tar", "bsdtar", "-c", "--zstd", "-f", "ARCHIVE", "."),
  ...["GNU_FORMAT", "PAX_FORMAT", "USTAR_FORMAT"].map((format) => ({
    ...command("tar", "python3", ...python(pythonTar(format))),
    name: `Python's tarfile, ${format}`,
  })),
  command("tar", "7z", "a", "-ttar", "-snl", "ARCHIVE", "."),
  { name: "archiver, zip", kind: "zip", make: (folder, archive) => archived(new ZipArchive(), folder, archive) },
  {
    name: "archiver, tar",
    kind: "tar",
    make: (folder, archive) => archived(new TarArchive({ gzip: true }), folder, archive),
  },
  { name: "jszip", kind: "zip", make: (folder, archive) => byJszip(folder, archive, false) },
  { name: "jszip, streamed", kind: "zip", make: (folder, archive) => byJszip(folder, archive, true) },
  { name: "fflate", kind: "zip", make: byFflate },
  { name: "adm-zip", kind: "zip", make: byAdmZip },
  { name: "yazl", kind: "zip", make: byYazl },
  { name: "tar-stream", kind: "tar", make: byTarStream },
];

async function archived(archive: ZipArchive | TarArchive, folder: string, file: string): Promise<void> {
  const written = pipeline(archive, createWriteStream(file));
  archive.directory(folder, false);
  await archive.finalize();
  await written;
}

async function byJszip(folder: string, archive: string, streamFiles: boolean): Promise<void> {
  const zip = new JSZip();
  for (const { path, kind, mode, content } of items(folder)) {
    if (kind === "link") zip.file(path, content, { unixPermissions: 0o120777 });
    else zip.file(path, content, { dir: kind === "folder", unixPermissions: mode });
  }
  const options = { type: "nodebuffer", platform: "UNIX", streamFiles, compression: "DEFLATE" } as const;
  writeFileSync(archive, await zip.generateAsync(options));
}

function byFflate(folder: string, archive: string): void {
  const files = items(folder).map(({ path, kind, mode, content }) => {
    const bits = kind === "link" ? 0o120777 : kind === "folder" ? 0o040000 | mode : 0o100000 | mode;
    return [kind === "folder" ? `${path}/` : path, [content, { os: 3, attrs: (bits << 16) >>> 0 }]] as const;
  });
  writeFileSync(archive, zipSync(Object.fromEntries(files) as never));
}

function byAdmZip(folder: string, archive: string): void {
  const zip = new AdmZip();
  for (const { path, kind, mode, content } of items(folder)) {
    // It has no links.
    if (kind === "link") continue;
    zip.addFile(kind === "folder" ? `${path}/` : path, content, "", mode);
  }
  zip.writeZip(archive);
}

async function byYazl(folder: string, archive: string): Promise<void> {
  const zip = new ZipFile();
  for (const { path, kind, mode, content } of items(folder)) {
    if (kind === "folder") zip.addEmptyDirectory(path, { mode: 0o040000 | mode });
    else zip.addBuffer(content, path, { mode: kind === "link" ? 0o120777 : 0o100000 | mode });
  }
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(archive));
}

async function byTarStream(folder: string, archive: string): Promise<void> {
  const tar = packTar();
  const written = pipeline(tar, createGzip(), createWriteStream(archive));
  for (const { path, kind, mode, content } of items(folder)) {
    if (kind === "folder") tar.entry({ name: path, type: "directory", mode });
    else if (kind === "link") tar.entry({ name: path, type: "symlink", linkname: String(content) });
    else tar.entry({ name: path, mode }, content);
  }
  tar.finalize();
  await written;
}

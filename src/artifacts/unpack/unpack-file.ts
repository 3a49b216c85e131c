// One file to one folder, within the thread: finds out its kind, unpacks beside the place it is meant for, and moves it
// there only when all of it is good. Whatever fails leaves nothing behind.
import { closeSync, constants, lstatSync, openSync, renameSync, rmSync } from "node:fs";
import { leftOutOf } from "../links.js";
import { ArchiveRefused } from "../refusal.js";
import { GrowingFile } from "./growing-file.js";
import { kindOf } from "./kind.js";
import { unpackTar } from "./tar.js";
import { TreeWriter } from "./tree-writer.js";
import { windowBytes } from "./unpack-limits.js";
import type { ArtifactKind, Unpacked } from "./unpack-request.js";
import { type UnpackRequest, unfinishedPath } from "./unpack-request.js";
import { unpackZip } from "./zip.js";

/** Throws ArchiveRefused, GivenUp, or what the file system throws. */
export async function unpackFile(request: UnpackRequest): Promise<Unpacked> {
  const { file, into, size, limits, progress } = request;
  if (lstatSync(into, { throwIfNoEntry: false }) !== undefined) throw new Error(`bug: ${into} is there already`);
  if (size !== undefined) checkArchiveSize(size, limits.maxArchiveBytes);
  const unfinished = unfinishedPath(into);
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const source = new GrowingFile({ fd, progress, size, windowBytes });
    const tree = new TreeWriter({ root: unfinished, limits, archiveBytes: () => source.size() });
    const kind = await unpackAs(request, source, tree);
    // Whatever its end holds: the raw object is a part of the promise, too, and has not been verified before.
    source.whenComplete();
    checkArchiveSize(source.size(), limits.maxArchiveBytes);
    const leftOut = tree.finish();
    renameSync(unfinished, into);
    const found = { kind, entries: tree.entries - leftOut.length, bytes: tree.bytes };
    return leftOut.length === 0 ? found : { ...found, leftOut: leftOutOf(leftOut) };
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function unpackAs(request: UnpackRequest, source: GrowingFile, tree: TreeWriter): Promise<ArtifactKind> {
  const { kind, compression } = kindOf(source);
  if (kind === "zip") await unpackZip(source, tree, request.limits);
  else if (kind === "file") tree.plainFile(request.plainName, request.file, source.size());
  else await unpackTar(source, tree, { compression, limits: request.limits });
  return kind;
}

function checkArchiveSize(bytes: number, max: number): void {
  if (bytes <= max) return;
  throw new ArchiveRefused(`it has ${bytes} bytes, and artifacts.maxArchiveBytes allows ${max}; make it smaller`);
}

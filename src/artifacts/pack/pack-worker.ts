// The thread that packs one folder: lists it, writes the zip file, answers, ends. It may block; to stop it is
// to terminate it, and whatever it has open is then closed by Node.
import { fstatSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { listTree, openRoot, rootPathsOf } from "./folder-tree.js";
import { PackOutput } from "./output.js";
import { type PackAnswer, type PackOrder, refusalOfFolder } from "./pack-request.js";
import { zipTree } from "./tree-zip.js";

parentPort?.postMessage(pack(workerData as PackOrder));

function pack({ artifact, directory, descriptor, limits }: PackOrder): PackAnswer {
  try {
    const { dev: device, ino: inode } = fstatSync(descriptor);
    const root = openRoot(directory);
    try {
      const tree = listTree(root, { limits, except: { device, inode }, rootPaths: rootPathsOf(directory) });
      const packed = zipTree(root, tree.entries, new PackOutput(descriptor, limits.maxArchiveBytes), limits);
      return { type: "packed", packed: tree.leftOut ? { ...packed, leftOut: tree.leftOut } : packed };
    } finally {
      root.close();
    }
  } catch (error) {
    return refusalOfFolder(error, artifact);
  }
}

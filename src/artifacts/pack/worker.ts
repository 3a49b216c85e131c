// The thread that packs one folder: lists it, writes the zip file, answers, ends. It blocks as it likes; to stop it is
// to terminate it, and whatever it has open is then closed by Node.
import { fstatSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { PackOutput } from "./output.js";
import { type PackAnswer, type PackOrder, refusalOfFolder } from "./request.js";
import { listTree, openRoot } from "./tree.js";
import { zipTree } from "./tree-zip.js";

parentPort?.postMessage(pack(workerData as PackOrder));

function pack({ artifact, directory, descriptor, limits }: PackOrder): PackAnswer {
  try {
    const { dev: device, ino: inode } = fstatSync(descriptor);
    const root = openRoot(directory);
    try {
      const entries = listTree(root, { limits, except: { device, inode } });
      return { type: "packed", packed: zipTree(root, entries, new PackOutput(descriptor, limits.maxArchiveBytes)) };
    } finally {
      root.close();
    }
  } catch (error) {
    return refusalOfFolder(error, artifact);
  }
}

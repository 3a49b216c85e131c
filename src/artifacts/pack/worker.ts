// The thread that packs one folder: lists it, writes the zip file, answers, ends. It blocks as it likes; to stop it is
// to terminate it, and whatever it has open is then closed by Node.
import { fstatSync } from "node:fs";
import nodeModule from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { PackAnswer, PackOrder } from "./request.js";

// Run from the sources (tests do), Node strips the types but finds no `.js` files: there they still end in `.ts`.
if (import.meta.url.endsWith(".ts")) {
  nodeModule.registerHooks({
    resolve: (specifier, context, next) => next(specifier.replace(/^(\..*)\.js$/, "$1.ts"), context),
  });
}
const { PackOutput } = await import("./output.js");
const { refusalOfFolder } = await import("./request.js");
const { listTree, openRoot, rootPathsOf } = await import("./tree.js");
const { zipTree } = await import("./tree-zip.js");

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

// The thread that artifacts are unpacked in: takes one request, blocks on the disk and on the download, answers, takes
// the next. It must never reach the network, and never write but into the folder that it is given.
import nodeModule from "node:module";
import { parentPort } from "node:worker_threads";
import type { UnpackAnswer, UnpackRequest } from "./request.js";

// Run from the sources (tests do), Node strips the types but finds no `.js` files: there they still end in `.ts`.
if (import.meta.url.endsWith(".ts")) {
  nodeModule.registerHooks({
    resolve: (specifier, context, next) => next(specifier.replace(/^(\..*)\.js$/, "$1.ts"), context),
  });
}
const { unpackFile } = await import("./file.js");
const { refusalOf } = await import("../refusal.js");
const { GivenUp } = await import("./growing-file.js");

parentPort?.on("message", async (request: UnpackRequest) => {
  parentPort?.postMessage(await answer(request));
});

async function answer(request: UnpackRequest): Promise<UnpackAnswer> {
  try {
    return { type: "unpacked", unpacked: await unpackFile(request) };
  } catch (error) {
    if (error instanceof GivenUp) return { type: "given-up" };
    return { type: "refused", ...refusalOf(error, request.artifact) };
  }
}

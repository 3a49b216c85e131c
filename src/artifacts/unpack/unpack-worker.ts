// The thread that artifacts are unpacked in: takes one request, blocks on the disk and on the download, answers, takes
// the next. It must never reach the network, and never write but into the folder that it is given.
import { parentPort } from "node:worker_threads";
import { refusalOf } from "../refusal.js";
import { GivenUp } from "./growing-file.js";
import { unpackFile } from "./unpack-file.js";
import type { UnpackAnswer, UnpackRequest } from "./unpack-request.js";

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

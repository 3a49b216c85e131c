// The thread that a large client token file is taken apart in: it is given the bytes, checks them, and hands the tokens
// over in parts that the other side takes without a pause. It must never read a file itself.
import { parentPort, workerData } from "node:worker_threads";
import { parseTokenDocument, TokenDocumentError } from "./token-document.js";
import { decoded, type ReadingAnswer } from "./token-reading.js";

/** Tokens in one answer: taken in about 1 ms. */
const partSize = 250;

const say = (answer: ReadingAnswer) => parentPort?.postMessage(answer);
try {
  const tokens = await parseTokenDocument(decoded(workerData as Uint8Array));
  const entries = [...tokens].map(([id, token]) => [id, token.reveal()] as const);
  let at = 0;
  const next = () => {
    const part = entries.slice(at, at + partSize);
    at += partSize;
    say({ type: "tokens", entries: part, isLast: at >= entries.length });
  };
  parentPort?.on("message", next);
  next();
} catch (error) {
  if (!(error instanceof TokenDocumentError)) throw error;
  say({ type: "refused", message: error.message });
}

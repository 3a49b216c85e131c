// Takes a client token file apart without delaying jobs: a large one in a thread of its own, from
// which the tokens come in small parts.
import { Worker } from "node:worker_threads";
import type { ClientId, ClientToken } from "../job/job.js";
import { Secret } from "../job/secret.js";
import { threadFile } from "../std/thread-file.js";
import { parseTokenDocument, TokenDocumentError, type TokenMap } from "./token-document.js";

/** About 100 clients, which take a few ms even as the least plain YAML. A thread costs about as much. */
const inPlaceMaxBytes = 8 * 1024;
/** What a file of the largest size needs as YAML; as JSON or plain lines it needs a tenth. */
const threadMaxMb = 768;

/** What the thread says: some of the tokens, or why there are none. */
export type ReadingAnswer =
  | {
      readonly type: "tokens";
      readonly entries: readonly (readonly [ClientId, ClientToken])[];
      readonly isLast: boolean;
    }
  | { readonly type: "refused"; readonly message: string };

/** The tokens by client id, in lower case. Throws TokenDocumentError. */
export async function readTokens(bytes: Uint8Array): Promise<TokenMap> {
  if (bytes.length <= inPlaceMaxBytes) return parseTokenDocument(decoded(bytes));
  const worker = startReadingWorker(bytes);
  try {
    return await tokensFrom(worker);
  } catch (error) {
    // No thread can be had, as where the working directory was deleted: a pause is better than no tokens.
    if (!(error instanceof ThreadDied)) throw error;
    return parseTokenDocument(decoded(bytes));
  } finally {
    void worker.terminate();
  }
}

/** The thread ended by itself, but not for want of memory. */
class ThreadDied extends Error {}

/** Throws TokenDocumentError when it is not UTF-8. */
export function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TokenDocumentError("it is not UTF-8 text");
  }
}

function tokensFrom(worker: Worker): Promise<TokenMap> {
  const tokens = new Map<ClientId, Secret<ClientToken>>();
  return new Promise((resolve, reject) => {
    worker.on("message", (answer: ReadingAnswer) => {
      if (answer.type === "refused") return reject(new TokenDocumentError(answer.message));
      for (const [id, token] of answer.entries) tokens.set(id, new Secret(token));
      // Asked for one by one: what comes at once is handed over in one turn.
      if (answer.isLast) resolve(tokens);
      else worker.postMessage("more");
    });
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => {
      const isTooMuch = (cause as { readonly code?: unknown } | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY";
      const plainly = "reading it takes too much memory; write it as JSON, or one `id: token` a line";
      reject(isTooMuch ? new TokenDocumentError(plainly) : new ThreadDied());
    });
  });
}

function startReadingWorker(bytes: Uint8Array): Worker {
  const { file, execArgv } = threadFile("token-worker", import.meta.url);
  return new Worker(file, {
    name: "tokens",
    workerData: bytes,
    // Nothing of ours: neither the flags of a profiler nor the secrets in the environment.
    env: {},
    execArgv,
    resourceLimits: { maxOldGenerationSizeMb: threadMaxMb },
  });
}

// The far side of the thread that a partner's token module runs in: loads the module, calls its `resolve` for the
// clients that the daemon asks for, and sends back the answer. It never sees a job, and knows no secret of the
// daemon's.
import { stat } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { describeError } from "../std/errors.js";
import type { FromTokenThread, TokenThreadData, ToTokenThread } from "./module-store.js";

type Resolve = (clientId: string, options: { readonly signal: AbortSignal }) => unknown;

const say = (message: FromTokenThread) => parentPort?.postMessage(message);
const running = new Map<number, AbortController>();

const { path } = workerData as TokenThreadData;
const loaded = await load();
if (typeof loaded === "string") say({ type: "unloadable", message: loaded });
else {
  parentPort?.on("message", (message: ToTokenThread) => {
    if (message.type === "find") void find(loaded, message);
    else running.get(message.id)?.abort(new Error(message.reason));
  });
  say({ type: "loaded" });
}

/** The exported function, or what is wrong with the module and what to do. */
async function load(): Promise<Resolve | string> {
  try {
    if (!(await stat(path)).isFile())
      return `${path} is not a file; name the module's file itself in clientTokens.path`;
  } catch (error) {
    return `cannot read the module ${path} (${describeError(error)}); correct clientTokens.path`;
  }
  try {
    const exported: Record<string, unknown> = await import(pathToFileURL(path).href);
    const byDefault = exported["default"];
    // A CommonJS module shows its exports as the members of its default.
    const inner = typeof byDefault === "object" && byDefault !== null && "resolve" in byDefault && byDefault.resolve;
    const found = [exported["resolve"], inner].find((each) => typeof each === "function");
    if (found) return found as Resolve;
    const names = Object.keys(exported).join(", ") || "nothing";
    return `the module ${path} exports no function called resolve (it exports ${names}); write \`export async function resolve(clientId, { signal }) { … }\``;
  } catch (error) {
    return `the module ${path} cannot be imported: ${describeError(error)}; fix the module`;
  }
}

async function find(resolve: Resolve, { id, clientId }: ToTokenThread & { type: "find" }): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  try {
    const value = await resolve(clientId, { signal: abort.signal });
    // Only what is plain goes to the other side; what it is not is said there.
    const isPlain = typeof value === "string" || value === undefined;
    say(
      isPlain
        ? { type: "found", id, token: value }
        : { type: "wrong", id, what: value === null ? "null" : typeof value },
    );
  } catch (error) {
    say({ type: "threw", id, message: describeError(error) });
  } finally {
    running.delete(id);
  }
}

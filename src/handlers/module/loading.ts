// Finds the handler function in a partner's ES module. Everything that can be wrong with the file is said in one
// sentence with its remedy; what the module does when it is imported is its own business, except never to finish.

import { stat } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { isMainThread } from "node:worker_threads";
import { messageOf } from "../../job/failure.js";
import { cut } from "../../job/limits.js";
import type { Clock } from "../../std/clock.js";
import { valueWithin } from "../../std/ends-within.js";
import { codeOf } from "../../std/errors.js";
import type { HandlerJob } from "../handler.js";
import { Unbuildable } from "../unbuildable.js";

/** A module that awaits the world at its top level must not keep the daemon from starting forever. */
const importMaxMs = 30_000;
const reasonMaxChars = 600;

/** The function that the module exports as `handler`, or else as its default. Throws Unbuildable. */
export async function loadHandlerFunction(path: string, clock: Clock): Promise<(job: HandlerJob) => unknown> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new Unbuildable(`cannot read the module ${path} (${messageOf(error)}); correct \`path\``);
  });
  if (!stats.isFile()) throw new Unbuildable(`${path} is not a file; name the module's file itself in \`path\``);
  const exported = await importWithin(path, clock);
  const handler = handlerIn(exported);
  if (!handler) {
    const names = Object.keys(exported).join(", ") || "nothing";
    throw new Unbuildable(
      `the module ${path} exports no handler function (it exports ${cut(names, reasonMaxChars)}); write \`export async function handler(job) { … }\` or export the function as default`,
    );
  }
  return handler;
}

async function importWithin(path: string, clock: Clock): Promise<Record<string, unknown>> {
  const imported: Promise<Record<string, unknown>> = import(pathToFileURL(path).href);
  try {
    const exported = await valueWithin(imported, undefined, { ms: importMaxMs, clock });
    if (exported) return exported;
  } catch (error) {
    throw new Unbuildable(
      `the module ${path} cannot be imported: ${cut(messageOf(error), reasonMaxChars)}; ${remedyOf(error, path)}`,
    );
  }
  throw new Unbuildable(
    `the module ${path} did not finish importing within ${importMaxMs / 1_000} s; move the awaits at its top level into the handler`,
  );
}

/** What Node throws at code that is not made for threads: native addons, and calls that change the whole process. */
const needsMainThread: ReadonlySet<unknown> = new Set(["ERR_DLOPEN_FAILED", "ERR_WORKER_UNSUPPORTED_OPERATION"]);

/** What Node throws at TypeScript that it does not run: an older one anywhere, a newer one below node_modules. */
const runsNoTypeScript: ReadonlySet<unknown> = new Set([
  "ERR_UNKNOWN_FILE_EXTENSION",
  "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING",
]);

function remedyOf(error: unknown, path: string): string {
  // A caught syntax error does not say where it is; only the terminal shows that.
  if (error instanceof SyntaxError) return `\`node ${path}\` shows the place`;
  if (!isMainThread && needsMainThread.has(codeOf(error))) {
    return "it may not be made for worker threads: set `isolation: none` for this handler";
  }
  if (/\.[mc]?ts$/.test(path) && runsNoTypeScript.has(codeOf(error))) {
    return "Node 24 runs TypeScript, but not below node_modules: copy the module elsewhere, or compile it";
  }
  return "fix the module";
}

function handlerIn(exported: Record<string, unknown>): ((job: HandlerJob) => unknown) | undefined {
  const byDefault = exported["default"];
  // A CommonJS module shows its exports as the members of its default.
  const inner = typeof byDefault === "object" && byDefault !== null && "handler" in byDefault && byDefault.handler;
  const found = [exported["handler"], byDefault, inner].find((each) => typeof each === "function");
  return found as ((job: HandlerJob) => unknown) | undefined;
}

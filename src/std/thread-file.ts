// Where the first file of a thread lies, and the flags that Node needs to run it. Run from the sources (tests do), Node
// strips the types but finds no `.js` files: there they still end in `.ts`.

import { fileURLToPath } from "node:url";

/** What a thread is started with. */
export interface ThreadFile {
  readonly file: URL;
  readonly execArgv: string[];
}

/** The file of this name beside the one that starts the thread, which gives its `import.meta.url`. */
export function threadFile(name: string, startedFrom: string): ThreadFile {
  const isSource = startedFrom.endsWith(".ts");
  const file = new URL(`./${name}.${isSource ? "ts" : "js"}`, startedFrom);
  if (!isSource) return { file, execArgv: [] };
  const stripsTypes = process.features.typescript === false ? ["--experimental-strip-types"] : [];
  return { file, execArgv: [...stripsTypes, "--import", sourceHook] };
}

/** Kept code: to load the compiler that strips the types is three quarters of a thread's start. */
const cache = fileURLToPath(new URL("../../.compile-cache", import.meta.url));
const ourFiles = new URL("../", import.meta.url).href;
/** Of our own files alone: a partner's module means what it says. */
const hook = `import m from "node:module";
m.enableCompileCache(${JSON.stringify(cache)});
m.registerHooks({
  resolve: (s, c, n) => n(c.parentURL?.startsWith(${JSON.stringify(ourFiles)}) ? s.replace(/^(\\..*)\\.js$/, "$1.ts") : s, c),
});`;
const sourceHook = `data:text/javascript,${encodeURIComponent(hook)}`;

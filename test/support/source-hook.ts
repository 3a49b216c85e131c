// Lets plain Node run the sources in a child process: their imports end in `.js`, their files in `.ts`. What was compiled
// once is kept: to load the compiler that strips the types is half of such a child's start.
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../.compile-cache", import.meta.url));
const hook = `import m from "node:module";
m.enableCompileCache(${JSON.stringify(cache)});
m.registerHooks({
  resolve: (s, c, n) => n(c.parentURL?.includes("/node_modules/") ? s : s.replace(/^(\\..*)\\.js$/, "$1.ts"), c),
});`;

/** The value of Node's flag `--import`. Needs Node 22.15 or newer. */
export const sourceHook = `data:text/javascript,${encodeURIComponent(hook)}`;

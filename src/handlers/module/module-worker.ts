// The thread that one module handler runs in: its first file, which only makes the sources loadable and starts the rest.
import nodeModule from "node:module";

// Run from the sources (tests do), Node strips the types but finds no `.js` files: there they still end in `.ts`.
// The partner's own modules are left alone.
if (import.meta.url.endsWith(".ts")) {
  const sources = new URL("../../", import.meta.url).href;
  nodeModule.registerHooks({
    resolve: (specifier, context, next) =>
      next(context.parentURL?.startsWith(sources) ? specifier.replace(/^(\..*)\.js$/, "$1.ts") : specifier, context),
  });
}
const { startThread } = await import("./thread-side.js");
await startThread();

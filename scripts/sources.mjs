// Lets a script that Node runs without a compiler import modules of src, whose imports of each other end in .js. Import it
// first, and the modules then by `await import(…)`.
import { registerHooks } from "node:module";

const src = new URL("../src/", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    next(context.parentURL?.startsWith(src) ? specifier.replace(/^(\..*)\.js$/, "$1.ts") : specifier, context),
});

// Preloaded into every thread that a handler's own code starts: whatever is printed there goes to the streams of that
// thread, which end in the output of the handler's thread, and never to the daemon's descriptors.
import nodeModule from "node:module";

// As in worker.ts: run from the sources, `.js` is `.ts` there.
if (import.meta.url.endsWith(".ts")) {
  const sources = new URL("../../", import.meta.url).href;
  nodeModule.registerHooks({
    resolve: (specifier, context, next) =>
      next(context.parentURL?.startsWith(sources) ? specifier.replace(/^(\..*)\.js$/, "$1.ts") : specifier, context),
  });
}
// Not by `await`: the code of a thread that is given as text does not wait for that.
const require = nodeModule.createRequire(import.meta.url);
const { redirectOutput } = require("./thread-process.js") as typeof import("./thread-process.js");
const write = {
  stdout: process.stdout.write.bind(process.stdout),
  stderr: process.stderr.write.bind(process.stderr),
};
redirectOutput(
  (stream, text) => write[stream](text),
  () => {},
);

// Lets plain Node run the sources in a child process: their imports end in `.js`, their files in `.ts`.

/** The value of Node's flag `--import`. Needs Node 22.15 or newer. */
export const sourceHook =
  'data:text/javascript,import m from "node:module";' +
  "m.registerHooks({resolve:(s,c,n)=>" +
  'n(c.parentURL?.includes("/node_modules/")?s:s.replace(/^(\\..*)\\.js$/,"$1.ts"),c)})';

// Node's own HTTP, for servers and probes. An `import` of node:http reads every name it exports, `WebSocket` among them,
// which loads all of fetch: 23 ms of CPU and 13 MB, measured. Types may be imported from there: they load nothing.
export const { createServer, request, validateHeaderValue } = process.getBuiltinModule("node:http");

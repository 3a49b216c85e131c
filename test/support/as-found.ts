// Files share a process with those that ran before them in it, which spares each the start of one and the loading of what
// all of them load. So each leaves it as it found it: what it does not put back fails it here, and not somebody else.
import { afterAll, expect } from "vitest";

const asFound = state();
afterAll(() => expect(state()).toEqual(asFound));

function state() {
  const { VITEST_POOL_ID: _, VITEST_WORKER_ID: __, ...environment } = process.env;
  return {
    environment,
    folder: process.cwd(),
    umask: process.umask(),
    clocks: [Date, setTimeout, setInterval, setImmediate, performance.now],
    handlers: (["uncaughtException", "unhandledRejection", "SIGTERM", "SIGINT", "SIGHUP"] as const).map((event) =>
      process.listenerCount(event),
    ),
  };
}

// A log that logs nothing, for tests that are about something else.
import type { RootLog } from "../../src/std/log.js";

export const noLog: RootLog = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  at: () => {},
  with: () => noLog,
  setLevel: () => {},
  listen: () => () => {},
};

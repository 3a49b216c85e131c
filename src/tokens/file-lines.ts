// The log lines of a client token file: what was read, what was refused, what is gone.
import type { Log } from "../std/log.js";
import type { TokenFileEvent } from "./token-file.js";

/** Writes the line of one event. */
export function tokenFileLine(log: Log, event: TokenFileEvent): void {
  switch (event.type) {
    case "reloaded":
      return log.info({ clients: event.clients }, "client token file read again");
    case "broken":
      return log.error({}, `client token file refused, the earlier tokens stay in force: ${event.message}`);
    case "vanished":
      return log.error({}, "client token file is gone, the earlier tokens stay in force: put it back");
    case "back":
      return log.info({}, "client token file is back");
    case "readable-by-all":
      return log.warn({ mode: event.mode }, "client token file can be read by every user: chmod 600");
  }
}

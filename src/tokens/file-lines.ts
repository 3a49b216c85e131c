// The log lines of a client token file: what was read, what was rejected, what is gone.
import type { Log } from "../std/log.js";
import type { TokenFileEvent } from "./token-file.js";

/** Writes the line of one event. */
export function tokenFileLine(log: Log, event: TokenFileEvent): void {
  switch (event.type) {
    case "reloaded":
      return log.info("client-tokens-reloaded", { clients: event.clients }, "client token file reloaded");
    case "broken":
      return log.error(
        "client-tokens-rejected",
        {},
        `client token file rejected; keeping the current tokens: ${event.message}`,
      );
    case "vanished":
      return log.error(
        "client-tokens-missing",
        {},
        "client token file is gone; keeping the current tokens: restore the file",
      );
    case "back":
      return log.info("client-tokens-restored", {}, "client token file is back");
    case "readable-by-all":
      return log.warn(
        "client-tokens-readable",
        { mode: event.mode },
        "every user can read the client token file: chmod 600",
      );
  }
}

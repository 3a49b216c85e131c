// The log lines of a token store outside of this process: it does not answer, it answers again, one answer is unusable.
import type { Log } from "../std/log.js";
import { formatDuration } from "../std/units.js";
import type { TokenStoreEvent } from "./token-store.js";

/** Writes the line of one event; `name` is the store's. */
export function tokenStoreLine(log: Log, name: string, event: TokenStoreEvent): void {
  switch (event.type) {
    case "away":
      return log.error(
        "client-tokens-unavailable",
        {},
        `${name} ${event.message}; known clients continue with their cached tokens, and jobs of other clients wait; retrying`,
      );
    case "back": {
      const awayMs = Math.round(event.awayMs);
      const after = formatDuration(Math.round(awayMs / 1_000) * 1_000);
      return log.info("client-tokens-available", { awayMs }, `${name} answers again, after ${after}`);
    }
    case "unusable":
      return log.warn(
        "client-token-unusable",
        { clientId: event.clientId },
        `${name} ${event.message}; jobs of this client use its cached token, or wait if there is none; correct the client's entry`,
      );
  }
}

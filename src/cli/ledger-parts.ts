// What a command needs to open the configured ledger by itself: a log that says warnings to people, and a clock.
import type { Config } from "../config/config.js";
import type { Io } from "./io.js";

/** The options of whoever opens the ledger without a daemon. */
export async function ledgerParts(config: Config, io: Io) {
  const [{ createLog }, { Masker }, { systemClock }] = await Promise.all([
    import("../std/log.js"),
    import("../std/masking.js"),
    import("../std/clock.js"),
  ]);
  const masker = new Masker();
  const log = createLog({ level: "warn", format: "pretty", masker, destination: { write: io.err } });
  return { config, log, masker, clock: systemClock, environment: io.environment };
}

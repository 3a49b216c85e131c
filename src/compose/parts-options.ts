// What the parts of a daemon are built from, and who hears what they do.
import type { ApiCall, GivenCredentials } from "../codepipeline/client.js";
import type { Config } from "../config/config.js";
import type { Handler } from "../handlers/handler.js";
import type { Ledger, LedgerCommit } from "../ledger/ledger.js";
import type { Clock } from "../std/clock.js";
import type { RootLog } from "../std/log.js";
import type { Masker } from "../std/masking.js";
import type { TokenLookup } from "../tokens/masked-tokens.js";

/** What parts are built from. */
export interface PartsOptions {
  readonly config: Config;
  readonly log: RootLog;
  readonly masker: Masker;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The code of handlers that a program gives as functions, by name; the configuration has them as modules. */
  readonly functions?: Readonly<Record<string, Handler>>;
  /** For CodePipeline; absent: the AWS SDK's default credential chain finds some. */
  readonly credentials?: GivenCredentials;
  /** Called with the ledger as soon as it is open, long before there may be a daemon. */
  readonly onLedger?: (ledger: Ledger) => void;
}

/** Called for what parts do without an event: for metrics. None may throw. */
export interface PartReaders {
  readonly onCall?: (call: ApiCall) => void;
  readonly onLookup?: (lookup: TokenLookup) => void;
  readonly onCommit?: (commit: LedgerCommit) => void;
}

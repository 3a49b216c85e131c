// The contract of client token sources: from a client id to the token that proves us for that customer.
// A source never logs a token and never guesses: it knows the client, does not know it, or cannot say now.
import type { ClientId, ClientToken } from "../job/job.js";
import type { Secret } from "../job/secret.js";

export interface ClientTokens {
  /** So many clients it keeps tokens of. Absent: of all that it knows. */
  readonly maxClients?: number;
  /** The client's token. Throws TokenError. */
  resolve(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>>;
  /** CodePipeline refused the token last given for this client: look it up again next time. */
  forget(clientId: ClientId): void;
  /**
   * Takes over tokens that another source gave, before the first look-up: a source that may be away has them to continue
   * with. Absent: it needs none.
   */
  adopt?(known: Iterable<readonly [ClientId, Secret<ClientToken>]>): void;
  /** Ends watching and connections. Idempotent. */
  close(): Promise<void>;
}

/** `unknown-client`: the source answered and has no token for it. `source-unavailable`: it could not answer. */
export class TokenError extends Error {
  readonly code: "unknown-client" | "source-unavailable";

  constructor(code: TokenError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TokenError";
    this.code = code;
  }
}

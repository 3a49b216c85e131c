// A place outside of this process that knows client tokens: what http, command, module, secrets-manager and dynamodb
// have in common. A store answers one question and remembers nothing; cached-tokens.ts is in front of all of them.
import type { ClientId, ClientToken } from "../job/job.js";

/** Stands in a URL or in a secret's name where the client id belongs. */
export const clientIdMark = "{clientId}";

export interface TokenStore {
  /** For messages, such as `the token service http://127.0.0.1:9000/tokens/{clientId}`. Holds no secret. */
  readonly name: string;
  /**
   * What the store has for this client, not checked yet; `undefined`: it answered, and does not know the client. The id
   * is a UUID in lower case. Throws TokenStoreFault; whatever else it throws counts as `away`. Ends soon after the
   * signal.
   */
  find(clientId: ClientId, signal: AbortSignal): Promise<unknown>;
  /** Ends connections, processes and threads. Idempotent. */
  close(): Promise<void>;
}

/**
 * A store that said neither a token nor "unknown client". `away`: it may be so for every client. `unusable`: it
 * answered, but this answer, for this client, cannot be used. The message is the end of a sentence and holds no answer.
 */
export class TokenStoreFault extends Error {
  readonly kind: "away" | "unusable";

  constructor(kind: TokenStoreFault["kind"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TokenStoreFault";
    this.kind = kind;
  }
}

/** What became of a store. No event holds a token. */
export type TokenStoreEvent =
  /** It does not answer; known clients are worked with their cached tokens. Once for each outage. */
  | { readonly type: "away"; readonly message: string }
  /** It answers again. */
  | { readonly type: "back"; readonly awayMs: number }
  /** Its answer for one client cannot be used. */
  | { readonly type: "unusable"; readonly clientId: ClientId; readonly message: string };

/** The member `token` of a JSON object. Throws TokenStoreFault, which quotes nothing of it: JSON.parse would. */
export function tokenOfJson(text: string, what: string): ClientToken {
  const wanted = `is not a JSON object with a text "token"`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TokenStoreFault("unusable", `gave no token: ${what} ${wanted}`);
  }
  const isObject =
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, "token");
  const token = isObject ? (value as { readonly token: unknown }).token : undefined;
  if (typeof token !== "string") throw new TokenStoreFault("unusable", `gave no token: ${what} ${wanted}`);
  return token as ClientToken;
}

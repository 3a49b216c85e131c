// Client tokens that stand in the configuration itself. For trying out and for a handful of customers.
import type { ClientId, ClientToken } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import { type ClientTokens, TokenError } from "./tokens.js";

/** Knows the tokens it was built with and never any other. */
export class StaticClientTokens implements ClientTokens {
  readonly #tokens: ReadonlyMap<string, Secret<ClientToken>>;

  constructor(options: { readonly tokens: Readonly<Record<ClientId, Secret<ClientToken>>> }) {
    this.#tokens = new Map(Object.entries(options.tokens).map(([id, token]) => [id.toLowerCase(), token]));
  }

  async resolve(clientId: ClientId): Promise<Secret<ClientToken>> {
    const token = this.#tokens.get(clientId.toLowerCase());
    if (token === undefined) {
      throw new TokenError("unknown-client", `no client token is configured for the client ${clientId}`);
    }
    return token;
  }

  /** Nothing to look up again: only a new configuration brings a new token. */
  forget(): void {}

  async close(): Promise<void> {}
}

// Any token source, with every token that it gives masked in logs from then on. Holds one token a client: when the
// source gives a new one, the old one is let go.
import type { ClientId, ClientToken } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import type { ClientTokens } from "./tokens.js";

export interface MaskedTokensOptions {
  readonly source: ClientTokens;
  /** Masks these values until the returned function is called. */
  readonly keepSecrets: (values: readonly string[]) => () => void;
}

/** ClientTokens that tells the log's masker of each token. */
export class MaskedTokens implements ClientTokens {
  readonly #source: ClientTokens;
  readonly #keepSecrets: (values: readonly string[]) => () => void;
  readonly #kept = new Map<ClientId, { readonly token: Secret<ClientToken>; readonly release: () => void }>();

  constructor(options: MaskedTokensOptions) {
    this.#source = options.source;
    this.#keepSecrets = options.keepSecrets;
  }

  async resolve(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    const token = await this.#source.resolve(clientId, signal);
    const known = this.#kept.get(clientId);
    if (known?.token === token || known?.token.reveal() === token.reveal()) return token;
    this.#kept.set(clientId, { token, release: this.#keepSecrets([token.reveal()]) });
    known?.release();
    return token;
  }

  forget(clientId: ClientId): void {
    this.#source.forget(clientId);
  }

  async close(): Promise<void> {
    for (const { release } of this.#kept.values()) release();
    this.#kept.clear();
    await this.#source.close();
  }
}

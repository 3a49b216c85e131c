// Any token source, with every token that it gives masked in logs from then on. Holds one token a client, of as many
// clients as the source keeps: when it gives a new one, the old one is no longer masked.
import type { ClientId, ClientToken } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import { type ClientTokens, TokenError } from "./tokens.js";

export interface MaskedTokensOptions {
  readonly source: ClientTokens;
  /** Masks these values until the returned function is called. */
  readonly keepSecrets: (values: readonly string[]) => () => void;
  /** Called for every look-up; must not throw. */
  readonly onLookup?: (lookup: TokenLookup) => void;
}

/** One look-up as it ended: what is counted of it. */
export interface TokenLookup {
  readonly end: "found" | TokenError["code"] | "failed";
  readonly durationMs: number;
}

/** ClientTokens that have the log's masker mask each token. */
export class MaskedTokens implements ClientTokens {
  #source: ClientTokens;
  readonly #keepSecrets: (values: readonly string[]) => () => void;
  readonly #onLookup: (lookup: TokenLookup) => void;
  /** The one that was asked for last is last. */
  readonly #kept = new Map<ClientId, { readonly token: Secret<ClientToken>; readonly release: () => void }>();

  constructor(options: MaskedTokensOptions) {
    this.#source = options.source;
    this.#keepSecrets = options.keepSecrets;
    this.#onLookup = options.onLookup ?? (() => {});
  }

  async resolve(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    const token = await this.#lookedUp(clientId, signal);
    const known = this.#kept.get(clientId);
    const isSame = known?.token === token || known?.token.reveal() === token.reveal();
    this.#kept.delete(clientId);
    this.#kept.set(clientId, isSame && known ? known : { token, release: this.#keepSecrets([token.reveal()]) });
    if (!isSame) known?.release();
    this.#trim();
    return token;
  }

  #trim(): void {
    const { maxClients = Number.POSITIVE_INFINITY } = this.#source;
    // To begin with the first entry is slow where those before it are gone.
    if (this.#kept.size <= maxClients) return;
    for (const [clientId, { release }] of this.#kept) {
      this.#kept.delete(clientId);
      release();
      if (this.#kept.size <= maxClients) return;
    }
  }

  async #lookedUp(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    const startedMs = performance.now();
    const tell = (end: TokenLookup["end"]) => this.#onLookup({ end, durationMs: performance.now() - startedMs });
    try {
      const token = await this.#source.resolve(clientId, signal);
      tell("found");
      return token;
    } catch (error) {
      tell(error instanceof TokenError ? error.code : "failed");
      throw error;
    }
  }

  forget(clientId: ClientId): void {
    this.#source.forget(clientId);
  }

  /**
   * Looks tokens up in another source from now on and closes the one before; tokens already given stay masked, but for
   * those too many.
   */
  async replace(source: ClientTokens): Promise<void> {
    const old = this.#source;
    this.#source = source;
    this.#trim();
    source.adopt?.([...this.#kept].map(([clientId, { token }]) => [clientId, token]));
    await old.close();
  }

  async close(): Promise<void> {
    for (const { release } of this.#kept.values()) release();
    this.#kept.clear();
    await this.#source.close();
  }
}

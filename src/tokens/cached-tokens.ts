// Client tokens of a store outside of this process, by way of a cache: known clients continue with the tokens that they
// have while the store is away, unknown clients are distinguished from those that could not be looked up, and no store
// is asked in a hot loop. It never guesses: a token that CodePipeline refused is not used again before the store has
// confirmed it.
import type { ClientId, ClientToken } from "../job/job.js";
import { Secret } from "../job/secret.js";
import type { Clock } from "../std/clock.js";
import { endOrAbort } from "../std/end-or-abort.js";
import { endsWithin } from "../std/ends-within.js";
import { describeError, maskError } from "../std/errors.js";
import { jitteredMs } from "../std/retry.js";
import { type Lookup, type LookupEnd, Lookups } from "./lookups.js";
import { RecentMap } from "./recent-map.js";
import { StoreHealth, storeRetry } from "./store-health.js";
import { type TokenStore, type TokenStoreEvent, TokenStoreFault } from "./token-store.js";
import { isClientId, tokenMistake } from "./token-value.js";
import { type ClientTokens, TokenError } from "./tokens.js";

export interface CachedTokensOptions {
  readonly store: TokenStore;
  /** A token that is older is looked up again before it is given; it stays good while the store is away. */
  readonly maxAgeMs: number;
  /**
   * How long "unknown client" is believed while the store cannot be asked. While it can, the client is looked up again
   * after a quarter of this.
   */
  readonly unknownMaxAgeMs: number;
  /** Known clients, and as many unknown ones; beyond them those that were not asked for longest are forgotten. */
  readonly maxEntries: number;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Takes secrets out of what a store says of its faults. */
  readonly mask: (text: string) => string;
  /** What it throws is its own affair. */
  readonly onEvent: (event: TokenStoreEvent) => void;
}

/** So long a job of a client whose token is too old waits for a newer one. */
const refreshWaitMs = 1_000;
/** So much of `unknownMaxAge` passes before an unknown client is looked up again: with its default, 2.5 s. */
const againPart = 0.25;
const messageMaxLength = 300;

interface Known {
  readonly token: Secret<ClientToken>;
  /** When the look-up began that brought it, of the monotonic clock. */
  readonly atMs: number;
  /** CodePipeline refused it, and the store was not asked since. */
  readonly isRefused: boolean;
  /** When CodePipeline refused it last. */
  readonly refusedAtMs?: number | undefined;
}

/** A client whose look-ups fail. */
interface Trouble {
  readonly failures: number;
  readonly notBeforeMs: number;
  readonly message: string;
}

export class CachedTokens implements ClientTokens {
  readonly #options: CachedTokensOptions;
  readonly #known: RecentMap<ClientId, Known>;
  /** When the store said so. */
  readonly #unknown: RecentMap<ClientId, number>;
  readonly #troubles: RecentMap<ClientId, Trouble>;
  readonly #health: StoreHealth;
  readonly #lookups: Lookups;
  readonly #random: () => number;

  constructor(options: CachedTokensOptions) {
    const { store, clock, maxEntries, onEvent, random = Math.random } = options;
    this.#options = options;
    this.#random = random;
    this.#known = new RecentMap(maxEntries);
    this.#unknown = new RecentMap(maxEntries);
    this.#troubles = new RecentMap(maxEntries);
    this.#health = new StoreHealth({ clock, random, onEvent });
    this.#lookups = new Lookups({
      store,
      clock,
      isDue: (clientId) => this.#health.isDue(clientId),
      onEnd: (clientId, end, lookup) => this.#ended(clientId, end, lookup),
    });
  }

  get maxClients(): number {
    return this.#options.maxEntries;
  }

  /** From the cache while that may be believed; else from the store, and from the cache again while that is away. */
  async resolve(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    const id = clientId.toLowerCase() as ClientId;
    // Anything else could mean something in a URL or a command line.
    if (!isClientId(id)) throw new TokenError("unknown-client", "it is no client id (a UUID), so nobody was asked");
    if (signal.aborted || this.#isFresh(id)) return this.#given(id);
    const { clock } = this.#options;
    const wasAway = this.#health.isAway;
    const looking = this.#look(id);
    if (looking === undefined) return this.#given(id);
    if (!this.#isUsable(id)) await endOrAbort(looking, signal);
    else if (!wasAway) await endsWithin(looking, refreshWaitMs, clock, signal);
    return this.#given(id);
  }

  /** The next look-up begins after now; while the store is away the token is not given again. */
  forget(clientId: ClientId): void {
    const id = clientId.toLowerCase() as ClientId;
    const known = this.#known.get(id);
    const nowMs = this.#options.clock.monotonic();
    if (!known) return;
    // The store gave the refused token again a moment ago: it need not be asked for each attempt.
    if (known.refusedAtMs !== undefined && nowMs - known.atMs < this.#againMs) return;
    this.#known.set(id, { ...known, isRefused: true, refusedAtMs: nowMs });
    const running = this.#lookups.get(id);
    if (running) running.isOld = true;
  }

  /** They are too old: each is looked up before it is given, and given all the same while the store is away. */
  adopt(known: Iterable<readonly [ClientId, Secret<ClientToken>]>): void {
    for (const [clientId, token] of known) {
      const id = clientId.toLowerCase() as ClientId;
      this.#known.set(id, { token, atMs: Number.NEGATIVE_INFINITY, isRefused: false });
    }
  }

  async close(): Promise<void> {
    await this.#lookups.close();
    await this.#options.store.close();
    this.#known.clear();
  }

  get #againMs(): number {
    return this.#options.unknownMaxAgeMs * againPart;
  }

  #isFresh(id: ClientId): boolean {
    const { maxAgeMs, clock } = this.#options;
    const nowMs = clock.monotonic();
    const known = this.#known.get(id);
    if (known) {
      const isDoubted = known.refusedAtMs !== undefined && nowMs - known.refusedAtMs < maxAgeMs;
      return !known.isRefused && nowMs - known.atMs < (isDoubted ? Math.min(this.#againMs, maxAgeMs) : maxAgeMs);
    }
    const unknownAtMs = this.#unknown.get(id);
    return unknownAtMs !== undefined && nowMs - unknownAtMs < this.#againMs;
  }

  /** There is a token that may be given, however old it is. */
  #isUsable(id: ClientId): boolean {
    return this.#known.get(id)?.isRefused === false;
  }

  /** What the cache has to say now. Throws TokenError. */
  #given(id: ClientId): Secret<ClientToken> {
    const { store, unknownMaxAgeMs, clock } = this.#options;
    const known = this.#known.get(id);
    if (known && !known.isRefused) {
      this.#known.use(id);
      return known.token;
    }
    const unknownAtMs = this.#unknown.get(id);
    if (unknownAtMs !== undefined && clock.monotonic() - unknownAtMs < unknownMaxAgeMs) {
      throw new TokenError("unknown-client", `${store.name} has no token for the client ${id}`);
    }
    const reason = this.#troubles.get(id)?.message ?? (this.#health.message || "has not answered yet");
    throw new TokenError("source-unavailable", `no token for the client ${id}: ${store.name} ${reason}`);
  }

  /** A look-up that begins after the last refusal; `undefined` while none may be made. Never rejects. */
  #look(id: ClientId): Promise<void> | undefined {
    const running = this.#lookups.get(id);
    if (running) return running.isOld ? running.ended.then(() => this.#look(id)) : running.ended;
    if (this.#lookups.isClosed) return undefined;
    const trouble = this.#troubles.get(id);
    if (trouble && this.#options.clock.monotonic() < trouble.notBeforeMs) return undefined;
    return this.#health.mayAsk(id) ? this.#lookups.begin(id).ended : undefined;
  }

  #ended(id: ClientId, end: LookupEnd, { isOld }: Lookup): void {
    switch (end.type) {
      case "given-up":
        return this.#health.given(id);
      case "failed":
        return this.#failed(id, end.error);
      case "answered":
        this.#health.answered();
        return this.#answered(id, end, isOld);
    }
  }

  #answered(id: ClientId, { found, startedMs }: LookupEnd & { type: "answered" }, isOld: boolean): void {
    if (found === undefined) {
      this.#troubles.delete(id);
      this.#known.delete(id);
      this.#unknown.set(id, this.#options.clock.monotonic());
      return;
    }
    const mistake = tokenMistake(found);
    if (mistake !== undefined) return this.#failed(id, new TokenStoreFault("unusable", `gave a token that ${mistake}`));
    this.#troubles.delete(id);
    this.#unknown.delete(id);
    const before = this.#known.get(id);
    const isSame = before?.token.reveal() === found;
    // What was asked before the refusal says nothing about the refused token.
    if (isSame && before?.isRefused && isOld) return;
    const token = isSame && before ? before.token : new Secret(found as ClientToken);
    this.#known.set(id, {
      token,
      atMs: startedMs,
      isRefused: false,
      refusedAtMs: isSame ? before?.refusedAtMs : undefined,
    });
  }

  #failed(id: ClientId, error: unknown): void {
    const { clock } = this.#options;
    const message = this.#messageOf(error);
    const failures = (this.#troubles.get(id)?.failures ?? 0) + 1;
    const notBeforeMs = clock.monotonic() + jitteredMs(storeRetry, failures, this.#random);
    this.#troubles.set(id, { failures, notBeforeMs, message });
    if (!(error instanceof TokenStoreFault) || error.kind === "away") return this.#health.failed(id, message);
    this.#health.answered();
    if (failures === 1) this.#tell({ type: "unusable", clientId: id, message });
  }

  #messageOf(error: unknown): string {
    const { mask } = this.#options;
    const isOurs = error instanceof TokenStoreFault;
    const text = mask(isOurs ? error.message : `failed: ${describeError(maskError(error, mask))}`);
    // One line: its author is not known.
    const line = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
    return line.length > messageMaxLength ? `${line.slice(0, messageMaxLength).toWellFormed()} …` : line;
  }

  #tell(event: TokenStoreEvent): void {
    try {
      this.#options.onEvent(event);
    } catch {
      // An observer's fault must not end the look-ups.
    }
  }
}

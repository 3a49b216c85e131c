// The look-ups in a token store that are under way: one at a time for each client, a few at a time altogether, each with
// a limit of time. Says how each ended; what that means is cached-tokens.ts's affair.
import type { ClientId } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { valueWithin } from "../std/ends-within.js";
import { following } from "../std/following.js";
import { type TokenStore, TokenStoreFault } from "./token-store.js";

/** A command is a process each, and a store that is small must not fall over when many clients come at once. */
const atOnceMax = 8;
/** For one answer; a job of a client whose token is not known waits for it in its slot. */
export const lookupTimeoutMs = 5_000;

/** How a look-up ended. `given-up`: it was not made, or its answer is no longer wanted. */
export type LookupEnd =
  | { readonly type: "answered"; readonly found: unknown; readonly startedMs: number }
  | { readonly type: "failed"; readonly error: unknown }
  | { readonly type: "given-up" };

export interface Lookup {
  /** CodePipeline refused the client's token after this began: its answer may be the refused one. */
  isOld: boolean;
  /** Resolves once its end was reported. Never rejects. */
  readonly ended: Promise<void>;
}

export interface LookupsOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  /** Asked when its turn has come: false gives it up. */
  readonly isDue: (clientId: ClientId) => boolean;
  readonly onEnd: (clientId: ClientId, end: LookupEnd, lookup: Lookup) => void;
}

export class Lookups {
  readonly #options: LookupsOptions;
  readonly #running = new Map<ClientId, Lookup>();
  readonly #closing = new AbortController();
  readonly #queue: (() => void)[] = [];
  #atOnce = 0;

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The one that is under way for this client. */
  get(clientId: ClientId): Lookup | undefined {
    return this.#running.get(clientId);
  }

  /** Begins one; there must be none for this client. */
  begin(clientId: ClientId): Lookup {
    const { promise, resolve } = Promise.withResolvers<void>();
    const lookup: Lookup = { isOld: false, ended: promise };
    this.#running.set(clientId, lookup);
    void this.#make(clientId).then((end) => {
      this.#running.delete(clientId);
      this.#options.onEnd(clientId, end, lookup);
      resolve();
    });
    return lookup;
  }

  /** Gives up whatever is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** Never rejects. */
  async #make(clientId: ClientId): Promise<LookupEnd> {
    if (this.#atOnce < atOnceMax) this.#atOnce += 1;
    else await new Promise<void>((begin) => this.#queue.push(begin));
    try {
      if (this.isClosed || !this.#options.isDue(clientId)) return { type: "given-up" };
      return await this.#ask(clientId);
    } finally {
      // The next one takes over this one's place.
      const next = this.#queue.shift();
      if (next) next();
      else this.#atOnce -= 1;
    }
  }

  async #ask(clientId: ClientId): Promise<LookupEnd> {
    const { store, clock } = this.#options;
    const { signal } = this.#closing;
    const limited = following(signal);
    const startedMs = clock.monotonic();
    try {
      const asking = (async () => ({ found: await store.find(clientId, limited.signal) }))();
      const answer = await valueWithin(asking, undefined, { ms: lookupTimeoutMs, clock, signal });
      if (answer) return { type: "answered", found: answer.found, startedMs };
      if (signal.aborted) return { type: "given-up" };
      throw new TokenStoreFault("away", `did not answer within ${lookupTimeoutMs / 1_000} s`);
    } catch (error) {
      return signal.aborted ? { type: "given-up" } : { type: "failed", error };
    } finally {
      limited.controller.abort(new Error("the look-up is over"));
      limited[Symbol.dispose]();
    }
  }
}

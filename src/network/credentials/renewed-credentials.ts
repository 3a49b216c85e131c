// Credentials that are kept and renewed: each search has a limit and ends with its owner, and one that fails costs nothing
// while those that there are stay good. It knows no way to find them.
import { codeOf } from "../../std/errors.js";
import { withSearch } from "./credential-process.js";
import { type CredentialWay, credentialsFaultOf, UnusableCredentials } from "./credentials-fault.js";

/** Credentials as the SDK has them. */
export interface FoundCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** What the SDK hands to a provider: the configuration of the client that asks. */
export type Asking = { readonly forceRefresh?: boolean; readonly callerClientConfig?: object } | undefined;

/** As the SDK calls it; `memoized` tells it to keep none itself. */
export type CredentialProvider = ((asking?: Asking) => Promise<FoundCredentials>) & { readonly memoized: true };

export interface RenewedOptions {
  readonly way: CredentialWay;
  /** Makes the provider; asked at the first search, and after each that failed. */
  readonly make: (asking: Asking) => Finder | Promise<Finder>;
  /** For one search. The call that waits has a shorter one of its own; what is found later is for the next. */
  readonly limitMs: number;
}

/** Finds credentials, however long that takes; tells by which way, where there are several. */
export type Finder = (asking: Asking, tell?: (way: CredentialWay) => void) => Promise<FoundCredentials>;

/** From so long before their end they are looked for anew, as AWS's SDKs do. */
const renewFromMs = 300_000;
/** Credentials that end so soon are of no use for a call. */
const spareMs = 10_000;
/** Between two searches that nobody waits for: every call asks, and whoever gives credentials may be down. */
const earlySpacingMs = 5_000;
/** Both stand in the headers of a request. */
const fitsHeader = /^[!-~]+$/;

export class RenewedCredentials {
  readonly #options: RenewedOptions;
  readonly #closing = new AbortController();
  #finder: Finder | undefined;
  #last: FoundCredentials | undefined;
  #way: CredentialWay;
  #search: Promise<FoundCredentials> | undefined;
  #earlyMs = Number.NEGATIVE_INFINITY;
  /** For the SDK. Rejects with CredentialsFault. */
  readonly provider: CredentialProvider;

  constructor(options: RenewedOptions) {
    this.#options = options;
    this.#way = options.way;
    this.provider = Object.assign((asking?: Asking) => this.#provide(asking), { memoized: true as const });
  }

  /** The way that was gone last. */
  get way(): CredentialWay {
    return this.#way;
  }

  /** They were refused: nothing that is known of them counts any more. */
  forget(): void {
    this.#finder = undefined;
    this.#last = undefined;
  }

  /** Ends the search that is under way, with the process that it may have started. */
  close(): void {
    this.#closing.abort();
  }

  async #provide(asking: Asking): Promise<FoundCredentials> {
    const last = this.#last;
    if (last && !asking?.forceRefresh) {
      const leftMs = last.expiration ? last.expiration.getTime() - Date.now() : Number.POSITIVE_INFINITY;
      if (leftMs > renewFromMs) return last;
      if (leftMs > spareMs) {
        // Whoever gives them may be slow or away: nobody waits for what is not needed yet.
        const nowMs = performance.now();
        if (nowMs - this.#earlyMs >= earlySpacingMs) {
          this.#earlyMs = nowMs;
          this.#found(asking).catch(() => {});
        }
        return last;
      }
    }
    return this.#found(asking);
  }

  /** One search at a time, however many calls wait for it. */
  #found(asking: Asking): Promise<FoundCredentials> {
    this.#search ??= this.#find(asking).finally(() => {
      this.#search = undefined;
    });
    return this.#search;
  }

  async #find(asking: Asking): Promise<FoundCredentials> {
    const { make, limitMs } = this.#options;
    const limit = new AbortController();
    const end = () => limit.abort(this.#closing.signal.aborted ? ended() : late(limitMs));
    const timer = setTimeout(end, limitMs);
    this.#closing.signal.addEventListener("abort", end, { once: true });
    if (this.#closing.signal.aborted) end();
    try {
      const found = await withSearch(limit.signal, async () => {
        this.#finder ??= await make(asking);
        return this.#finder(asking, (way) => {
          this.#way = way;
        });
      });
      this.#last = usable(found);
      return found;
    } catch (error) {
      this.#finder = undefined;
      throw credentialsFaultOf(error, this.#way);
    } finally {
      clearTimeout(timer);
      this.#closing.signal.removeEventListener("abort", end);
    }
  }
}

/** Throws UnusableCredentials. */
function usable(found: FoundCredentials): FoundCredentials {
  const { accessKeyId, secretAccessKey, sessionToken = "-", expiration } = found;
  if ([accessKeyId, secretAccessKey, sessionToken].some((part) => typeof part !== "string" || part === "")) {
    throw new UnusableCredentials("the access key id, secret key or session token is empty, or no text");
  }
  if (!fitsHeader.test(accessKeyId + sessionToken)) {
    const what = "white space, a line break or another character that no header takes";
    throw new UnusableCredentials(`the access key id or session token holds ${what}`);
  }
  if (expiration !== undefined && !Number.isFinite(expiration.getTime?.())) {
    throw new UnusableCredentials("the time of their end is no time");
  }
  return found;
}

function late(limitMs: number): Error {
  const message = `no answer within ${limitMs} ms`;
  return Object.assign(new Error(message), { name: "TimeoutError", code: "ETIMEDOUT" });
}

function ended(): Error {
  return Object.assign(new Error("partnerd no longer needs them"), { name: "TimeoutError", code: "ETIMEDOUT" });
}

/** True for a search that took too long: nobody refused anything. */
export function isLate(error: unknown): boolean {
  return codeOf(error) === "ETIMEDOUT";
}

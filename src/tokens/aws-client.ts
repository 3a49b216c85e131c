// What the clients of AWS's stores have in common: where they call, how long they wait, and what their faults say. Their
// retries are off: a store that does not answer is asked again by the cache, which counts.
import { heeding, ownCredentials } from "../network/credentials/own-credentials.js";
import { SdkHandler } from "../network/sdk-handler.js";
import { describeError } from "../std/errors.js";
import { loadOptional, MissingPackage } from "../std/optional-package.js";
import type { Proxies } from "../std/proxies.js";
import { TokenStoreFault } from "./token-store.js";
import { TokenError } from "./tokens.js";

export interface AwsStoreOptions {
  /** Unset: the SDK's own rules decide. */
  readonly region?: string | undefined;
  /** Unset: the SDK's own rules decide. */
  readonly endpoint?: string | undefined;
  readonly appId: string;
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** A look-up comes now and then; the connection is made again after this long. */
const idleMs = 60_000;

/** A client with our settings. The clients of its credentials go the same way. */
export function awsClient<C extends Parameters<typeof heeding>[0]>(
  options: AwsStoreOptions,
  make: (settings: ReturnType<typeof clientSettings>) => C,
): C {
  const settings = clientSettings(options);
  return heeding(make(settings), settings.found);
}

function clientSettings(options: AwsStoreOptions) {
  const { region, endpoint, appId, proxies, connectionTimeoutMs, requestTimeoutMs } = options;
  const requestHandler = new SdkHandler({ proxies, connectionTimeoutMs, requestTimeoutMs, idleMs });
  const found = ownCredentials({ requestHandler, limitMs: connectionTimeoutMs + requestTimeoutMs });
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    userAgentAppId: appId,
    maxAttempts: 1,
    requestHandler,
    credentials: found.provider,
    found,
  };
}

/** The client's package. Throws TokenError, which names it when it is not installed. */
export async function loadClient<T>(source: string, packageName: string, load: () => Promise<T>): Promise<T> {
  try {
    return await loadOptional(`the token source ${source}`, packageName, load);
  } catch (error) {
    if (error instanceof MissingPackage) throw new TokenError("source-unavailable", error.message, error);
    throw error;
  }
}

/** What a call that failed says of the store: no answer, no credentials, no permission, throttling. */
export function awsFault(error: unknown, remedies: Readonly<Record<string, string>> = {}): TokenStoreFault {
  const { name, $metadata } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode === undefined ? "" : ` (HTTP ${$metadata.httpStatusCode})`;
  const remedy = remedies[name] === undefined ? "" : `; ${remedies[name]}`;
  return new TokenStoreFault("away", `failed: ${name}: ${describeError(error)}${status}${remedy}`, error);
}

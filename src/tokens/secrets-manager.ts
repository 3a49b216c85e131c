// Client tokens in AWS Secrets Manager: a secret for each client, or one secret with a JSON map of all of them. The only
// place that knows its client, which is loaded when it is asked for.
import type { ClientId } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { type AwsStoreOptions, awsClient, awsFault, loadClient } from "./aws-client.js";
import { clientIdMark, type TokenStore, TokenStoreFault, tokenOfJson } from "./token-store.js";

export interface SecretsManagerOptions extends AwsStoreOptions {
  /** A name or an ARN; with `{clientId}` in it, one for each client. */
  readonly secretId: string;
  readonly clock: Clock;
}

const remedies = {
  AccessDeniedException: "partnerd iam-policy prints the permissions; a key of your own needs kms:Decrypt as well",
  ResourceNotFoundException: "there is no such secret: correct clientTokens.secretId",
};
/** Clients that come together share one call for the map; younger than this is as good as new. */
const sharedMs = 1_000;

/** Loads the client, and calls nothing yet. Throws TokenError when its package is not installed. */
export async function openSecretsManager(options: SecretsManagerOptions): Promise<TokenStore> {
  const { secretId, clock } = options;
  const sdk = await loadClient(
    "secrets-manager",
    "@aws-sdk/client-secrets-manager",
    () => import("@aws-sdk/client-secrets-manager"),
  );
  const isOneEach = secretId.includes(clientIdMark);
  const client = awsClient(options, (settings) => new sdk.SecretsManagerClient(settings));
  const secret = async (id: string, signal?: AbortSignal): Promise<string> => {
    const sent = client.send(new sdk.GetSecretValueCommand({ SecretId: id }), signal ? { abortSignal: signal } : {});
    const { SecretString: text } = await sent;
    if (text !== undefined) return text;
    throw new TokenStoreFault(isOneEach ? "unusable" : "away", `has bytes instead of a text in the secret ${id}`);
  };
  return {
    name: `the secret ${secretId}`,
    find: isOneEach ? ownSecret(secretId, secret) : ofMap(new SharedMap(clock, () => secret(secretId))),
    close: async () => client.destroy(),
  };
}

type ReadSecret = (id: string, signal?: AbortSignal) => Promise<string>;

function ownSecret(secretId: string, read: ReadSecret): TokenStore["find"] {
  return async (clientId, signal) => {
    const text = await read(secretId.replaceAll(clientIdMark, clientId), signal).catch((error: unknown) => {
      if (isGone(error)) return undefined;
      throw error instanceof TokenStoreFault ? error : awsFault(error, remedies);
    });
    if (text === undefined) return undefined;
    // The console writes secrets as JSON objects.
    return text.trimStart().startsWith("{") ? tokenOfJson(text, "its secret") : text.replace(/\r?\n$/, "");
  };
}

/** There is no such secret, or it is marked for deletion. */
function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "ResourceNotFoundException") return true;
  return error.name === "InvalidRequestException" && /marked (?:for deletion|deleted)/i.test(error.message);
}

function ofMap(map: SharedMap): TokenStore["find"] {
  return async (clientId) => (await map.read()).get(clientId);
}

/** The map in one secret, by client ids in lower case. */
class SharedMap {
  readonly #clock: Clock;
  readonly #read: () => Promise<string>;
  #last: { readonly atMs: number; readonly map: Promise<ReadonlyMap<ClientId, unknown>> } | undefined;

  constructor(clock: Clock, read: () => Promise<string>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Begun a moment ago at most. */
  read(): Promise<ReadonlyMap<ClientId, unknown>> {
    const nowMs = this.#clock.monotonic();
    if (this.#last && nowMs - this.#last.atMs < sharedMs) return this.#last.map;
    const last = { atMs: nowMs, map: this.#fresh() };
    this.#last = last;
    last.map.catch(() => {
      // A failure concerns this client only.
      if (this.#last === last) this.#last = undefined;
    });
    return last.map;
  }

  async #fresh(): Promise<ReadonlyMap<ClientId, unknown>> {
    try {
      return mapOf(await this.#read());
    } catch (error) {
      throw error instanceof TokenStoreFault ? error : awsFault(error, remedies);
    }
  }
}

/** Every entry as it is: one that is wrong is its own client's affair. Never quotes the text, as JSON.parse would. */
function mapOf(text: string): ReadonlyMap<ClientId, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TokenStoreFault("away", "is not JSON; write a map of client ids to tokens");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TokenStoreFault("away", "is not a JSON map of client ids to tokens");
  }
  return new Map(Object.entries(value).map(([id, token]) => [id.toLowerCase() as ClientId, token]));
}

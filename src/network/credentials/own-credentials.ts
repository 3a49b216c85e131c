// The credentials of partnerd's own identity, for whoever calls AWS in its name: the ledger, the token stores, and the
// token service that lends roles.
import { type ClientConfig, credentialChain } from "./credential-chain.js";
import { isCredentialRefusal } from "./credentials-fault.js";
import { RenewedCredentials } from "./renewed-credentials.js";

export interface OwnCredentialsOptions {
  /** Sends what the clients on the way ask (STS, SSO). */
  readonly requestHandler: ClientConfig["requestHandler"];
  /** For one search. */
  readonly limitMs: number;
}

const way = {
  by: "the default credential chain",
  remedy: "give the process a role (task, pod, instance, web identity) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};

/** Found by the default credential chain. */
export function ownCredentials(options: OwnCredentialsOptions): RenewedCredentials {
  const chain = ownChain(options);
  return new RenewedCredentials({ way, limitMs: options.limitMs, make: () => chain });
}

/** The chain itself, which keeps nothing. */
export function ownChain({ requestHandler }: Omit<OwnCredentialsOptions, "limitMs">) {
  return credentialChain({ environment: process.env, clientConfig: oneTry(requestHandler) });
}

/** Retries are the caller's: a call that waits for credentials has a limit of its own. */
export function oneTry(requestHandler: ClientConfig["requestHandler"]): ClientConfig {
  return { maxAttempts: 1, requestHandler } as ClientConfig;
}

/** A client of the SDK, as far as it is needed here; each has types of its own for its middleware. */
interface Client {
  readonly middlewareStack: { readonly add: (...args: never) => void };
}

type Call = (args: unknown) => Promise<unknown>;

/** The client, which has the credentials looked for anew when they are refused: keys in a file may have been replaced. */
export function heeding<C extends Client>(client: C, credentials: RenewedCredentials): C {
  const middleware = (next: Call) => async (args: unknown) => {
    try {
      return await next(args);
    } catch (error) {
      if (isCredentialRefusal(error)) credentials.forget();
      throw error;
    }
  };
  const add = client.middlewareStack.add.bind(client.middlewareStack) as (...args: unknown[]) => void;
  add(middleware, { step: "initialize", name: "partnerdRefusals" });
  return client;
}

// How the credentials of an account are found: by the SDK's own providers, loaded when one is used. An assumed role is
// asked for with what the default credential chain finds, at the Security Token Service of the Region that is called, by the
// connections of the client that asks. They are renewed before they end; a refused call has them looked for anew.
import { type ClientConfig, inProfile } from "../network/credentials/credential-chain.js";
import type { CredentialWay } from "../network/credentials/credentials-fault.js";
import { oneTry, ownChain, ownCredentials } from "../network/credentials/own-credentials.js";
import { type Asking, type Finder, RenewedCredentials } from "../network/credentials/renewed-credentials.js";

/** One account of the configuration; without any key it is reached by the SDK's default credential chain. */
export interface AccountAccess {
  readonly roleArn?: string;
  readonly externalId?: string;
  readonly sessionName?: string;
  readonly profile?: string;
}

export interface AccountCredentialsOptions {
  readonly access?: AccountAccess | undefined;
  /** Sends what the clients on the way ask (STS, SSO). */
  readonly requestHandler: ClientConfig["requestHandler"];
  /** Whoever embeds the worker may give them. */
  readonly given?: (() => Promise<Awaited<ReturnType<Finder>>>) | undefined;
  /** For one search. */
  readonly limitMs: number;
}

/** The credentials of an account, for one Region: whoever assumes a role asks that Region's token service. */
export function accountCredentials(options: AccountCredentialsOptions): RenewedCredentials {
  const { access = {}, given, limitMs, requestHandler } = options;
  const clientConfig = oneTry(requestHandler);
  const { roleArn, profile } = access;
  if (roleArn !== undefined) {
    const way = {
      by: `assuming ${roleArn}`,
      remedy: `let ${roleArn} trust partnerd's own identity${access.externalId === undefined ? "" : " with this external id"}: partnerd iam-policy prints both sides`,
    };
    return new RenewedCredentials({
      way,
      limitMs,
      make: () => assumedRole({ ...access, roleArn }, ownChain({ requestHandler }), clientConfig),
    });
  }
  if (profile !== undefined) {
    const { way, find } = inProfile(profile, clientConfig);
    return new RenewedCredentials({ way, limitMs, make: () => find });
  }
  if (given) return new RenewedCredentials({ way: givenWay, limitMs, make: () => given });
  return ownCredentials({ requestHandler, limitMs });
}

const givenWay: CredentialWay = {
  by: "the program that embeds the worker",
  remedy: "check the function `credentials` that it gives to createWorker",
};
async function assumedRole(
  { roleArn, externalId, sessionName = "partnerd" }: AccountAccess & { readonly roleArn: string },
  chain: Finder,
  clientConfig: ClientConfig,
): Promise<Finder> {
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const provider = fromTemporaryCredentials({
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    masterCredentials: chain as never,
    clientConfig,
  });
  return (asking: Asking) => provider(asking as never) as ReturnType<Finder>;
}

// How the credentials of an account are found: by the SDK's own providers, loaded when one is used. An assumed role is
// asked for with what the default credential chain finds, at the Security Token Service of the Region that is called, by the
// connections of the client that asks. The SDK renews them before they end; a refused call has them looked for anew.
import { defaultProvider } from "@aws-sdk/credential-provider-node";

/** One account of the configuration; without any key it is reached by the SDK's default credential chain. */
export interface AccountAccess {
  readonly roleArn?: string;
  readonly externalId?: string;
  readonly sessionName?: string;
  readonly profile?: string;
}

type Ordinary = typeof defaultProvider;
type Credentials = ReturnType<Ordinary>;
type Init = Parameters<Ordinary>[0];
/** What the SDK hands to a provider: the client that asks. */
type Asking = Parameters<Credentials>[0];

/** What an SDK client is given to find the account's credentials. */
export function credentialsOf(
  access: AccountAccess = {},
  requestHandler?: Handler,
): {
  /** The SDK's default credential chain, but one that reads files again: a corrected credentials file must count. */
  readonly credentialDefaultProvider: (init?: Init) => Credentials;
  readonly credentials?: Credentials;
} {
  const config = { ...clientConfig, ...(requestHandler ? { requestHandler } : {}) };
  const credentialDefaultProvider = (init?: Init) =>
    defaultProvider({ ...init, ignoreCache: true, clientConfig: config });
  const { roleArn, profile } = access;
  if (roleArn !== undefined) {
    return {
      credentialDefaultProvider,
      credentials: once((asking) => assumedRole({ ...access, roleArn }, config, asking)),
    };
  }
  if (profile !== undefined) return { credentialDefaultProvider, credentials: once(() => profileOf(profile, config)) };
  return { credentialDefaultProvider };
}

type Handler = NonNullable<NonNullable<NonNullable<Init>["clientConfig"]>["requestHandler"]>;
type ClientConfig = typeof clientConfig & { readonly requestHandler?: Handler };

/** Retries are the caller's: a call that waits for credentials has a limit of its own. */
const clientConfig = { maxAttempts: 1 };

async function assumedRole(
  { roleArn, externalId, sessionName = "partnerd" }: AccountAccess & { readonly roleArn: string },
  config: ClientConfig,
  asking: Asking,
): Promise<Credentials> {
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const parentClientConfig = asking?.callerClientConfig;
  return fromTemporaryCredentials({
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    masterCredentials: defaultProvider({
      ignoreCache: true,
      clientConfig: config,
      ...(parentClientConfig ? { parentClientConfig } : {}),
    }),
    clientConfig: config,
  });
}

async function profileOf(profile: string, config: ClientConfig): Promise<Credentials> {
  const { fromIni } = await import("@aws-sdk/credential-providers");
  return fromIni({ profile, ignoreCache: true, clientConfig: config });
}

/** Credentials that end so soon are of no use for a call. */
const spareMs = 10_000;

/**
 * A provider that is made when it is asked first. The SDK asks for new credentials from five minutes before their end: a
 * token service that fails then costs nothing, since those that there are stay good until it.
 */
function once(make: (asking: Asking) => Promise<Credentials>): Credentials {
  let made: Promise<Credentials> | undefined;
  let last: Awaited<ReturnType<Credentials>> | undefined;
  return async (asking) => {
    try {
      made ??= make(asking);
      last = await (await made)(asking);
      return last;
    } catch (error) {
      if (last?.expiration && last.expiration.getTime() > Date.now() + spareMs) return last;
      throw error;
    }
  };
}

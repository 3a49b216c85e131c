// How the credentials of an account are found: by the SDK's own providers, loaded when one is used. An assumed role is
// asked for with what the ordinary chain finds, at the Security Token Service of the Region that is called, by the
// connections of the client that asks. The SDK renews them before they end.
import { defaultProvider } from "@aws-sdk/credential-provider-node";

/** One account of the configuration; without any key it is reached by the SDK's ordinary chain. */
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
export function credentialsOf(access: AccountAccess = {}): {
  /** The SDK's ordinary chain, but one that reads files again: a corrected credentials file must count. */
  readonly credentialDefaultProvider: (init?: Init) => Credentials;
  readonly credentials?: Credentials;
} {
  const credentialDefaultProvider = (init?: Init) => defaultProvider({ ...init, ignoreCache: true });
  const { roleArn, profile } = access;
  if (roleArn !== undefined) {
    return { credentialDefaultProvider, credentials: once((asking) => assumedRole({ ...access, roleArn }, asking)) };
  }
  if (profile !== undefined) return { credentialDefaultProvider, credentials: once(() => profileOf(profile)) };
  return { credentialDefaultProvider };
}

/** Retries are the caller's: a call that waits for credentials has a limit of its own. */
const clientConfig = { maxAttempts: 1 };

async function assumedRole(
  { roleArn, externalId, sessionName = "partnerd" }: AccountAccess & { readonly roleArn: string },
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
    masterCredentials: defaultProvider({ ignoreCache: true, ...(parentClientConfig ? { parentClientConfig } : {}) }),
    clientConfig,
  });
}

async function profileOf(profile: string): Promise<Credentials> {
  const { fromIni } = await import("@aws-sdk/credential-providers");
  return fromIni({ profile, ignoreCache: true, clientConfig });
}

/** A provider that is made when it is asked first. */
function once(make: (asking: Asking) => Promise<Credentials>): Credentials {
  let made: Promise<Credentials> | undefined;
  return async (asking) => {
    made ??= make(asking);
    return (await made)(asking);
  };
}

// Where credentials come from when nothing else is configured: the places of AWS's default credential chain, in its order.
// The SDK's own chain tries the next place after a refusal and reports the last one only; here the place that is set up decides.
import type { fromTokenFile } from "@aws-sdk/credential-providers";
import { parseKnownFiles } from "@smithy/core/config";
import { containerCredentials, containerUrl } from "./container-credentials.js";
import { currentSearch } from "./credential-process.js";
import { type CredentialWay, credentialsFaultOf } from "./credentials-fault.js";
import type { Asking, Finder, FoundCredentials } from "./renewed-credentials.js";

type Environment = Readonly<Record<string, string | undefined>>;
/** Of the clients that are used on the way (STS, SSO). */
export type ClientConfig = NonNullable<NonNullable<Parameters<typeof fromTokenFile>[0]>["clientConfig"]>;

export interface ChainOptions {
  readonly environment: Environment;
  readonly clientConfig: ClientConfig;
}

interface Place {
  readonly way: CredentialWay;
  readonly find: (asking: Asking) => Promise<FoundCredentials>;
}

/** What a profile of the configuration files has if it gives credentials. */
const profileKeys = [
  ...["aws_access_key_id", "role_arn", "credential_process", "web_identity_token_file"],
  ...["sso_session", "sso_start_url", "login_session"],
];

/** Each search goes through the places anew. Rejects with CredentialsFault. */
export function credentialChain(options: ChainOptions): Finder {
  return async (asking, tell) => {
    const place = await placeOf(options);
    tell?.(place.way);
    try {
      return await place.find(asking);
    } catch (error) {
      throw credentialsFaultOf(error, place.way);
    }
  };
}

/** The first place that is set up; the instance's metadata is there without. */
async function placeOf({ environment, clientConfig }: ChainOptions): Promise<Place> {
  const profile = environment["AWS_PROFILE"] || undefined;
  if (profile === undefined && environment["AWS_ACCESS_KEY_ID"] && environment["AWS_SECRET_ACCESS_KEY"]) {
    return inEnvironment;
  }
  if (await hasCredentials(profile ?? "default")) return inProfile(profile ?? "default", clientConfig);
  if (environment["AWS_WEB_IDENTITY_TOKEN_FILE"] && environment["AWS_ROLE_ARN"]) {
    return byWebIdentity(environment, clientConfig);
  }
  if (containerUrl(environment) !== undefined) return inContainer(environment);
  return inInstance(environment, profile);
}

async function hasCredentials(profile: string): Promise<boolean> {
  const { [profile]: data } = await parseKnownFiles({ ignoreCache: true });
  return data !== undefined && profileKeys.some((key) => data[key] !== undefined);
}

const inEnvironment: Place = {
  way: {
    by: "the environment (AWS_ACCESS_KEY_ID)",
    remedy: "correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, then restart",
  },
  find: async () => (await import("@aws-sdk/credential-providers")).fromEnv()(),
};

/** How a profile of AWS's configuration files gives credentials. */
export function inProfile(profile: string, clientConfig: ClientConfig): Place {
  return {
    way: {
      by: `the profile ${profile}`,
      remedy: `correct the profile ${profile} in the AWS configuration files, or what it names`,
    },
    find: async (asking) => {
      const { fromIni } = await import("@aws-sdk/credential-providers");
      const parentClientConfig = asking?.callerClientConfig;
      const init = { profile, ignoreCache: true, clientConfig, ...(parentClientConfig ? { parentClientConfig } : {}) };
      return fromIni(init as Parameters<typeof fromIni>[0])(asking as never);
    },
  };
}

function byWebIdentity(environment: Environment, clientConfig: ClientConfig): Place {
  const roleArn = environment["AWS_ROLE_ARN"];
  return {
    way: {
      by: `the web identity of AWS_WEB_IDENTITY_TOKEN_FILE for ${roleArn}`,
      remedy: `let ${roleArn} trust the token's issuer and subject, and check that the file is kept up to date`,
    },
    find: async (asking) => {
      const { fromTokenFile: fromFile } = await import("@aws-sdk/credential-providers");
      return fromFile({ clientConfig })(asking as never);
    },
  };
}

function inContainer(environment: Environment): Place {
  const isPod = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
  const remedy = isPod
    ? "check the pod's association with a role (EKS Pod Identity) and its agent"
    : "give the ECS task a role, and check the role's trust in ecs-tasks.amazonaws.com";
  return {
    way: { by: isPod ? "EKS Pod Identity" : "the container (AWS_CONTAINER_CREDENTIALS_…)", remedy },
    find: () => containerCredentials(environment, currentSearch()),
  };
}

/** They count only together; one that is set alone is passed over without a word. */
const pairs = [
  ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
  ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
] as const;

function halfSet(environment: Environment): string {
  const lonely = pairs.flatMap(([one, other]) => {
    if (Boolean(environment[one]) === Boolean(environment[other])) return [];
    const [set, missing] = environment[one] ? [one, other] : [other, one];
    return [`${set} is set without ${missing} and has no effect; `];
  });
  return lonely.join("");
}

/** It has nothing to say, and what it says to the console is nobody's. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

function inInstance(environment: Environment, profile: string | undefined): Place {
  const isOff = !["", "false"].includes(environment["AWS_EC2_METADATA_DISABLED"] ?? "");
  const first = profile === undefined ? "" : `AWS_PROFILE names ${profile}, which gives no credentials; `;
  const remedy = `${first}${halfSet(environment)}give the process a role (task, pod, instance, web identity) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`;
  return {
    way: { by: "the instance's metadata, the last place to look", remedy },
    find: async () => {
      if (isOff)
        throw Object.assign(new Error("it is switched off (AWS_EC2_METADATA_DISABLED)"), { name: "no-credentials" });
      const { fromInstanceMetadata } = await import("@aws-sdk/credential-providers");
      return fromInstanceMetadata({ logger: silent, maxRetries: 0 })();
    },
  };
}

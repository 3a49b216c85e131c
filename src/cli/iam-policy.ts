// The least IAM policies that a configuration needs. Pure: from a configuration to policy documents. Without `accounts` it
// is one; with them there is one for partnerd's own identity, and one for each account with whom its role trusts.
import type { Config } from "../config/config.js";
import { partitionOf } from "../std/partitions.js";

export interface IamPolicyOptions {
  /** Unset: any account, since the policy belongs to one anyway. */
  readonly accountId: string | undefined;
  /** With what `partnerd doctor` asks. */
  readonly forDoctor: boolean;
}

interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: object;
}

interface Policy {
  readonly Version: string;
  readonly Statement: readonly (Statement | TrustStatement)[];
}

interface TrustStatement {
  readonly Effect: "Allow";
  readonly Principal: { readonly AWS: string };
  readonly Action: string;
  readonly Condition?: object;
}

/** What one account needs. */
export interface AccountPolicies {
  readonly roleArn?: string;
  readonly profile?: string;
  /** Of the role, or of the profile's identity. */
  readonly policy: Policy;
  /** Of the role. */
  readonly trustPolicy?: Policy;
}

/** Stands in a trust policy until it is known whom the role is to trust; IAM takes no such policy. */
export const ownAccountUnknown = "YOUR-ACCOUNT-ID";

/** For each account the policy of who works it, and for partnerd's own identity which roles it may assume. */
export function accountPolicies(
  config: Config,
  options: IamPolicyOptions,
): { readonly identity: Policy; readonly accounts: Readonly<Record<string, AccountPolicies>> } {
  const { accounts = {}, ledger } = config;
  const typesOf = (names: readonly string[]) =>
    config.actionTypes.filter((type) => (type.accounts ?? Object.keys(accounts)).some((name) => names.includes(name)));
  const isOwn = ([, { roleArn, profile }]: (typeof entries)[number]) => roleArn === undefined && profile === undefined;
  const entries = Object.entries(accounts);
  const own = entries.filter(isOwn).map(([name]) => name);
  const roles = entries.flatMap(([, { roleArn }]) => roleArn ?? []);
  const identity = iamPolicy({ ...config, actionTypes: typesOf(own) }, options);
  const others = entries
    .filter((entry) => !isOwn(entry))
    .map(([name, { roleArn, externalId, profile }]) => {
      const accountId = roleArn?.split(":")[4];
      // The ledger is the own identity's affair.
      const store = { ...ledger, store: "memory" } as const;
      const policy = iamPolicy({ ...config, ledger: store, actionTypes: typesOf([name]) }, { ...options, accountId });
      const reached =
        roleArn === undefined ? { profile } : { roleArn, trustPolicy: trustOf(roleArn, externalId, options) };
      return [name, { ...reached, policy }] as const;
    });
  const assume = {
    Sid: "PartnerdAssumeRoles",
    Effect: "Allow",
    Action: ["sts:AssumeRole"],
    Resource: unique(roles),
  } as const;
  const Statement = [...(roles.length > 0 ? [assume] : []), ...identity.Statement];
  return {
    identity: { ...identity, Statement },
    accounts: Object.fromEntries(others) as Record<string, AccountPolicies>,
  };
}

function trustOf(
  roleArn: string,
  externalId: string | undefined,
  { accountId = ownAccountUnknown }: IamPolicyOptions,
): Policy {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: `arn:${roleArn.split(":")[1]}:iam::${accountId}:root` },
        Action: "sts:AssumeRole",
        ...(externalId === undefined ? {} : { Condition: { StringEquals: { "sts:ExternalId": externalId } } }),
      },
    ],
  };
}

/** An identity policy (version 2012-10-17). Artifacts need nothing: each job brings its own credentials for them. */
export function iamPolicy(
  config: Config,
  options: IamPolicyOptions,
): { Version: string; Statement: readonly Statement[] } {
  return {
    Version: "2012-10-17",
    Statement: [
      ...thirdParty(config),
      ...custom(config, options),
      ...clientTokens(config, options),
      ...ledger(config, options),
      ...doctor(config, options),
    ],
  };
}

/**
 * None of these operations knows a resource (Service Authorization Reference): a policy that names one denies them. So
 * they are narrowed by Region only.
 */
function thirdParty(config: Config): readonly Statement[] {
  const regions = regionsOf(config, "ThirdParty");
  if (regions.length === 0) return [];
  const operations = [
    "PollForThirdPartyJobs",
    "GetThirdPartyJobDetails",
    "AcknowledgeThirdPartyJob",
    "PutThirdPartyJobSuccessResult",
    "PutThirdPartyJobFailureResult",
  ];
  return [statement("PartnerdThirdPartyJobs", operations, "*", regions)];
}

/** Of the custom operations only PollForJobs knows a resource, the action type. */
function custom(config: Config, { accountId }: IamPolicyOptions): readonly Statement[] {
  const regions = regionsOf(config, "Custom");
  if (regions.length === 0) return [];
  const types = config.actionTypes
    .filter(({ owner }) => owner === "Custom")
    .flatMap(({ owner, category, provider, version, regions: its }) =>
      its.map((region) =>
        arn(region, "codepipeline", accountId, `actiontype:${owner}/${category}/${provider}/${version}`),
      ),
    );
  const operations = ["AcknowledgeJob", "GetJobDetails", "PutJobSuccessResult", "PutJobFailureResult"];
  return [
    { Sid: "PartnerdCustomPoll", Effect: "Allow", Action: ["codepipeline:PollForJobs"], Resource: unique(types) },
    statement("PartnerdCustomJobs", operations, "*", regions),
  ];
}

/** What looks client tokens up. A secret under a key of one's own needs `kms:Decrypt` on that key as well. */
function clientTokens({ clientTokens: tokens, ...config }: Config, options: IamPolicyOptions): readonly Statement[] {
  if (regionsOf(config, "ThirdParty").length === 0) return [];
  const statementOf = (Action: string, Resource: string): readonly Statement[] => [
    { Sid: "PartnerdClientTokens", Effect: "Allow", Action: [Action], Resource },
  ];
  switch (tokens.source) {
    case "secrets-manager": {
      const id = tokens.secretId.replaceAll("{clientId}", "*");
      // Six random characters end each secret's ARN. An ARN that is configured may have them, or not.
      if (id.startsWith("arn:")) return statementOf("secretsmanager:GetSecretValue", `${id}*`);
      const secret = { service: "secretsmanager", region: tokens.region, resource: `secret:${id}-??????` };
      return statementOf("secretsmanager:GetSecretValue", arnOf(secret, config, options));
    }
    case "dynamodb": {
      const table = { service: "dynamodb", region: tokens.region, resource: `table/${tokens.table}` };
      return statementOf("dynamodb:GetItem", arnOf(table, config, options));
    }
    default:
      return [];
  }
}

/** Something in a Region of its own, which may be left to the SDK's rules. */
interface Elsewhere {
  readonly service: string;
  readonly region: string | undefined;
  readonly resource: string;
}

function arnOf(
  { service, region, resource }: Elsewhere,
  { actionTypes }: Pick<Config, "actionTypes">,
  { accountId }: IamPolicyOptions,
): string {
  const partition = partitionOf(region ?? actionTypes[0]?.regions[0] ?? "us-east-1");
  return `arn:${partition}:${service}:${region ?? "*"}:${accountId ?? "*"}:${resource}`;
}

/** What the DynamoDB ledger calls; the table itself is made by somebody else. */
function ledger({ ledger: { ...ledger }, ...config }: Config, options: IamPolicyOptions): readonly Statement[] {
  if (ledger.store !== "dynamodb") return [];
  const operations = ["GetItem", "PutItem", "DeleteItem", "Query", "Scan"];
  if (options.forDoctor) operations.push("DescribeTable", "DescribeTimeToLive");
  const { region } = ledger;
  const table = arnOf({ service: "dynamodb", region, resource: `table/${ledger.table}` }, config, options);
  return [
    {
      Sid: "PartnerdLedger",
      Effect: "Allow",
      Action: operations.map((operation) => `dynamodb:${operation}`),
      Resource: [table, `${table}/index/*`],
    },
  ];
}

function doctor(config: Config, { forDoctor }: IamPolicyOptions): readonly Statement[] {
  if (!forDoctor) return [];
  const asked = [
    ...(regionsOf(config, "ThirdParty").length > 0 ? ["GetActionType"] : []),
    ...(regionsOf(config, "Custom").length > 0 ? ["ListActionTypes"] : []),
  ];
  const regions = unique([...regionsOf(config, "ThirdParty"), ...regionsOf(config, "Custom")]);
  return [statement("PartnerdDoctor", asked, "*", regions)];
}

function statement(
  sid: string,
  operations: readonly string[],
  resource: string,
  regions: readonly string[],
): Statement {
  return {
    Sid: sid,
    Effect: "Allow",
    Action: operations.map((operation) => `codepipeline:${operation}`),
    Resource: resource,
    Condition: { StringEquals: { "aws:RequestedRegion": regions } },
  };
}

function regionsOf(config: Pick<Config, "actionTypes">, owner: "ThirdParty" | "Custom"): readonly string[] {
  return unique(config.actionTypes.filter((type) => type.owner === owner).flatMap(({ regions }) => regions));
}

function arn(region: string, service: string, accountId: string | undefined, resource: string): string {
  return `arn:${partitionOf(region)}:${service}:${region}:${accountId ?? "*"}:${resource}`;
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

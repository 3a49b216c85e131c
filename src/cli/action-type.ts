// From one configured action type to the input of the operation that makes it: CreateCustomActionType for a custom one,
// UpdateActionType for a partner's. Pure. It says what partnerd knows; links and further properties are the owner's.
import type { ActionTypeConfig, Config } from "../config/config.js";

export interface WantedActionType {
  readonly provider: string;
  readonly version: string | undefined;
  /** Who polls: only the accounts that are named may. */
  readonly accountId: string | undefined;
}

/** CodePipeline's own limits of `jobTimeout`, in seconds. */
const jobTimeoutS = { min: 60, max: 43_200 };
/** CodePipeline must not give up before our own limit has failed the job with its reason. */
const marginS = 300;

/** The operation's input, or what is wrong with the question. */
export function actionTypeInput(
  config: Config,
  wanted: WantedActionType,
): { readonly input: object } | { readonly mistake: string } {
  const { provider, version } = wanted;
  const found = config.actionTypes.filter(
    (type) => type.provider === provider && (version === undefined || type.version === version),
  );
  const [first] = found;
  if (!first) {
    const known = [...new Set(config.actionTypes.map((each) => each.provider))].join(", ");
    return { mistake: `no action type of the provider ${provider} is configured; there are: ${known}` };
  }
  if (new Set(found.map(({ version: each }) => each)).size > 1) {
    const versions = found.map((each) => each.version).join(" or ");
    return { mistake: `several versions of ${provider} are configured: add --type-version ${versions}` };
  }
  const type = joined(first, found);
  if (type.owner === "Custom") return { input: customInput(type) };
  if (wanted.accountId === undefined) {
    return { mistake: "a third-party action type names the account that polls: add --account with its 12 digits" };
  }
  return { input: thirdPartyInput(type, wanted.accountId) };
}

/** One of several entries for other Regions, with what any of them needs. */
function joined(first: ActionTypeConfig, found: readonly ActionTypeConfig[]): ActionTypeConfig {
  const same = found.filter(({ owner, category }) => owner === first.owner && category === first.category);
  const queryParam = Object.assign({}, ...same.map((each) => each.queryParam ?? {}));
  return {
    ...first,
    jobTimeoutMs: Math.max(...same.map((each) => each.jobTimeoutMs)),
    secretProperties: [...new Set(same.flatMap((each) => each.secretProperties))],
    ...(Object.keys(queryParam).length > 0 ? { queryParam } : {}),
  };
}

/** For `aws codepipeline create-custom-action-type --cli-input-json`. */
function customInput(type: ActionTypeConfig): object {
  const { category, provider, version } = type;
  return {
    category,
    provider,
    version,
    configurationProperties: propertiesOf(type).map(({ name, isSecret, isQueryable }) => ({
      name,
      required: true,
      // A property that is queried is what tells two workers' jobs apart, so it is also what makes an action unique.
      key: isQueryable,
      secret: isSecret,
      ...(isQueryable ? { queryable: true } : {}),
      type: "String",
    })),
    inputArtifactDetails: { minimumCount: 0, maximumCount: 5 },
    outputArtifactDetails: { minimumCount: 0, maximumCount: 5 },
  };
}

/** For `aws codepipeline update-action-type --cli-input-json`. */
function thirdPartyInput(type: ActionTypeConfig, accountId: string): object {
  const { category, owner, provider, version, jobTimeoutMs } = type;
  const wantedS = Math.ceil(jobTimeoutMs / 1_000) + marginS;
  return {
    actionType: {
      id: { category, owner, provider, version },
      executor: {
        type: "JobWorker",
        configuration: { jobWorkerExecutorConfiguration: { pollingAccounts: [accountId] } },
        jobTimeout: Math.min(jobTimeoutS.max, Math.max(jobTimeoutS.min, wantedS)),
      },
      inputArtifactDetails: { minimumCount: 0, maximumCount: 10 },
      outputArtifactDetails: { minimumCount: 0, maximumCount: 10 },
      permissions: { allowedAccounts: ["*"] },
      properties: propertiesOf(type).map(({ name, isSecret }) => ({
        name,
        optional: false,
        key: false,
        noEcho: isSecret,
      })),
    },
  };
}

interface Property {
  readonly name: string;
  readonly isSecret: boolean;
  readonly isQueryable: boolean;
}

/** The properties that the configuration speaks of; an action type may have others. */
function propertiesOf({ secretProperties, queryParam }: ActionTypeConfig): readonly Property[] {
  const queried = Object.keys(queryParam ?? {});
  const names = [...new Set([...queried, ...secretProperties])];
  return names.map((name) => ({
    name,
    isSecret: secretProperties.includes(name),
    isQueryable: queried.includes(name),
  }));
}

// From one configured action type to the input of the operation that makes it: CreateCustomActionType for a custom one.
// UpdateActionType replaces a partner's type as a whole, so that for one of those there is only what partnerd knows of it,
// to be merged into GetActionType's answer. Pure.
import type { ActionTypeConfig, Config } from "../config/config.js";
import type { ActionTypeFormat } from "./action-type-choices.js";
import type { CustomActionTypeInput } from "./action-type-formats.js";

export interface WantedActionType {
  readonly provider: string;
  readonly version: string | undefined;
  /** Who polls: only the accounts that are named may. */
  readonly accountId: string | undefined;
  readonly format: ActionTypeFormat;
  /** GetActionType's answer, parsed; for a third-party type. */
  readonly current: unknown;
}

/** CodePipeline's own limits of `jobTimeout`, in seconds. */
const jobTimeoutS = { min: 60, max: 43_200 };
/** CodePipeline must not give up before our own limit has failed the job with its reason. */
const marginS = 300;

/** The operation's input, for a partner's type with `isPart` only a part of it; or what is wrong with the question. */
export type ActionTypeInput =
  | { readonly custom: CustomActionTypeInput }
  | { readonly partner: object; readonly isPart: boolean }
  | { readonly mistake: string };

export function actionTypeInput(config: Config, wanted: WantedActionType): ActionTypeInput {
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
  if (type.owner === "Custom") {
    if (wanted.current !== undefined) return { mistake: `${provider} is a custom type: --merge is for a partner's` };
    return { custom: customInput(type, config.admin.publicUrl) };
  }
  if (wanted.format !== "json") {
    return { mistake: `${provider} is a partner's type, which only UpdateActionType changes: leave out --format` };
  }
  if (wanted.accountId === undefined) {
    return { mistake: "a third-party action type names the account that polls: add --account with its 12 digits" };
  }
  const part = thirdPartyPart(type, wanted.accountId);
  if (wanted.current === undefined) return { partner: { actionType: part }, isPart: true };
  return merged(wanted.current, part);
}

/** One of several entries for other Regions, with what any of them needs. */
function joined(first: ActionTypeConfig, found: readonly ActionTypeConfig[]): ActionTypeConfig {
  const same = found.filter(({ owner, category }) => owner === first.owner && category === first.category);
  const queryParams = same.flatMap((each) => each.queryParams ?? []);
  return {
    ...first,
    jobTimeoutMs: Math.max(...same.map((each) => each.jobTimeoutMs)),
    secretProperties: [...new Set(same.flatMap((each) => each.secretProperties))],
    ...(queryParams.length > 0 ? { queryParams } : {}),
  };
}

/** For `aws codepipeline create-custom-action-type --cli-input-json`. */
function customInput(type: ActionTypeConfig, publicUrl: string | undefined): CustomActionTypeInput {
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
    // No executionUrlTemplate: CodePipeline fills in what the handler calls its execution (`{ExternalExecutionId}`), and the
    // pages here go by the job's id.
    ...(publicUrl === undefined ? {} : { settings: { entityUrlTemplate: publicUrl.replace(/\/*$/, "/") } }),
  };
}

/** What partnerd knows of a partner's type: no whole declaration, so that nobody can replace a live type by it. */
function thirdPartyPart(type: ActionTypeConfig, accountId: string) {
  const { category, owner, provider, version, jobTimeoutMs, secretProperties } = type;
  const wantedS = Math.ceil(jobTimeoutMs / 1_000) + marginS;
  return {
    id: { category, owner, provider, version },
    executor: {
      type: "JobWorker",
      configuration: { jobWorkerExecutorConfiguration: { pollingAccounts: [accountId] } },
      jobTimeout: Math.min(jobTimeoutS.max, Math.max(jobTimeoutS.min, wantedS)),
    },
    properties: secretProperties.map((name) => ({ name, noEcho: true })),
  };
}

type ThirdPartyPart = ReturnType<typeof thirdPartyPart>;

/** The parts of GetActionType's answer that a merge looks into; everything else is kept as it is. */
interface Declaration {
  readonly id: ThirdPartyPart["id"];
  readonly executor: {
    readonly type?: unknown;
    readonly jobTimeout?: number;
    readonly configuration?: {
      readonly jobWorkerExecutorConfiguration?: { readonly pollingAccounts?: readonly string[] };
    };
  };
  readonly properties?: readonly { readonly name: string }[];
}

/** For `aws codepipeline update-action-type --cli-input-json`: the type as it is, with what the configuration needs. */
function merged(answer: unknown, part: ThirdPartyPart): ActionTypeInput {
  const current = (answer as { readonly actionType?: unknown } | null)?.actionType as Declaration | undefined;
  if (typeof current?.id !== "object" || typeof current.executor !== "object") {
    return { mistake: "the file of --merge is not GetActionType's answer: aws codepipeline get-action-type prints it" };
  }
  const [theirs, ours] = [nameOf(current.id), nameOf(part.id)];
  if (theirs !== ours) return { mistake: `the file of --merge is about ${theirs}, not ${ours}` };
  if (current.executor.type !== "JobWorker") {
    return {
      mistake: `the executor of ${ours} is ${String(current.executor.type)}: have AWS change it to JobWorker first`,
    };
  }
  const secret = new Map(part.properties.map((each) => [each.name, each]));
  const known = (current.properties ?? []).map((each) => ({ ...each, ...secret.get(each.name) }));
  const missing = part.properties.find(({ name }) => !known.some((each) => each.name === name));
  if (missing) return { mistake: `${ours} has no property ${missing.name}: correct secretProperties` };
  return {
    partner: { actionType: { ...current, executor: executorOf(current, part), properties: known } },
    isPart: false,
  };
}

function executorOf({ executor }: Declaration, part: ThirdPartyPart): object {
  const worker = executor.configuration?.jobWorkerExecutorConfiguration;
  const { pollingAccounts } = part.executor.configuration.jobWorkerExecutorConfiguration;
  const accounts = [...new Set([...(worker?.pollingAccounts ?? []), ...pollingAccounts])];
  return {
    ...executor,
    configuration: { jobWorkerExecutorConfiguration: { ...worker, pollingAccounts: accounts } },
    jobTimeout: Math.max(executor.jobTimeout ?? 0, part.executor.jobTimeout),
  };
}

function nameOf({ owner, category, provider, version }: ThirdPartyPart["id"]): string {
  return `${owner}/${category}/${provider}/${version}`;
}

interface Property {
  readonly name: string;
  readonly isSecret: boolean;
  readonly isQueryable: boolean;
}

/** The properties that the configuration speaks of; an action type may have others. */
function propertiesOf({ secretProperties, queryParams = [] }: ActionTypeConfig): readonly Property[] {
  const queried = queryParams.flatMap(Object.keys);
  const names = [...new Set([...queried, ...secretProperties])];
  return names.map((name) => ({
    name,
    // CodePipeline does not take a queryable property that is secret.
    isSecret: secretProperties.includes(name) && !queried.includes(name),
    isQueryable: queried.includes(name),
  }));
}

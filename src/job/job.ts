// The nouns of CodePipeline's job API, in one flavour-free form. Pure: no I/O, no clock, no SDK.
// Whatever the service may leave out is optional here; whatever is secret is wrapped in Secret.
import type { Secret } from "./secret.js";

declare const brand: unique symbol;
/** A string that only the named kind of id may stand for; branded so that two ids are never mixed up. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Opaque: 1..512 characters for a third-party job, a UUID for a custom one. Never a file name as it is. */
export type JobId = Branded<"JobId">;
/** Who the customer is (third-party jobs only). */
export type ClientId = Branded<"ClientId">;
/** The proof for one client id, 1..256 characters. Always carried in a Secret. */
export type ClientToken = Branded<"ClientToken">;
/** CodePipeline's one-worker guard on acknowledge, 1..50 characters. */
export type Nonce = Branded<"Nonce">;
/** Given back with a success to say "not done, ask again", 1..2048 characters. */
export type ContinuationToken = Branded<"ContinuationToken">;
/** An AWS Region name such as `us-east-1`. */
export type Region = Branded<"Region">;

/** A name in `accounts` of the configuration, never `default`. */
export type AccountName = Branded<"AccountName">;

export type ActionOwner = "ThirdParty" | "Custom";
export type ActionCategory = "Source" | "Build" | "Deploy" | "Test" | "Invoke" | "Approval" | "Compute";

/** CodePipeline's ActionTypeId: all actions of one type share one implementation. */
export interface ActionType {
  readonly category: ActionCategory;
  readonly owner: ActionOwner;
  readonly provider: string;
  readonly version: string;
}

/** Where CodePipeline is called: in whose account, and in which Region. */
export interface Place {
  /** By whose credentials. Absent: the account `default`, the only one where none are configured. */
  readonly account?: AccountName;
  readonly region: Region;
}

/** What names one job everywhere: in the engine, the ledger, events and logs. */
export interface JobKey extends Place {
  readonly actionType: ActionType;
  readonly jobId: JobId;
  /** Third-party jobs only. */
  readonly clientId?: ClientId;
}

/** One entry of a poll's answer. A third-party poll gives ids only, a custom poll the whole job. */
export interface PolledJob {
  readonly key: JobKey;
  /** Custom jobs only: PollForJobs answers the details with the offer. */
  readonly job?: OfferedJob;
  /** Custom jobs whose offer waited for its turn: the nonce is kept, the details are fetched anew. */
  readonly nonce?: Nonce | undefined;
}

/** The nonce of an offer, whether its details came with it or not. */
export function nonceOffered({ job, nonce }: PolledJob): Nonce | undefined {
  return job?.nonce ?? nonce;
}

/** Where an artifact lies. CodePipeline knows only S3. */
export interface ArtifactLocation {
  readonly bucket: string;
  /** Has no file extension: the kind of the object is in its bytes. */
  readonly objectKey: string;
}

/** A named input or output of an action. */
export interface Artifact {
  readonly name: string;
  readonly revision?: string;
  readonly location?: ArtifactLocation;
}

/** Temporary STS credentials for the artifact bucket; they live about 15 minutes. */
export interface ArtifactCredentials {
  readonly accessKeyId: Secret<string>;
  readonly secretAccessKey: Secret<string>;
  readonly sessionToken: Secret<string>;
}

/** What a job needs to touch its artifacts. */
export interface ArtifactAccess {
  readonly credentials: ArtifactCredentials;
  /** Key id, key ARN or alias ARN. Absent: the AWS managed key. */
  readonly encryptionKeyId?: string;
}

/** The customer's pipeline, stage and action. ARN and execution id exist for custom jobs only. */
export interface PipelineContext {
  readonly pipelineName?: string;
  readonly stageName?: string;
  readonly actionName?: string;
  readonly actionExecutionId?: string;
  readonly pipelineArn?: string;
  readonly pipelineExecutionId?: string;
}

/** A job with its details (GetThirdPartyJobDetails, or PollForJobs for custom actions). */
export interface Job {
  readonly key: JobKey;
  /** Custom jobs only: the customer's account. */
  readonly accountId?: string;
  /** The action's configuration. Values of secret properties arrive in clear: never log it. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly pipeline: PipelineContext;
  readonly inputs: readonly Artifact[];
  readonly outputs: readonly Artifact[];
  readonly access?: ArtifactAccess;
  readonly continuationToken?: ContinuationToken;
}

/** A job with what it takes to acknowledge it. */
export interface OfferedJob extends Job {
  readonly nonce: Nonce;
}

/** CodePipeline's JobStatus. Unknown strings can arrive: compare, never assume. */
export type JobStatus = "Created" | "Queued" | "Dispatched" | "InProgress" | "TimedOut" | "Succeeded" | "Failed";

/** `ThirdParty/Test/Acme-Scan/1`: how an action type is written in logs and events. */
export function actionTypeName(actionType: ActionType): string {
  return `${actionType.owner}/${actionType.category}/${actionType.provider}/${actionType.version}`;
}

/** The account that is meant where none is named. */
export const defaultAccount = "default";

/** A place as others may hold it. */
interface AnyPlace {
  readonly account?: string | undefined;
  readonly region: string;
}

/** One string for a place: `us-east-1`, or `shop@us-east-1` for a named account. Neither name can hold an `@` or a `/`. */
export function placeName({ account, region }: AnyPlace): string {
  return account === undefined ? region : `${account}@${region}`;
}

/** The place that `placeName` named. */
export function placeFrom(name: string): Place {
  const at = name.indexOf("@");
  const region = name.slice(at + 1) as Region;
  return at < 0 ? { region } : placeOf({ account: name.slice(0, at) as AccountName, region });
}

/** Only the place of something; that of the account `default` names none. */
export function placeOf({ account, region }: AnyPlace): Place {
  const isNamed = account !== undefined && account !== defaultAccount;
  return { ...(isNamed ? { account: account as AccountName } : {}), region: region as Region };
}

/** A place in words: `us-east-1`, or `us-east-1 (account shop)`. */
export function placeText({ account, region }: AnyPlace): string {
  return account === undefined ? region : `${region} (account ${account})`;
}

/** Names the jobs of one type in one place. */
export function typeKey({ actionType, ...place }: Place & Pick<JobKey, "actionType">): string {
  return `${placeName(place)} ${actionTypeName(actionType)}`;
}

/** Names a poller; `query` is what it asks for, such as `Project=shop`, where it does not poll for every job. */
export function pollerName(
  poller: Place & Pick<JobKey, "actionType"> & { readonly query?: string | undefined },
): string {
  return poller.query === undefined ? typeKey(poller) : `${typeKey(poller)} ${poller.query}`;
}

/** One string for a job within one fleet: a job id is unique within its account and Region. */
export function jobKeyName(key: Place & Pick<JobKey, "jobId">): string {
  return `${placeName(key)}/${key.jobId}`;
}

// The emulator's own nouns: a job with its history, and the view of it that users get.
// A second reading of the API on purpose: nothing here comes from the daemon's side.

/** CodePipeline's JobStatus. */
export type WireStatus = "Created" | "Queued" | "Dispatched" | "InProgress" | "TimedOut" | "Succeeded" | "Failed";

/** And the one that only actions have: no worker ever hears it. */
export type JobStatus = WireStatus | "Abandoned";

/** Which of the two job APIs serves the job. */
export type Flavour = "ThirdParty" | "Custom";

/** CodePipeline's ActionTypeId. */
export interface ActionTypeId {
  readonly category: string;
  readonly owner: string;
  readonly provider: string;
  readonly version: string;
}

/** An input or output artifact with its place in S3. */
export interface EmulatedArtifact {
  readonly name: string;
  readonly revision?: string;
  readonly bucket: string;
  readonly key: string;
}

/** What was uploaded as an output artifact. */
export interface UploadedArtifact {
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly atMs: number;
  readonly contentType: string;
  /** `aws:kms`, or `AES256` when nothing was asked for. */
  readonly encryption: string;
  /** As the upload named it; absent for the managed key. */
  readonly kmsKeyId?: string;
  /** `crc32:…`, as S3 keeps it. */
  readonly checksum?: string;
  /** The job whose credentials uploaded it. */
  readonly byJob?: string;
}

/** An output artifact with what is there now. */
export interface OutputView extends EmulatedArtifact {
  readonly uploaded?: UploadedArtifact;
}

/** Where in which pipeline the job belongs; ARN and execution id go to custom jobs only. */
export interface Pipeline {
  readonly name: string;
  readonly stage: string;
  readonly action: string;
  /** The same for all jobs of one action execution, so also along a chain of continuations. */
  readonly actionExecutionId: string;
  readonly executionId: string;
}

/** A job as it is made: all that never changes. */
export interface JobSeed {
  readonly id: string;
  readonly region: string;
  readonly actionType: ActionTypeId;
  readonly flavour: Flavour;
  /** Third-party only. */
  readonly clientId?: string;
  /** Custom only. */
  readonly accountId?: string;
  /** The account whose polls find it, of a custom job where accounts are told apart. */
  readonly queueAccount?: string;
  readonly configuration: Readonly<Record<string, string>>;
  /** The value of the type's queryable property. */
  readonly queryValue?: string;
  readonly pipeline: Pipeline;
  readonly inputs: readonly EmulatedArtifact[];
  readonly outputs: readonly EmulatedArtifact[];
  readonly encryptionKeyId?: string;
  /** How long its artifact credentials live; left out: as the setting says. */
  readonly credentialsMs?: number;
  readonly continuationToken?: string;
  /** The job whose success result carried the token. */
  readonly continues?: string;
  /** How long until it can be polled. */
  readonly delayMs: number;
  readonly jobTimeoutMs: number;
}

/** Who called, as histories keep it. */
export interface Caller {
  readonly callId: string;
  readonly operation: string;
  readonly atMs: number;
  readonly appId?: string;
  readonly userAgent?: string;
}

/** One try to acknowledge. */
export interface AcknowledgeEntry extends Caller {
  /** The status answered, or the error's code. */
  readonly answer: string;
}

/** One try to put a result. */
export interface ResultEntry extends Caller {
  readonly kind: "success" | "failure";
  /** `accepted`, or the error's code. */
  readonly answer: string;
  /** The request without job id and client token. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** A job while it lives in the emulator. */
export interface EmulatedJob {
  readonly seed: JobSeed;
  status: JobStatus;
  /** Set from the first offer on. */
  nonce: string | undefined;
  readonly createdAtMs: number;
  queuedAtMs: number | undefined;
  acknowledgedAtMs: number | undefined;
  endedAtMs: number | undefined;
  continuedBy: string | undefined;
  /** The first job of the action execution that a stage retry began in its place. */
  retriedBy: string | undefined;
  /** The first result that was accepted; there is never a second. */
  accepted: ResultEntry | undefined;
  readonly offers: Caller[];
  readonly details: Caller[];
  readonly acknowledges: AcknowledgeEntry[];
  readonly results: ResultEntry[];
  /** True totals: the lists above keep only their first entries. */
  readonly counts: { offers: number; details: number; acknowledges: number; results: number };
  /** Ends the wait for the queue or for the acknowledgement. */
  cancelWait: () => void;
  cancelTimeout: () => void;
}

/** A job as users see it, in process and at `GET /_control/jobs/ID`; a copy that never changes. Times in ms. */
export interface JobView {
  readonly id: string;
  readonly region: string;
  readonly actionType: ActionTypeId;
  readonly clientId?: string;
  readonly status: JobStatus;
  readonly configuration: Readonly<Record<string, string>>;
  readonly pipeline: Pipeline;
  readonly inputs: readonly EmulatedArtifact[];
  readonly outputs: readonly OutputView[];
  readonly encryptionKeyId?: string;
  readonly continuationToken?: string;
  readonly continues?: string;
  readonly continuedBy?: string;
  readonly retriedBy?: string;
  readonly createdAtMs: number;
  readonly queuedAtMs?: number;
  readonly acknowledgedAtMs?: number;
  readonly endedAtMs?: number;
  /** The result that ended the job. */
  readonly result?: ResultEntry;
  readonly counts: Readonly<EmulatedJob["counts"]>;
  readonly offers: readonly Caller[];
  readonly details: readonly Caller[];
  readonly acknowledges: readonly AcknowledgeEntry[];
  readonly results: readonly ResultEntry[];
}

/** `owner/category/provider/version`: the name of an action type within a Region. */
export function typeKey(id: ActionTypeId): string {
  return `${id.owner}/${id.category}/${id.provider}/${id.version}`;
}

/** True once nothing can change the job any more. */
export function hasEnded(status: JobStatus): boolean {
  return status === "Succeeded" || status === "Failed" || status === "TimedOut" || status === "Abandoned";
}

/** A copy of the job for users. */
export function viewOf(job: EmulatedJob): JobView {
  const { seed } = job;
  return {
    id: seed.id,
    region: seed.region,
    actionType: seed.actionType,
    ...(seed.clientId !== undefined && { clientId: seed.clientId }),
    status: job.status,
    configuration: seed.configuration,
    pipeline: seed.pipeline,
    inputs: seed.inputs,
    outputs: seed.outputs,
    ...(seed.encryptionKeyId !== undefined && { encryptionKeyId: seed.encryptionKeyId }),
    ...(seed.continuationToken !== undefined && { continuationToken: seed.continuationToken }),
    ...(seed.continues !== undefined && { continues: seed.continues }),
    ...(job.continuedBy !== undefined && { continuedBy: job.continuedBy }),
    ...(job.retriedBy !== undefined && { retriedBy: job.retriedBy }),
    createdAtMs: job.createdAtMs,
    ...(job.queuedAtMs !== undefined && { queuedAtMs: job.queuedAtMs }),
    ...(job.acknowledgedAtMs !== undefined && { acknowledgedAtMs: job.acknowledgedAtMs }),
    ...(job.endedAtMs !== undefined && { endedAtMs: job.endedAtMs }),
    ...(job.accepted !== undefined && { result: job.accepted }),
    counts: { ...job.counts },
    offers: [...job.offers],
    details: [...job.details],
    acknowledges: [...job.acknowledges],
    results: [...job.results],
  };
}

// What the real service has not told us, and the few limits of the emulator itself: each a named setting.
// The emulator's only home of defaults; it is a product of its own and knows no configuration file of the daemon.

/** The settings that can also be changed while the emulator runs. All times in ms. */
export interface Settings {
  /** How long a polled job waits for its acknowledgement before it is offered again. */
  readonly redeliveryMs: number;
  /** What a second acknowledgement with the right nonce answers while the job is in progress. */
  readonly repeatedAcknowledge: "InProgress" | "InvalidNonceException";
  /** Whether a job that is offered again gets a new nonce; the old one is refused from then on. */
  readonly freshNonceAtRedelivery: boolean;
  /** Whether every GetThirdPartyJobDetails before the acknowledgement makes a new nonce; only the latest is good. */
  readonly freshNonceAtDetails: boolean;
  /** How long after a result with a continuation token the next job can be polled. */
  readonly continuationDelayMs: number;
  /** What a result for a job that is over answers. */
  readonly putAfterEnd: "InvalidJobStateException" | "JobNotFoundException";
  /** What a result for a job of an abandoned action answers; `accepted`: as if all were well, and nothing follows. */
  readonly putAfterAbandon: "InvalidJobStateException" | "JobNotFoundException" | "accepted";
  /** What the acknowledge of a job of an abandoned action answers, if its nonce is right. */
  readonly acknowledgeAfterAbandon: "Failed" | "InvalidNonceException" | "JobNotFoundException";
  /** What the details of a job that is over answer (InvalidJobException is third-party only: else JobNotFound). */
  readonly detailsAfterEnd: "answered" | "InvalidJobException" | "JobNotFoundException";
  /** How long a third-party job may take from when it can be polled; then it is TimedOut. */
  readonly jobTimeoutMs: number;
  /** And a custom one. */
  readonly customJobTimeoutMs: number;
  /** What a poll answers whom the action type does not let poll: another account, or any for a Lambda executor. */
  readonly foreignPoll: "ActionTypeNotFoundException" | "AccessDeniedException";
  /** Most jobs that one poll answers, whatever it asks for. */
  readonly maxBatchSizeCap: number;
  /** How many jobs a poll without maxBatchSize answers. */
  readonly defaultBatchSize: number;
  /** Entries per page of ListActionTypes. */
  readonly listPageSize: number;
  /** How long the artifact credentials of a job live; each answer with the job's data brings new ones. */
  readonly credentialsMs: number;
  /** What a job hears that asks for an input that is not there; AWS tells only those who may list the bucket. */
  readonly missingArtifact: "NoSuchKey" | "AccessDenied";
  /** Most bytes of all stored objects together, in files under the system's temporary folder. */
  readonly storageMaxBytes: number;
  /** How many jobs that are over are remembered; the oldest beyond are JobNotFound. */
  readonly keepEnded: number;
}

/** Defaults where the service is silent: the answers most likely, and times that suit trying things out. */
export const defaultSettings: Settings = {
  redeliveryMs: 60_000,
  repeatedAcknowledge: "InProgress",
  freshNonceAtRedelivery: true,
  freshNonceAtDetails: false,
  continuationDelayMs: 1_000,
  putAfterEnd: "InvalidJobStateException",
  putAfterAbandon: "InvalidJobStateException",
  acknowledgeAfterAbandon: "Failed",
  detailsAfterEnd: "answered",
  // CodePipeline's quotas: one hour for an action of a partner, a day for a custom one.
  jobTimeoutMs: 3_600_000,
  customJobTimeoutMs: 86_400_000,
  foreignPoll: "ActionTypeNotFoundException",
  maxBatchSizeCap: 100,
  defaultBatchSize: 1,
  listPageSize: 100,
  // What AWS's own Jenkins plugin counts on.
  credentialsMs: 900_000,
  missingArtifact: "NoSuchKey",
  storageMaxBytes: 8_589_934_592,
  keepEnded: 10_000,
};

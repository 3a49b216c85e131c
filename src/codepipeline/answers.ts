// Reads what CodePipeline answered, as if it could be anything: every member is optional in the service's model,
// may be null, and comes with others that we do not know. What cannot be read says so; nothing is guessed.

import type {
  ActionConfiguration,
  Artifact as SdkArtifact,
  PipelineContext as SdkPipelineContext,
} from "@aws-sdk/client-codepipeline";
import { messageOf } from "../job/failure.js";
import type {
  Artifact,
  ArtifactAccess,
  ContinuationToken,
  Job,
  JobKey,
  Nonce,
  PipelineContext,
  PolledJob,
} from "../job/job.js";
import { cut, limits } from "../job/limits.js";
import { Secret } from "../job/secret.js";
import type { PollAnswer } from "./gateway.js";

/** Says which member cannot be read; becomes a fault or a skipped entry, job by job. */
export class UnreadableAnswer extends Error {
  readonly code = "unreadable-answer";
}

/** The members that ThirdPartyJobData and JobData share. */
export interface SdkJobData {
  readonly actionConfiguration?: ActionConfiguration | null | undefined;
  readonly pipelineContext?: SdkPipelineContext | null | undefined;
  readonly inputArtifacts?: readonly SdkArtifact[] | null | undefined;
  readonly outputArtifacts?: readonly SdkArtifact[] | null | undefined;
  readonly artifactCredentials?: unknown;
  readonly continuationToken?: unknown;
  readonly encryptionKey?: unknown;
}

/** The job's data in our words. Throws UnreadableAnswer when what a handler must rely on is missing or no text. */
export function readJobData(key: JobKey, data: SdkJobData | null | undefined, accountId?: unknown): Job {
  if (!isMap(data)) throw new UnreadableAnswer("the answer has no job data");
  const access = readAccess(data);
  const continuationToken = optionalText(data.continuationToken, "continuationToken");
  const account = optionalText(accountId, "accountId");
  return {
    key,
    configuration: readConfiguration(data.actionConfiguration),
    pipeline: readPipeline(optionalMap(data.pipelineContext, "pipeline context")),
    inputs: readArtifacts(data.inputArtifacts, "inputArtifacts"),
    outputs: readArtifacts(data.outputArtifacts, "outputArtifacts"),
    ...(account ? { accountId: account } : {}),
    ...(access ? { access } : {}),
    ...(continuationToken ? { continuationToken: continuationToken as ContinuationToken } : {}),
  };
}

/** The nonce, without which a job cannot be acknowledged. Throws UnreadableAnswer. */
export function readNonce(nonce: unknown): Nonce {
  const text = requiredText(nonce, "nonce", limits.nonce);
  return text as Nonce;
}

/** A text of 1..max characters. Throws UnreadableAnswer. */
export function requiredText(value: unknown, name: string, max: number): string {
  const text = optionalText(value, name);
  if (!text) throw new UnreadableAnswer(`the answer has no ${name}`);
  if (text.length > max) {
    throw new UnreadableAnswer(`the answer's ${name} has ${text.length} characters (at most ${max})`);
  }
  return text;
}

/** The jobs of a poll; an entry that cannot be read is told, and the others are not lost with it. */
export function readPoll<T>(value: readonly T[] | null | undefined, read: (entry: T) => PolledJob): PollAnswer {
  const jobs: PolledJob[] = [];
  const unreadable: string[] = [];
  for (const entry of readList(value, "jobs")) {
    try {
      jobs.push(read(entry));
    } catch (error) {
      unreadable.push(messageOf(error));
    }
  }
  return { jobs, unreadable };
}

/** Entries of a list that may be absent or null. Throws UnreadableAnswer when it is no list. */
export function readList<T>(value: readonly T[] | null | undefined, name: string): readonly T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UnreadableAnswer(`the answer's ${name} is no list`);
  return value;
}

function readConfiguration(holder: ActionConfiguration | null | undefined): Readonly<Record<string, string>> {
  const configuration: Record<string, string> = Object.create(null) as Record<string, string>;
  const values = optionalMap(optionalMap(holder, "action configuration")?.configuration, "action configuration");
  for (const [name, entry] of Object.entries<unknown>(values ?? {})) {
    if (entry === null || entry === undefined) continue;
    if (typeof entry !== "string") {
      throw new UnreadableAnswer(`the answer's configuration property ${cut(name, 60)} is no text`);
    }
    configuration[name] = entry;
  }
  return configuration;
}

function readPipeline(context: SdkPipelineContext | undefined): PipelineContext {
  const stage = optionalMap(context?.stage, "stage");
  const action = optionalMap(context?.action, "action");
  const pipeline = {
    pipelineName: optionalText(context?.pipelineName, "pipelineName"),
    stageName: optionalText(stage?.name, "stage name"),
    actionName: optionalText(action?.name, "action name"),
    actionExecutionId: optionalText(action?.actionExecutionId, "actionExecutionId"),
    pipelineArn: optionalText(context?.pipelineArn, "pipelineArn"),
    pipelineExecutionId: optionalText(context?.pipelineExecutionId, "pipelineExecutionId"),
  };
  return Object.fromEntries(Object.entries(pipeline).filter(([, value]) => value !== undefined));
}

function readArtifacts(value: readonly SdkArtifact[] | null | undefined, list: string): readonly Artifact[] {
  return readList(value, list).map((artifact) => {
    const name = requiredText(artifact?.name, `${list} entry's name`, 100);
    const revision = optionalText(artifact.revision, "artifact revision");
    const bucket = optionalText(artifact.location?.s3Location?.bucketName, "bucketName");
    const objectKey = optionalText(artifact.location?.s3Location?.objectKey, "objectKey");
    return {
      name,
      ...(revision ? { revision } : {}),
      ...(bucket && objectKey ? { location: { bucket, objectKey } } : {}),
    };
  });
}

function readAccess(data: SdkJobData): ArtifactAccess | undefined {
  const credentials = data.artifactCredentials;
  if (typeof credentials !== "object" || credentials === null) return undefined;
  const raw = credentials as Record<string, unknown>;
  const parts = [raw["accessKeyId"], raw["secretAccessKey"], raw["sessionToken"]];
  if (!parts.every((part) => typeof part === "string" && part !== "")) return undefined;
  const [accessKeyId, secretAccessKey, sessionToken] = parts.map((part) => new Secret(part as string));
  if (!accessKeyId || !secretAccessKey || !sessionToken) return undefined;
  const keyId = (data.encryptionKey as { id?: unknown } | null | undefined)?.id;
  return {
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    ...(typeof keyId === "string" && keyId !== "" ? { encryptionKeyId: keyId } : {}),
  };
}

function optionalMap<T>(value: T | null | undefined, name: string): T | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isMap(value)) throw new UnreadableAnswer(`the answer's ${name} is no map`);
  return value;
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function optionalText(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw new UnreadableAnswer(`the answer's ${name} is no text`);
  return value;
}

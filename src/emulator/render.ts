// Jobs as the wire shows them, with the superfluous `__type` members that the real service sends along.
// The two flavours differ here: account, pipeline ARN and execution id are for custom jobs only.
import type { EmulatedArtifact, EmulatedJob } from "./emulated-job.js";
import type { SessionCredentials } from "./s3/issuer.js";

/** One entry of PollForThirdPartyJobs: two ids and nothing else. */
export function asThirdPartyJob(job: EmulatedJob): Record<string, unknown> {
  return { clientId: job.seed.clientId, jobId: job.seed.id };
}

/** The ThirdPartyJobDetails of GetThirdPartyJobDetails. */
export function asThirdPartyJobDetails(job: EmulatedJob, credentials: SessionCredentials): Record<string, unknown> {
  // A job that was never offered has no nonce yet, and the member is optional.
  return { id: job.seed.id, data: jobData(job, credentials), ...(job.nonce !== undefined && { nonce: job.nonce }) };
}

/** One entry of PollForJobs: the whole job. */
export function asJob(job: EmulatedJob, credentials: SessionCredentials): Record<string, unknown> {
  return { id: job.seed.id, data: jobData(job, credentials), nonce: job.nonce, accountId: job.seed.accountId };
}

/** The JobDetails of GetJobDetails: like the poll's, but without a nonce. */
export function asJobDetails(job: EmulatedJob, credentials: SessionCredentials): Record<string, unknown> {
  return { id: job.seed.id, data: jobData(job, credentials), accountId: job.seed.accountId };
}

function jobData(job: EmulatedJob, credentials: SessionCredentials): Record<string, unknown> {
  const { seed } = job;
  return {
    actionTypeId: { __type: "ActionTypeId", ...seed.actionType },
    actionConfiguration: { __type: "ActionConfiguration", configuration: seed.configuration },
    pipelineContext: pipelineContext(job),
    inputArtifacts: seed.inputs.map(asArtifact),
    outputArtifacts: seed.outputs.map(asArtifact),
    artifactCredentials: { __type: "AWSSessionCredentials", ...credentials },
    ...(seed.continuationToken !== undefined && { continuationToken: seed.continuationToken }),
    ...(seed.encryptionKeyId !== undefined && {
      encryptionKey: { __type: "EncryptionKey", id: seed.encryptionKeyId, type: "KMS" },
    }),
  };
}

function pipelineContext(job: EmulatedJob): Record<string, unknown> {
  const { pipeline, region, flavour } = job.seed;
  return {
    __type: "PipelineContext",
    pipelineName: pipeline.name,
    stage: { name: pipeline.stage },
    action: { name: pipeline.action, actionExecutionId: pipeline.actionExecutionId },
    ...(flavour === "Custom" && {
      pipelineArn: `arn:${partitionOf(region)}:codepipeline:${region}:${job.seed.accountId}:${pipeline.name}`,
      pipelineExecutionId: pipeline.executionId,
    }),
  };
}

function asArtifact(artifact: EmulatedArtifact): Record<string, unknown> {
  return {
    __type: "Artifact",
    name: artifact.name,
    ...(artifact.revision !== undefined && { revision: artifact.revision }),
    location: { type: "S3", s3Location: { bucketName: artifact.bucket, objectKey: artifact.key } },
  };
}

/** AWS's partitions but the first, by how their Regions begin (AWS General Reference). */
const partitions: readonly (readonly [start: string, partition: string])[] = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["us-isob-", "aws-iso-b"],
  ["us-isof-", "aws-iso-f"],
  ["us-iso-", "aws-iso"],
  ["eu-isoe-", "aws-iso-e"],
  ["eusc-", "aws-eusc"],
];

function partitionOf(region: string): string {
  return partitions.find(([start]) => region.startsWith(start))?.[1] ?? "aws";
}

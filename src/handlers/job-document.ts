// The JSON that a foreign handler sees: the job document, and the JSON Schemas of it and of the outcome document.
// Knows only what may leave the daemon: never the nonce, a client token or the artifact credentials.

import type { ArtifactLink, ArtifactLinks } from "../artifacts/artifacts.js";
import { failureTypes } from "../job/failure.js";
import { limits, outputVariableName, percentMax } from "../job/limits.js";
import type { HandlerCall, JobDocument } from "./handler.js";

/** Where a service delivers the outcome of a job that it answered with 202. */
export interface CallbackAddress {
  readonly url: string;
  /** Sent back as `Authorization: Bearer TOKEN`; valid for this one job. */
  readonly token: string;
}

/** How a service reaches one artifact: by this request, with exactly these headers. */
export interface ArtifactRequest {
  readonly method: "GET" | "PUT";
  /** Pre-signed, and so a secret. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The job document as an http handler gets it. */
export interface HttpJobDocument extends Omit<JobDocument, "inputs" | "outputs"> {
  readonly inputs: readonly (JobDocument["inputs"][number] & Partial<ArtifactRequest>)[];
  readonly outputs: readonly (JobDocument["outputs"][number] & Partial<ArtifactRequest>)[];
  /** ISO 8601: until when the requests are accepted. Absent when there are none. */
  readonly artifactsUntil?: string;
  /** Absent when the daemon has no admin port: the service must then answer 200 with the outcome. */
  readonly callback?: CallbackAddress;
}

/** The job document (version 1) of a call: a copy, so that nothing a handler does to it reaches the engine. */
export function jobDocument(call: Pick<HandlerCall, "job" | "deadline">): JobDocument {
  const { job } = call;
  const { key, pipeline } = job;
  const { category, owner, provider, version } = key.actionType;
  return {
    version: 1,
    jobId: key.jobId,
    region: key.region,
    ...(key.account === undefined ? {} : { account: key.account }),
    ...(key.clientId === undefined ? {} : { clientId: key.clientId }),
    ...(job.accountId === undefined ? {} : { accountId: job.accountId }),
    actionType: { category, owner, provider, version },
    // Object.entries and fromEntries keep a property called __proto__ a property.
    configuration: Object.fromEntries(Object.entries(job.configuration)),
    pipeline: {
      ...(pipeline.pipelineName === undefined ? {} : { pipelineName: pipeline.pipelineName }),
      ...(pipeline.stageName === undefined ? {} : { stageName: pipeline.stageName }),
      ...(pipeline.actionName === undefined ? {} : { actionName: pipeline.actionName }),
      ...(pipeline.actionExecutionId === undefined ? {} : { actionExecutionId: pipeline.actionExecutionId }),
      ...(pipeline.pipelineArn === undefined ? {} : { pipelineArn: pipeline.pipelineArn }),
      ...(pipeline.pipelineExecutionId === undefined ? {} : { pipelineExecutionId: pipeline.pipelineExecutionId }),
    },
    ...(job.continuationToken === undefined ? {} : { continuationToken: job.continuationToken }),
    inputs: job.inputs.map(({ name, revision }) => ({ name, ...(revision === undefined ? {} : { revision }) })),
    outputs: job.outputs.map(({ name }) => ({ name })),
    deadline: new Date(call.deadline.wallMs()).toISOString(),
  };
}

/** The document with the requests by which a service fetches and uploads. */
export function withLinks<D extends JobDocument>(document: D, links: ArtifactLinks): D & HttpJobDocument {
  const request = (method: "GET" | "PUT", of: readonly ArtifactLink[], name: string): Partial<ArtifactRequest> => {
    const link = of.find((each) => each.name === name);
    return link ? { method, url: link.url, headers: link.headers } : {};
  };
  return {
    ...document,
    inputs: document.inputs.map((each) => ({ ...each, ...request("GET", links.inputs, each.name) })),
    outputs: document.outputs.map((each) => ({ ...each, ...request("PUT", links.outputs, each.name) })),
    artifactsUntil: new Date(links.until.wallMs()).toISOString(),
  };
}

const text = { type: "string" } as const;

/** What http handlers get in addition to an artifact's name. */
const requestMembers = (method: "GET" | "PUT", what: string) =>
  ({
    method: { description: `http handlers only: how ${what}.`, const: method },
    url: { description: "http handlers only: pre-signed, good until artifactsUntil. A secret.", ...text },
    headers: {
      description: "http handlers only: the request must carry them exactly so; they are signed.",
      type: "object",
      additionalProperties: text,
    },
  }) as const;

/** JSON Schema of the job document. Readers must allow members that they do not know: later versions may add some. */
export const jobDocumentSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "partnerd job document, version 1",
  description:
    "What every handler receives: on stdin (command), as the body of a POST (http), as the argument (module).",
  type: "object",
  required: ["version", "jobId", "region", "actionType", "configuration", "pipeline", "inputs", "outputs", "deadline"],
  properties: {
    version: { const: 1 },
    jobId: {
      description: "Opaque: any characters, also unsafe ones. Never use it as a file name as it is.",
      type: "string",
      minLength: 1,
      maxLength: limits.thirdPartyJobId,
    },
    region: { description: "The AWS Region of the pipeline.", ...text },
    account: {
      description: "The account, by its name in `accounts` of the configuration. Absent: `default`.",
      ...text,
    },
    clientId: { description: "Who the customer is. Third-party jobs only.", ...text },
    accountId: { description: "The customer's AWS account. Custom jobs only.", ...text },
    actionType: {
      type: "object",
      required: ["category", "owner", "provider", "version"],
      properties: {
        category: text,
        owner: { enum: ["ThirdParty", "Custom"] },
        provider: text,
        version: text,
      },
    },
    configuration: {
      description: "The action's configuration; values of secret properties are in clear.",
      type: "object",
      additionalProperties: text,
    },
    pipeline: {
      description: "The customer's pipeline, stage and action. ARN and execution id exist for custom jobs only.",
      type: "object",
      properties: {
        pipelineName: text,
        stageName: text,
        actionName: text,
        actionExecutionId: { description: "The same for all jobs of one action execution.", ...text },
        pipelineArn: text,
        pipelineExecutionId: text,
      },
    },
    continuationToken: {
      description: "The token that the previous job returned with `continued`. Absent: the action's first job.",
      type: "string",
      minLength: 1,
      maxLength: limits.continuationToken,
    },
    inputs: {
      type: "array",
      items: {
        type: "object",
        required: ["name"],
        properties: { name: text, revision: text, ...requestMembers("GET", "the artifact is fetched") },
      },
    },
    outputs: {
      type: "array",
      items: {
        type: "object",
        required: ["name"],
        properties: { name: text, ...requestMembers("PUT", "the artifact, a zip, is uploaded") },
      },
    },
    artifactsUntil: {
      description: "http handlers only: until when the artifacts' URLs work. A repeated request brings fresh ones.",
      type: "string",
      format: "date-time",
    },
    deadline: {
      description: "When the handler is aborted and the job fails.",
      type: "string",
      format: "date-time",
    },
    callback: {
      description: "http handlers only: where an outcome goes after a 202, with `Authorization: Bearer TOKEN`.",
      type: "object",
      required: ["url", "token"],
      properties: { url: { type: "string", format: "uri" }, token: text },
    },
  },
} as const;

const summary = {
  description: `Shown in the console; truncated to ${limits.executionSummary} characters.`,
  ...text,
} as const;
const externalExecutionId = {
  description: `Fills {ExternalExecutionId} in the action type's link; truncated to ${limits.externalExecutionId} characters.`,
  ...text,
} as const;

/** JSON Schema of the outcome document: what a handler must give. */
export const outcomeDocumentSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "partnerd outcome document, version 1",
  description:
    "What a handler returns: as its value (module), in the file PARTNERD_OUTCOME (command), as the answer (http).",
  oneOf: [
    {
      title: "The action is done.",
      type: "object",
      required: ["kind"],
      properties: {
        kind: { const: "succeeded" },
        summary,
        externalExecutionId,
        revision: {
          type: "object",
          required: ["revision", "changeIdentifier"],
          properties: {
            revision: { type: "string", minLength: 1 },
            changeIdentifier: { type: "string", minLength: 1 },
            created: { type: "string", format: "date-time" },
            summary: text,
          },
        },
        outputVariables: {
          description: "Custom actions only; 122,880 bytes in all.",
          type: "object",
          propertyNames: { pattern: outputVariableName.source },
          additionalProperties: text,
        },
      },
      not: { required: ["continuationToken"] },
    },
    {
      title: "This job is done, the action is not: CodePipeline offers a new job that carries the token.",
      type: "object",
      required: ["kind", "continuationToken"],
      properties: {
        kind: { const: "continued" },
        continuationToken: {
          description: "Holds all that any worker needs to continue. Must not hold a secret.",
          type: "string",
          minLength: 1,
          maxLength: limits.continuationToken,
        },
        percentComplete: { type: "integer", minimum: 0, maximum: percentMax },
        summary,
        externalExecutionId,
      },
      not: { required: ["outputVariables"] },
    },
    {
      title: "The action failed.",
      type: "object",
      required: ["kind"],
      properties: {
        kind: { const: "failed" },
        type: { description: "Default: JobFailed.", enum: failureTypes },
        message: { description: `Why; truncated to ${limits.failureMessage} characters.`, ...text },
        externalExecutionId,
      },
    },
  ],
} as const;

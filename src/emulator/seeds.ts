// From the documents that users write to the records that the emulator keeps: fills in what was left out and tells
// what does not fit together. Adds nothing itself.
import { randomUUID } from "node:crypto";
import type { Accounts } from "./accounts.js";
import type { ActionTypeRecord, ActionTypes } from "./action-types.js";
import { emulatedAccount } from "./action-types.js";
import type { Clients } from "./clients.js";
import type { ActionTypeId, EmulatedArtifact, JobSeed } from "./emulated-job.js";
import { typeKey } from "./emulated-job.js";
import type { Settings } from "./emulator-settings.js";
import { defaultRegion } from "./job-api.js";
import type { JobStore } from "./job-store.js";
import type { ActionTypeDocument, ArtifactDocument, JobsDocument } from "./scenario-documents.js";
import { Mistakes } from "./scenario-documents.js";

/** The customer of third-party jobs that name none. */
export const defaultClient = {
  clientId: "00000000-0000-4000-8000-000000000001",
  clientToken: "emulated-client-token",
} as const;

/** Of a resolved action configuration, names and values (CodePipeline quotas). */
const configurationMaxBytes = 102_400;
/** Artifacts on one side of a custom action; others may have ten (ArtifactDetails, ActionTypeArtifactDetails). */
const customArtifactsMax = 5;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The type's id with what was left out. */
export function idOf(document: JobsDocument["actionType"]): ActionTypeId {
  const { category = "Test", owner = "ThirdParty", provider, version = "1" } = document;
  return { category, owner, provider, version };
}

/** One record per Region. Throws Mistakes. */
export function actionTypesOf(document: ActionTypeDocument): readonly ActionTypeRecord[] {
  const over = (["inputs", "outputs"] as const).filter(
    (side) => document.owner === "Custom" && (document[side]?.maximumCount ?? 0) > customArtifactsMax,
  );
  if (over.length > 0)
    throw new Mistakes(over.map((side) => `${side}: a custom type has ${customArtifactsMax} at most`));
  const owners = document.owner === "Custom" && document.accounts ? document.accounts : [undefined];
  const places = (document.regions ?? [defaultRegion]).flatMap((region) =>
    owners.map((account) => ({ region, account })),
  );
  return places.map(({ region, account }) => ({
    id: idOf(document),
    region,
    ...(account !== undefined && { account }),
    ...(document.accounts && document.owner !== "Custom" && { pollingAccounts: document.accounts }),
    ...(document.description !== undefined && { description: document.description }),
    properties: (document.properties ?? []).map((property) => ({
      required: property.queryable ?? false,
      key: false,
      secret: false,
      ...property,
    })),
    inputs: document.inputs ?? { minimumCount: 0, maximumCount: 5 },
    outputs: document.outputs ?? { minimumCount: 0, maximumCount: 5 },
    ...(document.jobTimeout !== undefined && { jobTimeoutS: document.jobTimeout }),
    ...(document.settings && { settings: document.settings }),
  }));
}

/** The jobs that the document asks for. Throws Mistakes. */
export function jobSeedsOf(
  document: JobsDocument,
  at: {
    readonly types: ActionTypes;
    readonly clients: Clients;
    readonly store: JobStore;
    readonly accounts: Accounts;
    readonly settings: Settings;
  },
): readonly JobSeed[] {
  const region = document.region ?? defaultRegion;
  const id = idOf(document.actionType);
  const account = id.owner === "Custom" && at.accounts.isOn ? document.accountId : undefined;
  if (account !== undefined && !at.accounts.has(account)) {
    throw new Mistakes([`accountId: there is no account ${account}; add it first`]);
  }
  const type = at.types.find(region, id, account);
  if (!type) throw new Mistakes([`actionType: there is no ${typeKey(id)} in ${region}; add it first`]);
  const ids = document.ids ?? Array.from({ length: document.count ?? 1 }, () => randomUUID());
  const queryable = id.owner === "Custom" ? type.properties.find((property) => property.queryable) : undefined;
  const queryValue = queryable && document.configuration?.[queryable.name];
  const mistakes = [
    ...(queryable && queryValue === undefined
      ? [`configuration: must have ${queryable.name}, the queryable property: without it no poll finds the job`]
      : []),
    ...mistakesInIds(document, id, ids, (jobId) => at.store.has(region, jobId)),
    ...mistakesInClient(document, id, at.clients),
    ...(id.owner === "Custom" && at.accounts.isOn && account === undefined
      ? ["accountId: is required, since the emulator has accounts: name the one whose pipeline it is"]
      : []),
    ...mistakesInConfiguration(document),
    ...mistakesInArtifacts(document, type),
  ];
  if (mistakes.length > 0) throw new Mistakes(mistakes);
  const ownTimeoutMs = id.owner === "Custom" ? at.settings.customJobTimeoutMs : at.settings.jobTimeoutMs;
  const typeTimeoutMs = type.jobTimeoutS === undefined ? undefined : type.jobTimeoutS * 1_000;
  return ids.map((jobId) => ({
    id: jobId,
    region,
    actionType: id,
    ...(id.owner === "Custom"
      ? {
          flavour: "Custom",
          accountId: document.accountId ?? emulatedAccount,
          ...(account !== undefined && { queueAccount: account }),
        }
      : { flavour: "ThirdParty", clientId: document.clientId ?? defaultClient.clientId }),
    configuration: document.configuration ?? {},
    ...(queryValue !== undefined && { queryValue }),
    ...contextOf(document, id, region),
    ...(document.encryptionKeyId !== undefined && { encryptionKeyId: document.encryptionKeyId }),
    ...(document.credentialsMs !== undefined && { credentialsMs: document.credentialsMs }),
    ...(document.continuationToken !== undefined && { continuationToken: document.continuationToken }),
    delayMs: document.delayMs ?? 0,
    jobTimeoutMs: document.jobTimeoutMs ?? typeTimeoutMs ?? ownTimeoutMs,
  }));
}

/** Pipeline and artifacts: each job is an action execution of its own. */
function contextOf(
  document: JobsDocument,
  id: ActionTypeId,
  region: string,
): Pick<JobSeed, "pipeline" | "inputs" | "outputs"> {
  const { pipeline = {} } = document;
  const name = pipeline.name ?? "emulated-pipeline";
  const artifact = ({ name: artifactName, revision, bucket, key }: ArtifactDocument): EmulatedArtifact => ({
    name: artifactName,
    ...(revision !== undefined && { revision }),
    bucket: bucket ?? `codepipeline-${region}-emulated`,
    // Keys have no file extension, as the real ones.
    key: key ?? `${name.slice(0, 20)}/${artifactName.slice(0, 10)}/${randomUUID().slice(0, 7)}`,
  });
  return {
    pipeline: {
      name,
      stage: pipeline.stage ?? "Emulated",
      action: pipeline.action ?? id.provider,
      actionExecutionId: pipeline.actionExecutionId ?? randomUUID(),
      executionId: pipeline.executionId ?? randomUUID(),
    },
    inputs: (document.inputs ?? []).map(artifact),
    outputs: (document.outputs ?? []).map(artifact),
  };
}

function mistakesInIds(
  document: JobsDocument,
  id: ActionTypeId,
  ids: readonly string[],
  isTaken: (jobId: string) => boolean,
): readonly string[] {
  if (!document.ids) return [];
  const mistakes: string[] = [];
  if (document.count !== undefined) mistakes.push("count: give either count or ids");
  if (new Set(ids).size !== ids.length) mistakes.push("ids: an id is given twice");
  if (ids.some(isTaken)) mistakes.push("ids: there is a job with such an id already");
  if (id.owner === "Custom" && !ids.every((jobId) => uuidPattern.test(jobId))) {
    mistakes.push("ids: the id of a custom job must be a lower-case UUID");
  }
  return mistakes;
}

function mistakesInConfiguration({ configuration = {} }: JobsDocument): readonly string[] {
  const bytes = Object.entries(configuration).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (bytes <= configurationMaxBytes) return [];
  return [
    `configuration: has ${bytes} bytes; an action's is at most ${configurationMaxBytes}, with its variables resolved`,
  ];
}

function mistakesInClient(document: JobsDocument, id: ActionTypeId, clients: Clients): readonly string[] {
  const { clientId, clientToken, accountId } = document;
  if (id.owner === "Custom") {
    return clientId === undefined && clientToken === undefined ? [] : ["clientId: custom jobs have no client"];
  }
  const mistakes: string[] = [];
  if (accountId !== undefined) mistakes.push("accountId: third-party jobs have no account id");
  if (clientId === undefined && clientToken !== undefined) mistakes.push("clientToken: give the clientId too");
  if (clientId !== undefined && clientToken === undefined && !clients.has(clientId)) {
    mistakes.push("clientId: is not known; add the client first, or give its clientToken too");
  }
  return mistakes;
}

function mistakesInArtifacts(document: JobsDocument, type: ActionTypeRecord): readonly string[] {
  const mistakes: string[] = [];
  for (const side of ["inputs", "outputs"] as const) {
    const artifacts = document[side] ?? [];
    const { minimumCount, maximumCount } = type[side];
    if (artifacts.length < minimumCount || artifacts.length > maximumCount) {
      mistakes.push(`${side}: the action type has ${minimumCount} to ${maximumCount}, the job ${artifacts.length}`);
    }
    const names = artifacts.map(({ name }) => name);
    if (new Set(names).size !== names.length) mistakes.push(`${side}: two artifacts have the same name`);
    for (const [index, artifact] of artifacts.entries()) {
      const given = [artifact.text, artifact.base64, artifact.file, artifact.files].filter(
        (each) => each !== undefined,
      );
      const where = `${side}[${index}]`;
      if (given.length > 1) mistakes.push(`${where}: give only one of text, base64, file and files`);
      if (given.length > 0 && side === "outputs") mistakes.push(`${where}: what is in an output, the worker decides`);
    }
  }
  return mistakes;
}

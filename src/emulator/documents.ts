// The documents that scenarios, the control API and the in-process API share: shapes, types and one check that
// tells every mistake at once. Unknown members are mistakes here. What a document then does is decided elsewhere.
import type { Property } from "./action-types.js";
import type { FaultDocument } from "./faults.js";
import type { Settings } from "./settings.js";
import type { Problem, Shape } from "./shapes.js";
import { Shapes } from "./shapes.js";

/** An action type to be. Left out: category `Test`, owner `ThirdParty`, version `1`, Region us-east-1, 0 to 5 artifacts. */
export interface ActionTypeDocument {
  readonly category?: string;
  readonly owner?: "ThirdParty" | "Custom";
  readonly provider: string;
  readonly version?: string;
  readonly regions?: readonly string[];
  readonly description?: string;
  readonly properties?: readonly (Pick<Property, "name"> & Partial<Property>)[];
  readonly inputs?: { readonly minimumCount: number; readonly maximumCount: number };
  readonly outputs?: { readonly minimumCount: number; readonly maximumCount: number };
  /** URLs by the names of ActionTypeSettings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Longest time for one job, in seconds; it overrules the setting `jobTimeoutMs`. */
  readonly jobTimeout?: number;
}

/** A partner's customer. Left out: a random id, a random token. */
export interface ClientDocument {
  readonly clientId?: string;
  readonly clientToken?: string;
}

/** Jobs to be, all alike but for their ids. */
export interface JobsDocument {
  /** Left out: category `Test`, owner `ThirdParty`, version `1`. The type must exist. */
  readonly actionType: Pick<ActionTypeDocument, "category" | "owner" | "provider" | "version">;
  readonly region?: string;
  readonly count?: number;
  /** Instead of `count`: the ids themselves; any text for a third-party job, a UUID for a custom one. */
  readonly ids?: readonly string[];
  /** Third-party only; left out: the emulator's default client. A new client needs its token too. */
  readonly clientId?: string;
  readonly clientToken?: string;
  /** Custom only. */
  readonly accountId?: string;
  readonly configuration?: Readonly<Record<string, string>>;
  readonly pipeline?: {
    readonly name?: string;
    readonly stage?: string;
    readonly action?: string;
    readonly actionExecutionId?: string;
    readonly executionId?: string;
  };
  readonly inputs?: readonly ArtifactDocument[];
  readonly outputs?: readonly ArtifactDocument[];
  /** A KMS key id or ARN. */
  readonly encryptionKeyId?: string;
  readonly continuationToken?: string;
  /** How long until the jobs can be polled. */
  readonly delayMs?: number;
  readonly jobTimeoutMs?: number;
}

/** An artifact; bucket and key are made up when left out. */
export interface ArtifactDocument {
  readonly name: string;
  readonly revision?: string;
  readonly bucket?: string;
  readonly key?: string;
}

/** Everything at once, in this order. */
export interface ScenarioDocument {
  readonly settings?: Partial<Settings>;
  readonly actionTypes?: readonly ActionTypeDocument[];
  readonly clients?: readonly ClientDocument[];
  readonly jobs?: readonly JobsDocument[];
  readonly faults?: readonly FaultDocument[];
}

/** The name of a shape of these documents. */
export type DocumentName = "ActionType" | "Client" | "Jobs" | "Fault" | "Settings" | "Scenario";

/** A document that is refused; it lists every mistake, one line each. */
export class Mistakes extends Error {
  readonly list: readonly string[];

  constructor(list: readonly string[]) {
    super(list.join("\n"));
    this.name = "Mistakes";
    this.list = list;
  }
}

/** Checks documents before anything is done with them. */
export class Documents {
  readonly #shapes = new Shapes({ shapes: documentShapes, unknownMembers: "refuse" });

  /** Throws Mistakes. */
  check(name: DocumentName, document: unknown): void {
    const problems = this.#shapes.check(name, document);
    if (problems.length > 0) throw new Mistakes(problems.map(sentence));
  }
}

/** Runs `act`; what it finds wrong is said to be at `where`. Throws Mistakes. */
export function within(where: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (error instanceof Mistakes) throw new Mistakes(error.list.map((mistake) => `${where}.${mistake}`));
    throw error;
  }
}

const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/** Longest time that a setting or a delay may have: 20 days, within what one timer holds. */
const msMax = 1_728_000_000;

const documentShapes: Readonly<Record<string, Shape>> = {
  Scenario: {
    type: "structure",
    members: "settings, actionTypes ActionTypes, clients Clients, jobs JobsList, faults Faults",
  },
  ActionTypes: { type: "list", of: "ActionType", max: 1_000 },
  Clients: { type: "list", of: "Client", max: 100_000 },
  JobsList: { type: "list", of: "Jobs", max: 10_000 },
  Faults: { type: "list", of: "Fault", max: 1_000 },
  ActionType: {
    type: "structure",
    members: `category, owner, provider!, version, regions, description, properties, inputs ArtifactCount,
      outputs ArtifactCount, settings Urls, jobTimeout`,
  },
  Category: { type: "string", enum: ["Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute"] },
  Owner: { type: "string", enum: ["ThirdParty", "Custom"] },
  Provider: { type: "string", min: 1, max: 35, pattern: "[0-9A-Za-z_-]+" },
  Version: { type: "string", min: 1, max: 9, pattern: "[0-9A-Za-z_-]+" },
  Region: { type: "string", min: 4, max: 30, pattern: "[a-z0-9-]+" },
  Regions: { type: "list", of: "Region", min: 1, max: 100 },
  Description: { type: "string", min: 1, max: 1_024 },
  Properties: { type: "list", of: "Property", max: 10 },
  Property: {
    type: "structure",
    members: `name! Name50, required Boolean, key Boolean, secret Boolean, queryable Boolean,
      description PropertyDescription, type PropertyType`,
  },
  Name50: { type: "string", min: 1, max: 50 },
  PropertyDescription: { type: "string", min: 1, max: 160 },
  PropertyType: { type: "string", enum: ["String", "Number", "Boolean"] },
  Boolean: { type: "boolean" },
  ArtifactCount: { type: "structure", members: "minimumCount! ArtifactLimit, maximumCount! ArtifactLimit" },
  ArtifactLimit: { type: "integer", min: 0, max: 10 },
  Urls: {
    type: "structure",
    members: `thirdPartyConfigurationUrl Url, entityUrlTemplate Url, executionUrlTemplate Url, revisionUrlTemplate Url`,
  },
  Url: { type: "string", min: 1, max: 2_048 },
  JobTimeout: { type: "integer", min: 1, max: 86_400 },
  Client: { type: "structure", members: "clientId, clientToken" },
  ClientId: { type: "string", pattern: uuid },
  ClientToken: { type: "string", min: 1, max: 256, sensitive: true },
  Jobs: {
    type: "structure",
    members: `actionType! TypeName, region, count JobCount, ids JobIds, clientId, clientToken, accountId, configuration,
      pipeline, inputs Artifacts, outputs Artifacts, encryptionKeyId, continuationToken, delayMs Ms, jobTimeoutMs Ms`,
  },
  TypeName: { type: "structure", members: "category, owner, provider!, version" },
  JobCount: { type: "integer", min: 1, max: 100_000 },
  JobIds: { type: "list", of: "JobId", min: 1, max: 100_000 },
  JobId: { type: "string", min: 1, max: 512 },
  AccountId: { type: "string", pattern: "[0-9]{12}" },
  Configuration: { type: "map", key: "Name50", of: "ConfigurationValue", max: 50 },
  // What the customer typed is 1,000 characters at most; with variables resolved the total may reach 100 KB.
  ConfigurationValue: { type: "string", max: 102_400 },
  Pipeline: {
    type: "structure",
    members: "name PipelineName, stage PipelineName, action PipelineName, actionExecutionId, executionId Uuid",
  },
  PipelineName: { type: "string", min: 1, max: 100, pattern: "[A-Za-z0-9.@_-]+" },
  ActionExecutionId: { type: "string", min: 1, max: 256 },
  Uuid: { type: "string", pattern: uuid },
  Artifacts: { type: "list", of: "Artifact", max: 10 },
  Artifact: { type: "structure", members: "name! ArtifactName, revision, bucket, key" },
  ArtifactName: { type: "string", min: 1, max: 100, pattern: "[a-zA-Z0-9_-]+" },
  Revision: { type: "string", min: 1, max: 1_500 },
  Bucket: { type: "string", min: 3, max: 63, pattern: "[a-z0-9.-]+" },
  Key: { type: "string", min: 1, max: 1_024 },
  EncryptionKeyId: { type: "string", min: 1, max: 400 },
  ContinuationToken: { type: "string", min: 1, max: 2_048, sensitive: true },
  Ms: { type: "integer", min: 0, max: msMax },
  Settings: {
    type: "structure",
    members: `redeliveryMs Ms, repeatedAcknowledge, freshNonceAtRedelivery Boolean, freshNonceAtDetails Boolean,
      continuationDelayMs Ms, putAfterEnd, detailsAfterEnd, jobTimeoutMs Ms, maxBatchSizeCap Count,
      defaultBatchSize Count, listPageSize Count, keepEnded Keep`,
  },
  RepeatedAcknowledge: { type: "string", enum: ["InProgress", "InvalidNonceException"] },
  PutAfterEnd: { type: "string", enum: ["InvalidJobStateException", "JobNotFoundException"] },
  DetailsAfterEnd: { type: "string", enum: ["answered", "InvalidJobException", "JobNotFoundException"] },
  Count: { type: "integer", min: 1, max: 10_000 },
  Keep: { type: "integer", min: 0, max: 1_000_000 },
  Fault: {
    type: "structure",
    members: `id FaultId, kind! FaultKind, operations Operations, region, clientId, jobId, actionType TypePart,
      probability, times, after, ms Ms, status HttpStatus, code FaultCode, message FaultMessage, retryAfter, offsetMs,
      members MemberNames, applied Boolean`,
  },
  FaultId: { type: "string", min: 1, max: 100, pattern: "[A-Za-z0-9._-]+" },
  FaultKind: {
    type: "string",
    enum: [
      ...["latency", "wrong-clock", "throttle", "internal-error", "unavailable", "error", "reset", "lost-answer"],
      ...["cut-answer", "black-hole", "html", "malformed-json", "null-members", "missing-members", "endless-body"],
      "refuse-connections",
    ],
  },
  Operations: { type: "list", of: "Name50", min: 1, max: 50 },
  TypePart: { type: "structure", members: "category, owner AnyOwner, provider, version" },
  AnyOwner: { type: "string", enum: ["AWS", "ThirdParty", "Custom"] },
  Probability: { type: "number", min: 0, max: 1 },
  Times: { type: "integer", min: 1 },
  After: { type: "integer", min: 0 },
  HttpStatus: { type: "integer", min: 200, max: 599 },
  FaultCode: { type: "string", min: 1, max: 100, pattern: "[A-Za-z]+" },
  FaultMessage: { type: "string", max: 5_000 },
  RetryAfter: { type: "integer", min: 0, max: 86_400 },
  OffsetMs: { type: "integer" },
  MemberNames: { type: "list", of: "Name50", min: 1, max: 50 },
};

/** One mistake for a reader: where, and what must hold. */
function sentence(problem: Problem): string {
  const path = problem.path.replaceAll(/\.(\d+)\.member/g, (_, place) => `[${Number(place) - 1}]`);
  const where = path.replaceAll(/\.member(?=\.|$)/g, "") || "the document";
  if (problem.kind === "type") {
    const [found = "", wanted] = problem.constraint.split(" can not be converted to ");
    return `${where}: needs ${wanted}, found ${kinds[found] ?? found}`;
  }
  if (problem.kind === "unknown")
    return `${where}: is not known here; ${problem.constraint.replace(/^Member /, "it ")}`;
  if (problem.constraint === "Member must not be null") return `${where}: is required`;
  return `${where}: ${problem.constraint.replace(/^Member /, "")}`;
}

const kinds: Readonly<Record<string, string>> = {
  NULL_VALUE: "null",
  START_ARRAY: "a list",
  START_OBJECT: "an object",
  NUMBER_VALUE: "a number",
  DECIMAL_VALUE: "a number with a fraction",
  STRING_VALUE: "a string",
  TRUE_VALUE: "true",
  FALSE_VALUE: "false",
};

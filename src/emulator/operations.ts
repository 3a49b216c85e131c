// What each operation does with a request that has passed the model: finds, asks the job rules, answers.
// Knows no HTTP and no faults. Refusals are thrown as ApiError.
import type { ActionTypeRecord, ActionTypes, Declaration, Property } from "./action-types.js";
import { asActionType, asDeclaration, mayPoll, named, notFound } from "./action-types.js";
import type { Clients } from "./clients.js";
import type { ActionTypeId, Caller, EmulatedJob, Flavour } from "./emulated-job.js";
import { typeKey } from "./emulated-job.js";
import type { Call } from "./emulator-events.js";
import type { Settings } from "./emulator-settings.js";
import type { Jobs, Result } from "./job-rules.js";
import type { JobStore } from "./job-store.js";
import type { OperationName } from "./model.js";
import { asJob, asJobDetails, asThirdPartyJob, asThirdPartyJobDetails } from "./render.js";
import type { SessionCredentials } from "./s3/issuer.js";
import { ApiError, invalid } from "./wire.js";

/** Most bytes of all output variables of one result, names and values (CodePipeline quotas). */
const outputVariablesMaxBytes = 122_880;
const tagsMax = 50;

/** A request body whose members and types the model has checked. */
export interface CheckedInput {
  readonly jobId: string;
  readonly nonce: string;
  readonly clientToken: string;
  readonly actionTypeId: ActionTypeId;
  readonly maxBatchSize?: number;
  readonly queryParam?: Readonly<Record<string, string>>;
  readonly continuationToken?: string;
  readonly outputVariables?: Readonly<Record<string, string>>;
  readonly category: string;
  readonly owner: string;
  readonly provider: string;
  readonly version: string;
  readonly actionOwnerFilter?: string;
  readonly regionFilter?: string;
  readonly nextToken?: string;
  readonly actionType: Declaration;
  readonly settings?: Readonly<Record<string, string>>;
  readonly configurationProperties?: readonly Property[];
  readonly inputArtifactDetails: ActionTypeRecord["inputs"];
  readonly outputArtifactDetails: ActionTypeRecord["outputs"];
  readonly tags?: readonly { readonly key: string; readonly value: string }[];
}

/** The answer's document; `undefined` for an empty body. */
type Answer = Readonly<Record<string, unknown>> | undefined;
/** `credentialsMs`: how long artifact credentials in this answer live, if not as long as others. */
type Serve = (input: CheckedInput, call: Call, credentialsMs: number | undefined) => Answer;

/** Serves the operations of the job API and of action types. */
export class Operations {
  readonly #jobs: Jobs;
  readonly #store: JobStore;
  readonly #types: ActionTypes;
  readonly #clients: Clients;
  readonly #settings: () => Settings;
  readonly #serve: Readonly<Record<OperationName, Serve>>;

  constructor(options: {
    readonly jobs: Jobs;
    readonly store: JobStore;
    readonly types: ActionTypes;
    readonly clients: Clients;
    readonly settings: () => Settings;
    /** New credentials for the job's artifacts, at each answer that carries its data. */
    readonly credentialsFor: (job: EmulatedJob, lifetimeMs?: number) => SessionCredentials;
  }) {
    const { credentialsFor } = options;
    this.#jobs = options.jobs;
    this.#store = options.store;
    this.#types = options.types;
    this.#clients = options.clients;
    this.#settings = options.settings;
    this.#serve = {
      PollForThirdPartyJobs: (input, call) => ({ jobs: this.#poll("ThirdParty", input, call).map(asThirdPartyJob) }),
      GetThirdPartyJobDetails: (input, call, ms) => {
        const job = this.#job("ThirdParty", input, call);
        this.#jobs.details(job, callerOf(call));
        return { jobDetails: asThirdPartyJobDetails(job, credentialsFor(job, ms)) };
      },
      AcknowledgeThirdPartyJob: (input, call) => this.#acknowledge("ThirdParty", input, call),
      PutThirdPartyJobSuccessResult: (input, call) => this.#put("ThirdParty", "success", input, call),
      PutThirdPartyJobFailureResult: (input, call) => this.#put("ThirdParty", "failure", input, call),
      PollForJobs: (input, call, ms) => ({
        jobs: this.#poll("Custom", input, call).map((job) => asJob(job, credentialsFor(job, ms))),
      }),
      GetJobDetails: (input, call, ms) => {
        const job = this.#job("Custom", input, call);
        this.#jobs.details(job, callerOf(call));
        return { jobDetails: asJobDetails(job, credentialsFor(job, ms)) };
      },
      AcknowledgeJob: (input, call) => this.#acknowledge("Custom", input, call),
      PutJobSuccessResult: (input, call) => this.#put("Custom", "success", input, call),
      PutJobFailureResult: (input, call) => this.#put("Custom", "failure", input, call),
      ListActionTypes: (input, call) => this.#list(input, call),
      GetActionType: (input, call) => {
        const type = this.#types.find(call.region, idOf(input), call.account);
        if (!type) throw notFound(idOf(input));
        return { actionType: asDeclaration(type) };
      },
      CreateCustomActionType: (input, call) => this.#create(input, call),
      DeleteCustomActionType: (input, call) => {
        this.#types.delete(call.region, { ...idOf(input), owner: "Custom" }, call.account);
        return undefined;
      },
      UpdateActionType: (input, call) => {
        this.#types.update(call.region, input.actionType, call.account);
        return undefined;
      },
    };
  }

  /** Does what the operation says and answers its document, `undefined` for an empty body. Throws ApiError. */
  serve(operation: OperationName, input: CheckedInput, call: Call, credentialsMs?: number): Answer {
    return this.#serve[operation](input, call, credentialsMs);
  }

  #poll(flavour: Flavour, input: CheckedInput, call: Call): readonly EmulatedJob[] {
    const id = input.actionTypeId;
    if (id.owner !== flavour) throw invalid(`ActionType with owner '${id.owner}' is not supported`);
    const type = this.#types.find(call.region, id, call.account);
    if (!type) throw notFound(id);
    if (!mayPoll(type, call.account)) throw this.#notForThem(id);
    // PollForThirdPartyJobs has no queryParam, whatever the type's properties.
    const queryValue = flavour === "Custom" ? queryValueOf(type, input.queryParam) : undefined;
    const account = flavour === "Custom" ? call.account : undefined;
    const queue = { region: call.region, actionType: typeKey(id), queryValue, account };
    return this.#jobs.poll(queue, input.maxBatchSize, callerOf(call));
  }

  #acknowledge(flavour: Flavour, input: CheckedInput, call: Call): Answer {
    const job = this.#job(flavour, input, call);
    return { status: this.#jobs.acknowledge(job, input.nonce, callerOf(call)) };
  }

  #put(flavour: Flavour, kind: Result["kind"], input: CheckedInput, call: Call): Answer {
    const job = this.#job(flavour, input, call);
    const { continuationToken } = input;
    if (flavour === "Custom" && kind === "success") checkOutputVariables(input);
    const document = documentOf(input);
    // A failure has no token, and a null one is the same as none.
    const isContinued = kind === "success" && typeof continuationToken === "string";
    this.#jobs.put(job, { kind, document, ...(isContinued && { continuationToken }) }, callerOf(call));
    return undefined;
  }

  /** The job that is asked for, if it is there, of this flavour, and the token is its client's. */
  #job(flavour: Flavour, input: CheckedInput, call: Call): EmulatedJob {
    const job = this.#store.find(call.region, input.jobId);
    if (job?.seed.flavour !== flavour || !this.#isTheirs(job, call)) {
      throw new ApiError("JobNotFoundException", `Job ${input.jobId} can not be found`);
    }
    if (job.seed.clientId !== undefined && !this.#clients.isToken(job.seed.clientId, input.clientToken)) {
      throw new ApiError("InvalidClientTokenException", "The client token is not valid for the job's client");
    }
    return job;
  }

  /** The custom job of another account is as unknown as one that there never was. */
  #isTheirs({ seed }: EmulatedJob, { region, account }: Call): boolean {
    if (account === undefined) return true;
    if (seed.flavour === "Custom") return seed.accountId === account;
    const type = this.#types.find(region, seed.actionType, account);
    return !type || mayPoll(type, account);
  }

  #notForThem(id: ActionTypeId): ApiError {
    if (this.#settings().foreignPoll === "ActionTypeNotFoundException") return notFound(id);
    return new ApiError("AccessDeniedException", `${named(id)} may not be polled by this account`);
  }

  #list(input: CheckedInput, call: Call): Answer {
    const ask = {
      region: input.regionFilter ?? call.region,
      owner: input.actionOwnerFilter ?? undefined,
      account: call.account,
    };
    const { types, nextToken } = this.#types.page(
      { ...ask, nextToken: input.nextToken ?? undefined },
      this.#settings().listPageSize,
    );
    return { actionTypes: types.map(asActionType), ...(nextToken !== undefined && { nextToken }) };
  }

  #create(input: CheckedInput, call: Call): Answer {
    checkTags(input.tags ?? []);
    const type: ActionTypeRecord = {
      id: { ...idOf(input), owner: "Custom" },
      region: call.region,
      ...(call.account !== undefined && { account: call.account }),
      properties: input.configurationProperties ?? [],
      inputs: input.inputArtifactDetails,
      outputs: input.outputArtifactDetails,
      ...(input.settings && { settings: input.settings }),
    };
    this.#types.create(type);
    return { actionType: asActionType(type), ...(input.tags && { tags: input.tags }) };
  }
}

/** Who called, as a job's history keeps it. */
export function callerOf(call: Call): Caller {
  return {
    callId: call.id,
    operation: call.operation,
    atMs: call.atMs,
    ...(call.appId !== undefined && { appId: call.appId }),
    ...(call.userAgent !== undefined && { userAgent: call.userAgent }),
  };
}

/** The rules for PollForJobs: a queryable property must be named, and nothing else may be. */
function queryValueOf(type: ActionTypeRecord, queryParam: CheckedInput["queryParam"]): string | undefined {
  const queryable = type.properties.find((property) => property.queryable);
  const entries = Object.entries(queryParam ?? {});
  const [first] = entries;
  if (!queryable) {
    if (first) throw invalid(`${named(type.id)} has no queryable property: queryParam must be empty`);
    return undefined;
  }
  if (!first || first[0] !== queryable.name) {
    throw invalid(`${named(type.id)} has the queryable property '${queryable.name}': queryParam must name it`);
  }
  return first[1];
}

function checkOutputVariables(input: CheckedInput): void {
  const entries = Object.entries(input.outputVariables ?? {});
  if (entries.length === 0) return;
  if (typeof input.continuationToken === "string") {
    throw invalid("outputVariables can not be given together with a continuationToken");
  }
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > outputVariablesMaxBytes) {
    const message = `The output variables have ${bytes} bytes; the limit is ${outputVariablesMaxBytes}`;
    throw new ApiError("OutputVariablesSizeExceededException", message);
  }
}

function checkTags(tags: NonNullable<CheckedInput["tags"]>): void {
  if (tags.length > tagsMax) throw new ApiError("TooManyTagsException", `At most ${tagsMax} tags are allowed`);
  const keys = tags.map((tag) => tag.key);
  if (new Set(keys).size !== keys.length) throw new ApiError("InvalidTagsException", "A tag key is given twice");
  if (keys.some((key) => key.toLowerCase().startsWith("aws:"))) {
    throw new ApiError("InvalidTagsException", "Tag keys must not start with aws:");
  }
}

function idOf({ category, owner, provider, version }: CheckedInput): ActionTypeId {
  return { category, owner, provider, version };
}

/** What a result says, without the members that only address it. */
function documentOf(input: CheckedInput): Record<string, unknown> {
  const { jobId: _jobId, clientToken: _clientToken, ...document } = input;
  return document;
}

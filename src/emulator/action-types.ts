// The action types of each Region: what exists, how it is listed and described, and the rules for making one.
// Knows no jobs. Two documents describe one type: ActionType (ListActionTypes) and ActionTypeDeclaration (GetActionType).
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ActionTypeId } from "./emulated-job.js";
import { typeKey } from "./emulated-job.js";
import { ApiError, invalid } from "./wire.js";

/** One property of an action type's configuration, in the words of ActionConfigurationProperty. */
export interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly key: boolean;
  readonly secret: boolean;
  readonly queryable?: boolean;
  readonly description?: string;
  readonly type?: string;
}

/** How many artifacts an action of the type takes or makes. */
export interface ArtifactCount {
  readonly minimumCount: number;
  readonly maximumCount: number;
}

/** An action type in one Region. */
export interface ActionTypeRecord {
  readonly id: ActionTypeId;
  readonly region: string;
  /** Whose type it is, where the emulator has accounts; left out: every account's. */
  readonly account?: string;
  /** Who may poll a partner's type, until UpdateActionType says. */
  readonly pollingAccounts?: readonly string[];
  readonly description?: string;
  readonly properties: readonly Property[];
  readonly inputs: ArtifactCount;
  readonly outputs: ArtifactCount;
  /** Seconds, as the API has it. */
  readonly jobTimeoutS?: number;
  /** URLs by the names of ActionTypeSettings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What UpdateActionType last said, word for word. */
  readonly declaration?: Readonly<Record<string, unknown>>;
}

/** Custom action types per Region and account (CodePipeline quotas). */
const customMax = 50;

/** Every action type of every Region. */
export class ActionTypes {
  readonly #byKey = new Map<string, ActionTypeRecord>();
  readonly #deleted = new Map<string, ActionTypeRecord>();
  readonly #tokenKey = randomBytes(32);

  /** As the account sees it; without one, or without a type of its own, everybody's. */
  find(region: string, id: ActionTypeId, account?: string): ActionTypeRecord | undefined {
    const own = account === undefined ? undefined : this.#byKey.get(keyOf({ region, id, account }));
    return own ?? this.#byKey.get(keyOf({ region, id }));
  }

  /** Adds or replaces without any rule of the API: for scenarios and tests. */
  set(type: ActionTypeRecord): void {
    this.#byKey.set(keyOf(type), type);
  }

  all(): readonly ActionTypeRecord[] {
    return [...this.#byKey.values()];
  }

  /** CreateCustomActionType. Throws ApiError. */
  create(type: ActionTypeRecord): void {
    checkDefinition(type);
    const key = keyOf(type);
    if (this.#byKey.has(key)) throw invalid(`${named(type.id)} already exists`);
    const deleted = this.#deleted.get(key);
    if (deleted && JSON.stringify(deleted) !== JSON.stringify(type)) {
      throw invalid(`${named(type.id)} was deleted: only the same definition can bring its version back`);
    }
    const customs = this.all().filter(
      (other) => other.region === type.region && other.account === type.account && other.id.owner === "Custom",
    );
    if (customs.length >= customMax) {
      throw new ApiError("LimitExceededException", `There are ${customMax} custom action types in ${type.region}`);
    }
    this.#deleted.delete(key);
    this.#byKey.set(key, type);
  }

  /** DeleteCustomActionType; a type that is not there is no mistake. */
  delete(region: string, id: ActionTypeId, account?: string): void {
    const type = this.find(region, id, account);
    if (!type) return;
    const key = keyOf(type);
    this.#byKey.delete(key);
    this.#deleted.set(key, type);
  }

  /** UpdateActionType. Throws ActionTypeNotFoundException. */
  update(region: string, declaration: Declaration, account?: string): void {
    const type = this.find(region, declaration.id, account);
    if (!type) throw notFound(declaration.id);
    const updated: ActionTypeRecord = {
      id: type.id,
      region,
      ...(type.account !== undefined && { account: type.account }),
      ...(declaration.description !== undefined && { description: declaration.description }),
      properties: (declaration.properties ?? []).map((property) => ({
        name: property.name,
        required: !property.optional,
        key: property.key,
        secret: property.noEcho,
        ...(property.queryable !== undefined && { queryable: property.queryable }),
        ...(property.description !== undefined && { description: property.description }),
      })),
      inputs: declaration.inputArtifactDetails,
      outputs: declaration.outputArtifactDetails,
      ...(declaration.executor.jobTimeout !== undefined && { jobTimeoutS: declaration.executor.jobTimeout }),
      ...(type.settings && { settings: type.settings }),
      declaration: { ...declaration },
    };
    checkDefinition(updated);
    this.set(updated);
  }

  /** One page of ListActionTypes. Throws InvalidNextTokenException. */
  page(
    ask: {
      readonly region: string;
      readonly owner?: string | undefined;
      readonly nextToken?: string | undefined;
      readonly account?: string | undefined;
    },
    size: number,
  ): { readonly types: readonly ActionTypeRecord[]; readonly nextToken?: string } {
    const scope = `${ask.region} ${ask.owner ?? ""}`;
    const start = ask.nextToken === undefined ? 0 : this.#offsetOf(ask.nextToken, scope);
    const all = this.all().filter(
      (type) =>
        type.region === ask.region &&
        (ask.owner === undefined || type.id.owner === ask.owner) &&
        (type.account ?? ask.account) === ask.account,
    );
    const end = start + size;
    return { types: all.slice(start, end), ...(end < all.length && { nextToken: this.#tokenFor(end, scope) }) };
  }

  clear(): void {
    this.#byKey.clear();
    this.#deleted.clear();
  }

  #tokenFor(offset: number, scope: string): string {
    const seal = createHmac("sha256", this.#tokenKey).update(`${offset} ${scope}`).digest("base64url");
    return `${offset}.${seal}`;
  }

  #offsetOf(token: string, scope: string): number {
    const offset = Number.parseInt(token, 10);
    const expected = Buffer.from(this.#tokenFor(offset, scope));
    const given = Buffer.from(token);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new ApiError("InvalidNextTokenException", "The next token is not one that a previous call returned");
    }
    return offset;
  }
}

/** A type's place: its Region, its name, and whose it is. */
function keyOf({ region, id, account }: Pick<ActionTypeRecord, "region" | "id" | "account">): string {
  return `${region} ${typeKey(id)} ${account ?? "*"}`;
}

/**
 * True if the type lets the account's workers poll: its executor is a job worker and, where accounts are told apart, lists
 * the account. A type that lists nobody is open.
 */
export function mayPoll({ id, declaration, pollingAccounts }: ActionTypeRecord, account: string | undefined): boolean {
  const executor = declaration?.["executor"] as ExecutorDeclaration | undefined;
  if (executor?.type === "Lambda") return false;
  const accounts = executor?.configuration?.jobWorkerExecutorConfiguration?.pollingAccounts ?? pollingAccounts;
  return id.owner === "Custom" || account === undefined || accounts === undefined || accounts.includes(account);
}

interface ExecutorDeclaration {
  readonly type?: string;
  readonly configuration?: {
    readonly jobWorkerExecutorConfiguration?: { readonly pollingAccounts?: readonly string[] };
  };
}

/** The members of ActionTypeDeclaration that the emulator reads. */
export interface Declaration {
  readonly id: ActionTypeId;
  readonly description?: string;
  readonly executor: { readonly jobTimeout?: number };
  readonly inputArtifactDetails: ArtifactCount;
  readonly outputArtifactDetails: ArtifactCount;
  readonly properties?: readonly {
    readonly name: string;
    readonly optional: boolean;
    readonly key: boolean;
    readonly noEcho: boolean;
    readonly queryable?: boolean;
    readonly description?: string;
  }[];
}

/** The type as ListActionTypes and CreateCustomActionType show it. */
export function asActionType(type: ActionTypeRecord): Record<string, unknown> {
  return {
    id: { __type: "ActionTypeId", ...type.id },
    ...(type.settings && { settings: { __type: "ActionTypeSettings", ...type.settings } }),
    actionConfigurationProperties: type.properties.map((property) => ({
      __type: "ActionConfigurationProperty",
      ...property,
      queryable: property.queryable ?? false,
    })),
    // The older document knows at most five artifacts, the newer one ten.
    inputArtifactDetails: { __type: "ArtifactDetails", ...capped(type.inputs, 5) },
    outputArtifactDetails: { __type: "ArtifactDetails", ...capped(type.outputs, 5) },
  };
}

/** The type as GetActionType shows it. */
export function asDeclaration(type: ActionTypeRecord): Record<string, unknown> {
  if (type.declaration) return { __type: "ActionTypeDeclaration", ...type.declaration };
  const { thirdPartyConfigurationUrl, ...urls } = type.settings ?? {};
  return {
    __type: "ActionTypeDeclaration",
    ...(type.description !== undefined && { description: type.description }),
    executor: {
      __type: "ActionTypeExecutor",
      type: "JobWorker",
      configuration: { jobWorkerExecutorConfiguration: { pollingAccounts: type.pollingAccounts ?? [emulatedAccount] } },
      ...(type.jobTimeoutS !== undefined && { jobTimeout: type.jobTimeoutS }),
    },
    id: { __type: "ActionTypeIdentifier", ...type.id },
    inputArtifactDetails: { __type: "ActionTypeArtifactDetails", ...type.inputs },
    outputArtifactDetails: { __type: "ActionTypeArtifactDetails", ...type.outputs },
    permissions: { __type: "ActionTypePermissions", allowedAccounts: ["*"] },
    properties: type.properties.map(({ name, required, key, secret, queryable, description }) => ({
      __type: "ActionTypeProperty",
      name,
      optional: !required,
      key,
      noEcho: secret,
      queryable: queryable ?? false,
      ...(description !== undefined && { description }),
    })),
    urls: { ...urls, ...(thirdPartyConfigurationUrl && { configurationUrl: thirdPartyConfigurationUrl }) },
  };
}

/** The account that the emulator pretends to be. */
export const emulatedAccount = "111122223333";

/** What the polls and GetActionType answer for a type that is not there. */
export function notFound(id: ActionTypeId): ApiError {
  return new ApiError("ActionTypeNotFoundException", `${named(id)} is not available`);
}

/** The type's name as AWS writes it in errors. */
export function named(id: ActionTypeId): string {
  return `ActionType (Category: '${id.category}', Owner: '${id.owner}', Provider: '${id.provider}', Version: '${id.version}')`;
}

/** The rules that the model states in words. Throws ValidationException. */
function checkDefinition(type: ActionTypeRecord): void {
  for (const { minimumCount, maximumCount } of [type.inputs, type.outputs]) {
    if (minimumCount > maximumCount) throw invalid("minimumCount of artifacts must not be above maximumCount");
  }
  const names = type.properties.map((property) => property.name);
  if (new Set(names).size !== names.length) throw invalid("Two configuration properties have the same name");
  const queryable = type.properties.filter((property) => property.queryable);
  if (queryable.length > 1) throw invalid("An action type can have at most one queryable property");
  if (queryable.some((property) => !property.required || property.secret)) {
    throw invalid("A queryable property must be required and not secret");
  }
}

function capped(count: ArtifactCount, max: number): ArtifactCount {
  return { minimumCount: Math.min(count.minimumCount, max), maximumCount: Math.min(count.maximumCount, max) };
}

// The documents that scenarios, the control API and the in-process API share: shapes, types and one check that
// tells every mistake at once. Unknown members are mistakes here. What a document then does is decided elsewhere.
import type { AccountDocument } from "./accounts.js";
import type { Property } from "./action-types.js";
import { documentShapes } from "./document-shapes.js";
import type { Settings } from "./emulator-settings.js";
import type { FaultDocument } from "./injected-faults.js";
import type { ShapeProblem } from "./shape-checks.js";
import { Shapes } from "./shape-checks.js";

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
  /** Where the emulator has accounts: whose custom type it is, or who may poll a partner's. Left out: all of them. */
  readonly accounts?: readonly string[];
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
  /** Custom only: whose pipeline it is; required where the emulator has accounts. */
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
  /** A KMS key id or ARN. Inputs with a given content are encrypted with it. */
  readonly encryptionKeyId?: string;
  /** How long the artifact credentials live; left out: as the setting says. */
  readonly credentialsMs?: number;
  readonly continuationToken?: string;
  /** How long until the jobs can be polled. */
  readonly delayMs?: number;
  readonly jobTimeoutMs?: number;
}

/** What is in an input artifact: at most one of these; none: whoever tries it puts the object, or it is missing. */
export interface ArtifactContent {
  readonly text?: string;
  readonly base64?: string;
  /** The path of a local file; not over HTTP. */
  readonly file?: string;
  /** A zip of these texts by file name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** An artifact; bucket and key are made up when left out. */
export interface ArtifactDocument extends ArtifactContent {
  readonly name: string;
  readonly revision?: string;
  readonly bucket?: string;
  readonly key?: string;
}

/** A bucket and its rules. Left out: us-east-1, or the Region of the job that it was made for; no KMS required. */
export interface BucketDocument {
  readonly name: string;
  readonly region?: string;
  /** Uploads without `x-amz-server-side-encryption: aws:kms` are AccessDenied. */
  readonly requireKms?: boolean;
}

/** A KMS key; keys that nobody named are enabled. `alias/aws/s3` is the managed one. */
export interface KmsKeyDocument {
  readonly id: string;
  readonly state: "enabled" | "disabled" | "denied";
}

/** An object that is there from the beginning. */
export interface ObjectDocument extends ArtifactContent {
  readonly bucket: string;
  readonly key: string;
  readonly kmsKeyId?: string;
  /** Of the bucket, should it be new. */
  readonly region?: string;
}

/** How an execution of a pipeline is stopped. Left out: waiting, not abandoning. */
export interface StopDocument {
  /** Also what is in progress ends, as `Abandoned`; workers are not told. */
  readonly abandon?: boolean;
}

/** What of an execution is retried. Left out: every stage. */
export interface RetryDocument {
  readonly stage?: string;
}

/** Everything at once, in this order. */
export interface ScenarioDocument {
  readonly settings?: Partial<Settings>;
  readonly accounts?: readonly AccountDocument[];
  readonly buckets?: readonly BucketDocument[];
  readonly kmsKeys?: readonly KmsKeyDocument[];
  readonly objects?: readonly ObjectDocument[];
  readonly actionTypes?: readonly ActionTypeDocument[];
  readonly clients?: readonly ClientDocument[];
  readonly jobs?: readonly JobsDocument[];
  readonly faults?: readonly FaultDocument[];
}

/** The name of a shape of these documents. */
export type DocumentName =
  | "Account"
  | "ActionType"
  | "Client"
  | "Jobs"
  | "Fault"
  | "Settings"
  | "Scenario"
  | "Bucket"
  | "KmsKey"
  | "Object"
  | "Stop"
  | "Retry";

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
export function atPlace(where: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (error instanceof Mistakes) throw new Mistakes(error.list.map((mistake) => `${where}.${mistake}`));
    throw error;
  }
}

/** One mistake for a reader: where, and what must hold. */
function sentence(problem: ShapeProblem): string {
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

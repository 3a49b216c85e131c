// Faults on demand: which are in force and which calls they strike. How a strike looks on the wire: sabotage.ts.
// Several can strike one call: latencies and wrong clocks add up, of the others the oldest wins.

import type { ActionTypeId } from "./emulated-job.js";
import { typeKey } from "./emulated-job.js";
import type { Call } from "./emulator-events.js";
import { isOperation } from "./model.js";
import { seededRandom } from "./random.js";
import { isS3Operation } from "./s3/s3-request.js";

/** What a fault does. `applied` tells whether the call takes effect all the same; its default is in brackets. */
export type FaultKind =
  /** The answer comes `ms` later [no: the wait comes before the deed]. */
  | "latency"
  /** The Date header is off by `offsetMs`. */
  | "wrong-clock"
  /** ThrottlingException, "Rate exceeded", with `status` 400 or as given, and Retry-After if given [no]. */
  | "throttle"
  /** HTTP 500, InternalFailure [no]. */
  | "internal-error"
  /** HTTP 503, ServiceUnavailable [no]. */
  | "unavailable"
  /** Any error: `code`, `message`, `status` (400) [no]. */
  | "error"
  /** The connection is reset before the deed [no]. */
  | "reset"
  /** The connection is closed after the deed, without an answer [yes]. */
  | "lost-answer"
  /** The connection is reset in the middle of the body [yes]. */
  | "cut-answer"
  /** Never answers, holds the connection until it or the emulator is closed [no]. */
  | "black-hole"
  /** A page of HTML with `status` (502), as from a proxy in between [no]. */
  | "html"
  /** A body that is no JSON [yes]. */
  | "malformed-json"
  /** The `members` named, at any depth, are null; without names all of the answer's own [yes]. */
  | "null-members"
  /** The `members` named, at any depth, are not there; without names all of the answer's own [yes]. */
  | "missing-members"
  /** A body without end [no]. */
  | "endless-body"
  /** Artifact credentials in the answer live for `ms` only; adds to other faults, as latency does. */
  | "short-credentials"
  /** S3: the body comes with `ms` between its pieces of at most 256 KiB. */
  | "slow-body"
  /** S3: half the body comes, then nothing more, and the connection stays. */
  | "stalled-body"
  /** S3: one bit in the middle of the body is wrong. */
  | "corrupt-body"
  /** S3: only half the body comes, and the answer says that this is all. */
  | "short-body"
  /** Nobody listens on the port, for `ms` or until the fault is removed; open connections are cut at once. */
  | "refuse-connections";

/**
 * A fault and the calls it is meant for; what is left out matches every call of the job API. Calls of S3 are struck only
 * by faults that name their operation, a bucket or a key, or that are about bodies.
 */
export interface FaultDocument {
  readonly id?: string;
  readonly kind: FaultKind;
  readonly operations?: readonly string[];
  readonly region?: string;
  readonly clientId?: string;
  /** For S3: the job whose credentials the call has. */
  readonly jobId?: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly actionType?: Partial<ActionTypeId>;
  /** Strikes this share of the matching calls, by the emulator's seed. */
  readonly probability?: number;
  /** Strikes this often, then is gone. */
  readonly times?: number;
  /** Lets this many matching calls pass first. */
  readonly after?: number;
  readonly ms?: number;
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  /** Seconds, for a Retry-After header. */
  readonly retryAfter?: number;
  readonly offsetMs?: number;
  readonly members?: readonly string[];
  readonly applied?: boolean;
}

/** A fault in force. */
export interface FaultView extends FaultDocument {
  readonly id: string;
  /** How many calls it has struck. */
  readonly struck: number;
}

interface FaultRecord {
  readonly id: string;
  readonly document: FaultDocument;
  passed: number;
  struck: number;
}

const appliedByDefault: ReadonlySet<FaultKind> = new Set([
  ...(["lost-answer", "cut-answer", "malformed-json", "null-members", "missing-members"] as const),
  ...(["slow-body", "stalled-body", "corrupt-body", "short-body"] as const),
]);

/** These shape what goes out and leave room for another fault. */
const addingUp: ReadonlySet<FaultKind> = new Set(["latency", "wrong-clock", "short-credentials"]);
/** These are about the bytes of objects, and those about the job API's JSON. */
const ofBodies: ReadonlySet<FaultKind> = new Set(["slow-body", "stalled-body", "corrupt-body", "short-body"]);
const ofJson: ReadonlySet<FaultKind> = new Set([
  ...(["malformed-json", "null-members", "missing-members", "short-credentials"] as const),
]);

/** True for a fault that takes the place of the answer, or of a part of it. */
export function isSpoiler(fault: FaultDocument): boolean {
  return !addingUp.has(fault.kind);
}

/** The faults in force. */
export class Faults {
  readonly #records = new Map<string, FaultRecord>();
  readonly #random: () => number;
  #nextId = 1;

  constructor(options: { readonly seed: number }) {
    this.#random = seededRandom(options.seed);
  }

  has(id: string): boolean {
    return this.#records.has(id);
  }

  /** Answers the fault's id. */
  add(document: FaultDocument): string {
    let { id } = document;
    while (id === undefined || this.#records.has(id)) id = `fault-${this.#nextId++}`;
    this.#records.set(id, { id, document, passed: 0, struck: 0 });
    return id;
  }

  remove(id: string): boolean {
    return this.#records.delete(id);
  }

  list(): readonly FaultView[] {
    return [...this.#records.values()].map(view);
  }

  clear(): void {
    this.#records.clear();
  }

  /** The faults that strike this call; each counts it. */
  strike(call: Call): readonly FaultView[] {
    if (this.#records.size === 0) return [];
    const struck: FaultView[] = [];
    let isTaken = false;
    for (const record of this.#records.values()) {
      const { document } = record;
      const addsUp = !isSpoiler(document);
      if (document.kind === "refuse-connections" || (isTaken && !addsUp) || !matches(document, call)) continue;
      if (record.passed++ < (document.after ?? 0)) continue;
      if (document.probability !== undefined && this.#random() >= document.probability) continue;
      record.struck++;
      struck.push(view(record));
      isTaken ||= !addsUp;
      if (record.struck >= (document.times ?? Number.POSITIVE_INFINITY)) this.#records.delete(record.id);
    }
    return struck;
  }
}

/** Whether the call takes effect although the fault strikes it. */
export function isApplied(fault: FaultDocument): boolean {
  return fault.applied ?? appliedByDefault.has(fault.kind);
}

/** What the shapes can not tell about a fault. */
export function mistakesInFault(document: FaultDocument, isTaken: (id: string) => boolean): readonly string[] {
  const mistakes: string[] = [];
  const { id, kind, ms, offsetMs, code } = document;
  if (id !== undefined && isTaken(id)) mistakes.push("id: a fault with this id exists already");
  if (kind === "latency" && ms === undefined) mistakes.push("ms: is required for latency");
  if (kind === "wrong-clock" && offsetMs === undefined) mistakes.push("offsetMs: is required for wrong-clock");
  if (kind === "error" && code === undefined) mistakes.push("code: is required for error");
  if (kind === "short-credentials" && ms === undefined) mistakes.push("ms: is required for short-credentials");
  if (kind === "slow-body" && ms === undefined) mistakes.push("ms: is required for slow-body");
  const names = document.operations ?? [];
  if (ofBodies.has(kind) && names.some(isOperation)) mistakes.push(`operations: ${kind} is for operations of S3`);
  if (ofJson.has(kind) && names.some(isS3Operation)) mistakes.push(`operations: ${kind} is for the job API`);
  const unknown = names.filter((name) => !isOperation(name) && !isS3Operation(name));
  return [...mistakes, ...unknown.map((name) => `operations: there is no ${name}`)];
}

function matches(document: FaultDocument, call: Call): boolean {
  if (!isOfItsSide(document, call)) return false;
  if (document.bucket !== undefined && document.bucket !== call.bucket) return false;
  if (document.key !== undefined && document.key !== call.key) return false;
  if (document.operations && !document.operations.includes(call.operation)) return false;
  if (document.region !== undefined && document.region !== call.region) return false;
  if (document.clientId !== undefined && document.clientId !== call.clientId) return false;
  if (document.jobId !== undefined && document.jobId !== call.jobId) return false;
  if (!document.actionType) return true;
  const [owner = "", category = "", provider = "", version = ""] = call.actionType?.split("/") ?? [];
  const id = { owner, category, provider, version };
  return typeKey({ ...id, ...document.actionType }) === typeKey(id) && call.actionType !== undefined;
}

/** Whether the fault is about the API that the call is of: the job API or S3. */
function isOfItsSide(document: FaultDocument, call: Call): boolean {
  const isForS3 = ofBodies.has(document.kind) || document.bucket !== undefined || document.key !== undefined;
  if (isS3Operation(call.operation)) {
    return !ofJson.has(document.kind) && (isForS3 || document.operations?.includes(call.operation) === true);
  }
  return !isForS3;
}

function view(record: FaultRecord): FaultView {
  return { ...record.document, id: record.id, struck: record.struck };
}

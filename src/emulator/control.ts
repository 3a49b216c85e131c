// The control API below /_control/: JSON in and out, over the same methods that the in-process API has.
// A refused document is a 400 that lists every mistake. Documented in itself: GET /_control/ lists the routes.
import type { ServerResponse } from "node:http";
import type { AccountDocument } from "./accounts.js";
import type { JobStatus } from "./emulated-job.js";
import type { Settings } from "./emulator-settings.js";
import type { ControlRequest } from "./front.js";
import type { FaultDocument } from "./injected-faults.js";
import type { Emulator } from "./running.js";
import type {
  ActionTypeDocument,
  BucketDocument,
  ClientDocument,
  JobsDocument,
  KmsKeyDocument,
  RetryDocument,
  ScenarioDocument,
  StopDocument,
} from "./scenario-documents.js";
import { Mistakes } from "./scenario-documents.js";
import { isRecord } from "./shape-checks.js";

/** Jobs listed when the request does not say how many. */
const listedDefault = 100;
const listedMax = 10_000;
/** Longest wait for a job in one request. */
const waitMaxMs = 300_000;
const statuses = [
  ...["Created", "Queued", "Dispatched", "InProgress", "TimedOut", "Succeeded", "Failed", "Abandoned", "over"],
];

interface Reply {
  readonly status: number;
  readonly document: unknown;
}
type Serve = (ask: Ask) => Reply | Promise<Reply>;
interface Ask {
  /** What follows the route's name in the path, decoded. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly document: unknown;
}
interface Route {
  readonly method: string;
  readonly path: string;
  readonly does: string;
  readonly serve: Serve;
}

/** Serves the control API of one emulator. */
export class Control {
  readonly #emulator: Emulator;
  readonly #closing: AbortSignal;
  readonly #routes: readonly Route[];

  constructor(options: { readonly emulator: Emulator; readonly closing: AbortSignal }) {
    this.#emulator = options.emulator;
    this.#closing = options.closing;
    this.#routes = [...this.#readingRoutes(), ...this.#changingRoutes()];
  }

  /** Answers one control request. */
  async handle(request: ControlRequest): Promise<void> {
    const { url, response } = request;
    const path = url.pathname.replace(/^\/_control\/?/, "");
    if (path === "events" && request.method === "GET") {
      this.#stream(response);
      return;
    }
    const reply = await this.#reply(request, path);
    const body = `${JSON.stringify(reply.document, undefined, 2)}\n`;
    response.writeHead(reply.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  }

  async #reply(request: ControlRequest, path: string): Promise<Reply> {
    const [name = "", ...others] = path.split("/");
    const candidates = this.#routes.filter((route) => {
      const [routeName, id] = route.path.split("/");
      return routeName === name && (id === undefined) === (others.length === 0);
    });
    const route = candidates.find((candidate) => candidate.method === request.method);
    if (!route) {
      const known = candidates.map((candidate) => candidate.method).join(", ");
      return known === ""
        ? { status: 404, document: { mistakes: [`there is no /_control/${path}; GET /_control/ lists what there is`] } }
        : { status: 405, document: { mistakes: [`${request.method} is not served here; ${known} is`] } };
    }
    try {
      const rest = decodeURIComponent(others.join("/"));
      return await route.serve({ rest, query: request.url.searchParams, document: parse(request) });
    } catch (error) {
      if (error instanceof Mistakes) return { status: 400, document: { mistakes: error.list } };
      if (error instanceof URIError)
        return { status: 400, document: { mistakes: ["the path is not properly encoded"] } };
      throw error;
    }
  }

  #readingRoutes(): readonly Route[] {
    const emulator = this.#emulator;
    return [
      route("GET", "", "this list, and how many jobs there are of each status", () =>
        ok({ routes: this.#listed(), jobs: emulator.counts(), calls: emulator.calls() }),
      ),
      route("GET", "accounts", "the accounts with their keys and roles; they are the emulator's own", () =>
        ok({ accounts: emulator.accounts() }),
      ),
      route("GET", "action-types", "the action types", () => ok({ actionTypes: emulator.actionTypes() })),
      route("GET", "clients", "the client ids, without tokens", () => ok({ clientIds: emulator.clientIds() })),
      route("GET", "jobs", "jobs with their histories; ?status= ?region= ?limit=100 (the newest)", ({ query }) => {
        const limit = wholeNumber(query, "limit", { fallback: listedDefault, max: listedMax });
        const status = statusIn(query, "status");
        const region = query.get("region");
        const jobs = emulator.jobs({
          ...(status !== undefined && status !== "over" && { status }),
          ...(region !== null && { region }),
        });
        return ok({ counts: emulator.counts(), jobs: jobs.slice(-limit) });
      }),
      route("GET", "jobs/ID", "one job; ?region= ?until=Succeeded or over waits, at most ?waitMs=30000", (ask) =>
        this.#job(ask),
      ),
      route("GET", "faults", "the faults in force", () => ok({ faults: emulator.faults() })),
      route("GET", "buckets", "buckets with their rules, and unfinished multipart uploads", () =>
        ok({ buckets: emulator.artifacts.buckets(), uploads: emulator.artifacts.uploads() }),
      ),
      route("GET", "kms-keys", "the KMS keys that were named", () => ok({ kmsKeys: emulator.artifacts.kmsKeys() })),
      route("GET", "settings", "the settings in force", () => ok(emulator.settings())),
      route("GET", "violations", "protocol violations: what a correct worker never does", () =>
        ok({ violations: emulator.violations() }),
      ),
      route("GET", "events", "every event from now on, a JSON document per line", () => ok({})),
    ];
  }

  #changingRoutes(): readonly Route[] {
    const emulator = this.#emulator;
    return [
      ...this.#accountRoutes(),
      route("POST", "action-types", "adds or replaces an action type", ({ document }) =>
        made({ actionType: emulator.addActionType(document as ActionTypeDocument) }),
      ),
      route("POST", "clients", "adds a client or changes its token; answers both", ({ document }) =>
        made(emulator.addClient(document as ClientDocument)),
      ),
      route("POST", "jobs", "adds jobs; answers their ids", ({ document }) =>
        made({ ids: emulator.addJobs(withoutFiles(document) as JobsDocument) }),
      ),
      ...this.#executionRoutes(),
      ...this.#artifactRoutes(),
      route("POST", "faults", "adds a fault; answers its id", ({ document }) => {
        refuseLockout([document]);
        return made({ id: emulator.fault(document as FaultDocument).id });
      }),
      route("DELETE", "faults", "ends every fault", () => {
        for (const { id } of emulator.faults()) emulator.removeFault(id);
        return ok({ faults: [] });
      }),
      route("DELETE", "faults/ID", "ends one fault", ({ rest }) =>
        emulator.removeFault(rest) ? ok({ faults: emulator.faults() }) : missing(`there is no fault ${rest}`),
      ),
      route("POST", "settings", "changes settings", ({ document }) => {
        emulator.configure(document as Partial<Settings>);
        return ok(emulator.settings());
      }),
      route("POST", "scenario", "loads settings, actionTypes, clients, jobs and faults", ({ document }) => {
        if (isRecord(document) && Array.isArray(document["faults"])) refuseLockout(document["faults"]);
        emulator.load(withoutFiles(document) as ScenarioDocument);
        return made({ jobs: emulator.counts() });
      }),
      route("POST", "reset", "deletes everything but the settings it was started with", () => {
        emulator.reset();
        return ok({ jobs: emulator.counts() });
      }),
    ];
  }

  #accountRoutes(): readonly Route[] {
    const emulator = this.#emulator;
    return [
      route("POST", "accounts", "adds an account, or replaces its keys and roles; answers them", ({ document }) =>
        made(emulator.addAccount(document as AccountDocument)),
      ),
      route(
        "POST",
        "expire-sessions",
        "ends the credentials of assumed roles: all, or those of ?role=ARN",
        ({ query }) => {
          emulator.expireSessions(query.get("role") ?? undefined);
          return ok({ expired: query.get("role") ?? "all" });
        },
      ),
    ];
  }

  #executionRoutes(): readonly Route[] {
    const emulator = this.#emulator;
    return [
      route(
        "POST",
        "stop-execution/ID",
        "stops a pipeline execution; {abandon: true} ends its jobs, answers which",
        (ask) => ok({ abandoned: emulator.stopExecution(ask.rest, ask.document as StopDocument) }),
      ),
      route(
        "POST",
        "retry-stage/ID",
        "retries an execution's failed actions, of one {stage} or all; answers the new ids",
        (ask) => made({ ids: emulator.retryStage(ask.rest, ask.document as RetryDocument) }),
      ),
    ];
  }

  #artifactRoutes(): readonly Route[] {
    const emulator = this.#emulator;
    return [
      route("POST", "buckets", "adds a bucket or changes its rules; objects are put by S3 at /BUCKET/KEY", (ask) => {
        emulator.artifacts.addBucket(ask.document as BucketDocument);
        return made({ buckets: emulator.artifacts.buckets() });
      }),
      route("POST", "kms-keys", "sets a KMS key to enabled, disabled or denied", (ask) => {
        emulator.artifacts.setKmsKey(ask.document as KmsKeyDocument);
        return made({ kmsKeys: emulator.artifacts.kmsKeys() });
      }),
      route("POST", "expire-credentials", "expires artifact credentials: all, or those of ?jobId=", ({ query }) => {
        emulator.artifacts.expireCredentials(query.get("jobId") ?? undefined);
        return ok({ expired: query.get("jobId") ?? "all" });
      }),
    ];
  }

  async #job({ rest, query }: Ask): Promise<Reply> {
    const region = query.get("region") ?? undefined;
    const until = statusIn(query, "until");
    const limitMs = wholeNumber(query, "waitMs", { fallback: 30_000, max: waitMaxMs });
    const job = this.#emulator.job(rest, region);
    if (!job) return missing(`there is no job ${rest}`);
    if (until === undefined) return ok(job);
    try {
      return ok(await this.#emulator.waitForJob(rest, until, { limitMs, signal: this.#closing }));
    } catch {
      // The wait is over; the job as it is now is the answer.
      return ok(this.#emulator.job(rest, region) ?? job);
    }
  }

  #listed(): readonly string[] {
    return this.#routes.map(({ method, path, does }) => `${method} /_control/${path}: ${does}`);
  }

  /** A slow reader loses events rather than filling the memory. */
  #stream(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.flushHeaders();
    const unsubscribe = this.#emulator.on((event) => {
      if (!response.writableNeedDrain) response.write(`${JSON.stringify(event)}\n`);
    });
    response.on("close", unsubscribe);
  }
}

function route(method: string, path: string, does: string, serve: Serve): Route {
  return { method, path, does, serve };
}

function ok(document: unknown): Reply {
  return { status: 200, document };
}

function made(document: unknown): Reply {
  return { status: 201, document };
}

function missing(mistake: string): Reply {
  return { status: 404, document: { mistakes: [mistake] } };
}

/** Throws Mistakes for a fault that nobody could end, since it closes the port that this API is on. */
function refuseLockout(faults: readonly unknown[]): void {
  const isLockout = (fault: unknown) =>
    isRecord(fault) && fault["kind"] === "refuse-connections" && typeof fault["ms"] !== "number";
  if (faults.some(isLockout))
    throw new Mistakes(["ms: is required for refuse-connections, which closes this port too"]);
}

/** The document. Throws Mistakes if it names a file: who calls over HTTP must not read files of this machine by it. */
function withoutFiles(document: unknown): unknown {
  const objects = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  if (!isRecord(document)) return document;
  const jobs = [document, ...objects(document["jobs"])].filter(isRecord);
  const contents = [...objects(document["objects"]), ...jobs.flatMap((job) => objects(job["inputs"]))];
  if (!contents.some((content) => isRecord(content) && content["file"] !== undefined)) return document;
  throw new Mistakes(["file: can not be named over HTTP; send text, base64 or files, or PUT the object by S3"]);
}

/** An empty body is an empty document. Throws Mistakes. */
function parse({ body }: ControlRequest): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new Mistakes([`the body is not JSON: ${error instanceof Error ? error.message : "unreadable"}`]);
  }
}

function statusIn(query: URLSearchParams, name: string): JobStatus | "over" | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (statuses.includes(value)) return value as JobStatus | "over";
  throw new Mistakes([`${name}: must be one of ${statuses.join(", ")}`]);
}

function wholeNumber(query: URLSearchParams, name: string, limits: { fallback: number; max: number }): number {
  const text = query.get(name);
  if (text === null) return limits.fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= limits.max) return value;
  throw new Mistakes([`${name}: must be a whole number from 1 to ${limits.max}`]);
}

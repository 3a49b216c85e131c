// The routes of one job: its story, the callback of the service that works for it, and what an operator orders for it by a
// program. Each proves its caller before it reads a body.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { OrderAnswer } from "../engine/events.js";
import type { FailureType } from "../job/failure.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import { failureTypeTexts } from "./actions-form.js";
import { type AdminPage, type Answer, pageAnswer, queryOf, refusal, unproven, wrongMethod } from "./answers.js";
import { bearerOf } from "./callers.js";
import { readJson } from "./request-body.js";

/** How a delivered outcome was taken; answered as 200, 409, 404, 401 and 503. */
export type DeliveryEnd = "accepted" | "already-delivered" | "unknown-job" | "wrong-token" | "not-recorded";

/** Whose story was asked for; `one` is any JSON, `page` the same for a browser. */
export type StoryAnswer =
  | { readonly kind: "page"; readonly page: AdminPage }
  | { readonly kind: "one"; readonly story: unknown }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly message: string }
  /** The ledger, which may know it, cannot be read. */
  | { readonly kind: "unreadable"; readonly message: string };

/** What a story is asked for with. */
export interface StoryAsked {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
}

/** What becomes of jobs, by injected functions. */
export interface JobRouteOptions {
  readonly deliver: (delivery: {
    readonly jobId: string;
    readonly bearer: string;
    readonly body: unknown;
  }) => Promise<DeliveryEnd>;
  /** Carries out what an operator decides about one job, named by its id or the beginning of it. */
  readonly order: (job: GivenJob, order: Order) => Promise<OrderAnswer>;
  /** Tells of one job, named by its id or the beginning of it. Absent: nobody keeps stories. */
  readonly story?: (job: GivenJob, asked: StoryAsked) => StoryAnswer | Promise<StoryAnswer>;
}

interface JobRoutesContext {
  readonly options: JobRouteOptions;
  readonly bodyMaxBytes: number;
  /** The answer, or a refusal for who may not see jobs. */
  readonly guarded: (request: IncomingMessage, read: () => Promise<Answer>) => Answer | Promise<Answer>;
  /** Why the caller may not control this daemon, if so. */
  readonly unlessAllowed: (request: IncomingMessage) => Answer | undefined;
  /** Told of an order that was given. */
  readonly onOrder: (request: IncomingMessage, given: GivenJob, order: Order, answer: OrderAnswer) => void;
}

export class JobRoutes {
  readonly #context: JobRoutesContext;

  constructor(context: JobRoutesContext) {
    this.#context = context;
  }

  /** The answer, if the path is of a job. */
  answer(path: string, request: IncomingMessage, askForBody: () => void): Answer | Promise<Answer> | undefined {
    const [, encodedId, verb] = /^\/jobs\/([^/]*)(?:\/(outcome|release|fail))?$/.exec(path) ?? [];
    if (encodedId === undefined) return undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (verb === undefined && !isRead) return wrongMethod("GET, HEAD");
    if (verb !== undefined && request.method !== "POST") return wrongMethod("POST");
    const jobId = decoded(encodedId);
    if (verb === undefined) return this.#context.guarded(request, () => this.#story(request, jobId));
    if (jobId === undefined) return refusal(400, "the job id in the path is not percent-encoded, or not 1 to 512 long");
    if (verb === "outcome") return this.#deliver(request, jobId, askForBody);
    return this.#order(request, { jobId, verb: verb === "fail" ? "fail" : "release" }, askForBody);
  }

  async #story(request: IncomingMessage, jobId: string | undefined): Promise<Answer> {
    const { story } = this.#context.options;
    if (!story || jobId === undefined) return unknownJob;
    const query = queryOf(request);
    const [region, account] = [query.get("region"), query.get("account")];
    const place = { ...(region === null ? {} : { region }), ...(account === null ? {} : { account }) };
    const found = await story({ jobId, ...place }, { headers: request.headers, query });
    if (found.kind === "page") return pageAnswer(found.page);
    if (found.kind === "unreadable") return refusal(503, found.message);
    if (found.kind === "one") return { status: 200, body: found.story };
    if (found.kind === "none") return unknownJob;
    return { status: 409, body: { kind: "ambiguous", error: found.message } };
  }

  async #order(
    request: IncomingMessage,
    { jobId, verb }: { readonly jobId: string; readonly verb: Order["kind"] },
    askForBody: () => void,
  ): Promise<Answer> {
    const refused = this.#context.unlessAllowed(request);
    if (refused) return refused;
    const read = await readJson(request, { maxBytes: this.#context.bodyMaxBytes, askForBody, mayBeEmpty: true });
    if (!read.ok) return refusal(read.status, read.error);
    const given = orderFrom(verb, read.value as Readonly<Record<string, unknown>>);
    if ("problem" in given) return refusal(400, given.problem);
    const job = { jobId, ...given.place };
    const answer = await this.#context.options.order(job, given.order);
    this.#context.onOrder(request, job, given.order, answer);
    return orderAnswer(answer);
  }

  async #deliver(request: IncomingMessage, jobId: string, askForBody: () => void): Promise<Answer> {
    const bearer = bearerOf(request);
    if (bearer === undefined) return unproven();
    const read = await readJson(request, { maxBytes: this.#context.bodyMaxBytes, askForBody });
    if (!read.ok) return refusal(read.status, read.error);
    return deliveryAnswer(await this.#context.options.deliver({ jobId, bearer, body: read.value }));
  }
}

/** The body of an order, checked. */
function orderFrom(
  verb: Order["kind"],
  { region, account, message, type }: Readonly<Record<string, unknown>>,
): { readonly place: Omit<GivenJob, "jobId">; readonly order: Order } | { readonly problem: string } {
  if (region !== undefined && typeof region !== "string") return { problem: "region is not a string" };
  if (account !== undefined && typeof account !== "string") return { problem: "account is not a string" };
  const place = { ...(region === undefined ? {} : { region }), ...(account === undefined ? {} : { account }) };
  if (verb === "release") return { place, order: { kind: "release" } };
  if (typeof message !== "string" || message.trim() === "") {
    return { problem: "message is missing: what the customer reads in the pipeline" };
  }
  if (type === undefined) return { place, order: { kind: "fail", message } };
  if (typeof type !== "string" || !Object.hasOwn(failureTypeTexts, type)) {
    return { problem: `type is not one of ${Object.keys(failureTypeTexts).join(", ")}` };
  }
  return { place, order: { kind: "fail", message, type: type as FailureType } };
}

const unknownJob: Answer = {
  status: 404,
  body: { kind: "unknown-job", error: "this daemon knows no job with that id, or no longer" },
};

/** ThirdPartyJobId has up to 512 characters. */
const jobIdMaxLength = 512;

function decoded(segment: string): string | undefined {
  try {
    const text = decodeURIComponent(segment);
    return text.length >= 1 && text.length <= jobIdMaxLength ? text : undefined;
  } catch {
    return undefined;
  }
}

function deliveryAnswer(end: DeliveryEnd): Answer {
  switch (end) {
    case "accepted":
      return { status: 200, body: { accepted: true } };
    case "already-delivered":
      return refusal(409, "this job already has its outcome");
    case "unknown-job":
      return refusal(404, "no job with this id waits for an outcome");
    case "wrong-token":
      return unproven();
    case "not-recorded":
      return {
        ...refusal(503, "the outcome could not be recorded yet; deliver it again"),
        headers: { "retry-after": "5" },
      };
  }
}

const orderStatus: Readonly<Record<OrderAnswer["kind"], number>> = {
  taken: 200,
  "unknown-job": 404,
  "too-late": 409,
  ambiguous: 409,
  "ledger-unusable": 503,
};

function orderAnswer({ kind, message, jobId }: OrderAnswer): Answer {
  const body = { ...(kind === "taken" ? { done: true, message } : { kind, error: message }), ...(jobId && { jobId }) };
  return { status: orderStatus[kind], body };
}

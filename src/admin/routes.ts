// What the admin port answers: probes, status, the callback of services, and control. What each route does is handed
// in; this file knows only HTTP, trusts no client, and sees no secret but the tokens that prove a caller.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { OrderAnswer } from "../engine/events.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import type { Secret } from "../job/secret.js";
import { writtenFor } from "./answer-encoding.js";
import { bearerOf, isSameSecret, mayBeForeign, mayRead, visibleTo } from "./callers.js";
import type { Liveness, Readiness } from "./health.js";
import { readJson } from "./json-body.js";
import type { Strangers } from "./strangers.js";

/** How a delivered outcome was taken; answered as 200, 409, 404, 401 and 503. */
export type DeliveryEnd = "accepted" | "already-delivered" | "unknown-job" | "wrong-token" | "not-recorded";

/** A page of somebody else's making, such as the metrics. */
export interface AdminPage {
  readonly contentType: string;
  readonly text: string;
  /** What the page may load; nothing by default. */
  readonly contentSecurityPolicy?: string;
  /** 200 by default. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a page is asked with. */
export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
}

/** A page by its path, for GET. */
export interface AdminPageRoute {
  /** True for what names jobs and clients: shown on loopback, or to the bearer of the token. */
  readonly isGuarded: boolean;
  readonly page: (asked: Asked) => AdminPage | Promise<AdminPage>;
}

/** A stream of server-sent events, guarded like a page that names jobs and clients. */
export interface AdminStream {
  readonly hasRoom: boolean;
  /** Writes to it from here on; the head is out. */
  readonly open: (response: ServerResponse, asked: Asked) => void;
}

/** Whose story was asked for; `one` is any JSON. */
export type StoryAnswer =
  | { readonly kind: "one"; readonly story: unknown }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly message: string };

/** What the routes do, by injected functions. */
export interface RouteOptions {
  /**
   * Proves who may pause, resume, wake, and fail or release jobs. Without it these routes answer only on loopback, and
   * to no browser and no proxy. Where the port is open to other machines it also proves who may see jobs and clients.
   */
  readonly token?: Secret<string>;
  /** True when only this machine reaches the port. */
  readonly isLocal: boolean;
  readonly live: () => Liveness;
  readonly ready: () => Readiness;
  /** Anything JSON. */
  readonly status: () => unknown;
  readonly deliver: (delivery: {
    readonly jobId: string;
    readonly bearer: string;
    readonly body: unknown;
  }) => Promise<DeliveryEnd>;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly wake: () => void;
  /** Carries out what an operator decides about one job, named by its id or the beginning of it. */
  readonly order: (job: GivenJob, order: Order) => Promise<OrderAnswer>;
  /** Tells of one job, named by its id or the beginning of it. Absent: nobody keeps stories. */
  readonly story?: (job: GivenJob) => StoryAnswer;
  /** More pages by path. */
  readonly pages?: Readonly<Record<string, AdminPageRoute>>;
  /** Streams by path. */
  readonly streams?: Readonly<Record<string, AdminStream>>;
  /** Told of a route that threw; its caller sees only a 500. */
  readonly onFault?: (error: unknown) => void;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Instead of the body, for a GET: keeps writing after the head. */
  readonly stream?: (response: ServerResponse) => void;
}

type Read = (request: IncomingMessage) => Answer | Promise<Answer>;

/** The table of routes, and what is the same for all of them. */
export class Routes {
  readonly #options: RouteOptions;
  readonly #bodyMaxBytes: number;
  readonly #strangers: Strangers;
  readonly #reads: ReadonlyMap<string, Read>;
  readonly #controls: ReadonlyMap<string, () => void>;

  constructor(options: RouteOptions, bodyMaxBytes: number, strangers: Strangers) {
    this.#options = options;
    this.#bodyMaxBytes = bodyMaxBytes;
    this.#strangers = strangers;
    const pages = Object.entries(options.pages ?? {}).map(([path, { isGuarded, page }]) => {
      const read: Read = async (request) => pageAnswer(await page(askedBy(request)));
      return [path, isGuarded ? this.#guarded(read) : read] as const;
    });
    const streams = Object.entries(options.streams ?? {}).map(
      ([path, stream]) => [path, this.#guarded((request) => streamAnswer(stream, askedBy(request)))] as const,
    );
    this.#reads = new Map<string, Read>([
      ...pages,
      ...streams,
      ["/livez", (request) => livenessAnswer(visibleTo(request, options, options.live()))],
      ["/readyz", (request) => readinessAnswer(visibleTo(request, options, options.ready()))],
      ["/status", this.#guarded(() => ({ status: 200, body: options.status() }))],
    ]);
    this.#controls = new Map([
      ["/pause", options.pause],
      ["/resume", options.resume],
      ["/wake", options.wake],
    ]);
  }

  /** Answers one request. Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, askForBody: () => void): Promise<void> {
    // A client that goes away is its own affair.
    response.on("error", () => {});
    request.on("error", () => {});
    try {
      send(request, response, await this.#strangers.answer(request, await this.#route(request, askForBody)));
    } catch (error) {
      this.#options.onFault?.(error);
      if (response.headersSent) response.destroy();
      else send(request, response, refusal(500, "internal error"));
    }
  }

  async #route(request: IncomingMessage, askForBody: () => void): Promise<Answer> {
    const { method } = request;
    const path = (request.url ?? "").replace(/[?#].*$/s, "");
    const read = this.#reads.get(path);
    if (read) return method === "GET" || method === "HEAD" ? read(request) : wrongMethod("GET, HEAD");
    const control = this.#controls.get(path);
    if (control) return method === "POST" ? this.#control(request, control) : wrongMethod("POST");
    const [, encodedId, verb] = /^\/jobs\/([^/]*)(?:\/(outcome|release|fail))?$/.exec(path) ?? [];
    if (encodedId === undefined) return refusal(404, "there is nothing at this path");
    const isRead = method === "GET" || method === "HEAD";
    if (verb === undefined && !isRead) return wrongMethod("GET, HEAD");
    if (verb !== undefined && method !== "POST") return wrongMethod("POST");
    const jobId = decoded(encodedId);
    if (verb === undefined) return this.#guarded((asked) => this.#story(asked, jobId))(request);
    if (jobId === undefined) return refusal(400, "the job id in the path is not percent-encoded, or not 1 to 512 long");
    if (verb === "outcome") return this.#deliver(request, jobId, askForBody);
    return this.#order(request, { jobId, verb: verb === "fail" ? "fail" : "release" }, askForBody);
  }

  #story(request: IncomingMessage, jobId: string | undefined): Answer {
    const { story } = this.#options;
    if (!story || jobId === undefined) return unknownJob;
    const region = askedBy(request).query.get("region");
    const found = story({ jobId, ...(region === null ? {} : { region }) });
    if (found.kind === "one") return { status: 200, body: found.story };
    if (found.kind === "none") return unknownJob;
    return { status: 409, body: { kind: "ambiguous", error: found.message } };
  }

  #guarded(read: Read): Read {
    const { token } = this.#options;
    return (request) => {
      if (mayRead(request, this.#options)) return read(request);
      if (token === undefined) return refusal(403, "use 127.0.0.1 or localhost, or set admin.token and send it");
      // Browsers ask a person for Basic; the token is the password, the name may be anything.
      const challenge = 'Basic realm="partnerd: any user name, the admin token as password", charset="UTF-8"';
      // One line each: Chromium reads only the first challenge of a line.
      return { ...unproven(), headers: { "www-authenticate": [challenge, "Bearer"] } };
    };
  }

  #control(request: IncomingMessage, act: () => void): Answer {
    const refused = this.#unlessAllowed(request);
    if (refused) return refused;
    act();
    return { status: 200, body: { done: true } };
  }

  /** Why the caller may not control this daemon, if so. */
  #unlessAllowed(request: IncomingMessage): Answer | undefined {
    const { token } = this.#options;
    if (token !== undefined) {
      const bearer = bearerOf(request);
      if (bearer === undefined || !isSameSecret(bearer, token.reveal())) return unproven();
    } else if (mayBeForeign(request)) {
      return refusal(403, "set admin.token to control this daemon through a browser or a proxy");
    }
    return undefined;
  }

  async #order(
    request: IncomingMessage,
    { jobId, verb }: { readonly jobId: string; readonly verb: Order["kind"] },
    askForBody: () => void,
  ): Promise<Answer> {
    const refused = this.#unlessAllowed(request);
    if (refused) return refused;
    const read = await readJson(request, { maxBytes: this.#bodyMaxBytes, askForBody, mayBeEmpty: true });
    if (!read.ok) return refusal(read.status, read.error);
    const { region, account, message } = read.value as Readonly<Record<string, unknown>>;
    if (region !== undefined && typeof region !== "string") return refusal(400, "region is not a string");
    if (account !== undefined && typeof account !== "string") return refusal(400, "account is not a string");
    const place = { ...(region === undefined ? {} : { region }), ...(account === undefined ? {} : { account }) };
    const job = { jobId, ...place };
    if (verb === "release") return orderAnswer(await this.#options.order(job, { kind: "release" }));
    if (typeof message !== "string" || message.trim() === "") {
      return refusal(400, "message is missing: what the customer reads in the pipeline");
    }
    return orderAnswer(await this.#options.order(job, { kind: "fail", message }));
  }

  async #deliver(request: IncomingMessage, jobId: string, askForBody: () => void): Promise<Answer> {
    const bearer = bearerOf(request);
    if (bearer === undefined) return unproven();
    const read = await readJson(request, { maxBytes: this.#bodyMaxBytes, askForBody });
    if (!read.ok) return refusal(read.status, read.error);
    return deliveryAnswer(await this.#options.deliver({ jobId, bearer, body: read.value }));
  }
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

function livenessAnswer(body: Liveness): Answer {
  return { status: body.live ? 200 : 503, body };
}

function readinessAnswer(body: Readiness): Answer {
  return { status: body.ready ? 200 : 503, body };
}

function askedBy({ headers, url = "" }: IncomingMessage): Asked {
  return { headers, query: new URLSearchParams(/\?([^#]*)/.exec(url)?.[1] ?? "") };
}

function pageAnswer(page: AdminPage): Answer {
  const policy = page.contentSecurityPolicy;
  return {
    status: page.status ?? 200,
    body: page.text,
    headers: {
      "content-type": page.contentType,
      ...(policy ? { "content-security-policy": policy } : {}),
      ...page.headers,
    },
  };
}

function streamAnswer(stream: AdminStream, asked: Asked): Answer {
  if (!stream.hasRoom) return { ...refusal(503, "too many pages are open"), headers: { "retry-after": "10" } };
  // Proxies that gather answers before they pass them on are asked not to.
  const headers = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" };
  return { status: 200, body: "", headers, stream: (response) => stream.open(response, asked) };
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

function refusal(status: number, error: string): Answer {
  return { status, body: { error } };
}

function wrongMethod(allow: string): Answer {
  return { ...refusal(405, `use ${allow}`), headers: { allow } };
}

function unproven(): Answer {
  return { ...refusal(401, "the bearer token is missing or wrong"), headers: { "www-authenticate": "Bearer" } };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  const isStream = answer.stream !== undefined && request.method !== "HEAD";
  const text = typeof answer.body === "string" ? answer.body : `${JSON.stringify(answer.body)}\n`;
  const { body, headers } = writtenFor(request.headers, text);
  response.writeHead(answer.status, {
    "content-type": "application/json; charset=utf-8",
    ...(isStream ? {} : { "content-length": Buffer.byteLength(body) }),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'",
    // What is left of such a body is not worth reading.
    ...(answer.status === 413 ? { connection: "close" } : {}),
    ...headers,
    ...answer.headers,
  });
  if (isStream) answer.stream?.(response);
  else response.end(request.method === "HEAD" ? undefined : body);
}

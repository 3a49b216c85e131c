// What the admin port answers: probes, status, pages, control; jobs and the console's forms by files of their own
// (job-routes.ts, actions-routes.ts). What each route does is handed in; this file knows only HTTP, trusts no client, and
// sees no secret but the tokens that prove a caller.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { OrderAnswer } from "../engine/events.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import type { Secret } from "../job/secret.js";
import type { Clock } from "../std/clock.js";
import type { ActionDone } from "./actions.js";
import type { ActionName } from "./actions-form.js";
import { type ConsoleOptions, ConsoleRoutes } from "./actions-routes.js";
import { type AdminPage, type Answer, pageAnswer, queryOf, refusal, send, unproven, wrongMethod } from "./answers.js";
import { bearerOf, isForOtherPage, isSameSecret, mayBeForeign, mayRead, type Trusted, visibleTo } from "./callers.js";
import type { Liveness, Readiness } from "./health.js";
import { type JobRouteOptions, JobRoutes } from "./job-routes.js";
import { Sessions } from "./sessions.js";
import type { Strangers } from "./strangers.js";
import { Callers } from "./who.js";

export type { AdminPage } from "./answers.js";
export type { DeliveryEnd, StoryAnswer } from "./job-routes.js";

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

/** What the routes do, by injected functions. */
export interface RouteOptions extends JobRouteOptions {
  /**
   * Proves who may pause, resume, wake, and fail or release jobs. Without it these routes answer only on loopback, and
   * to no proxy, nor to a browser but for the console's own forms. Where the port is open to other machines it also proves
   * who may see jobs and clients.
   */
  readonly token?: Secret<string>;
  /** True when only this machine reaches the port. */
  readonly isLocal: boolean;
  readonly live: () => Liveness;
  readonly ready: () => Readiness;
  /** Anything JSON. */
  readonly status: () => unknown;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly wake: () => void;
  /** More pages by path. */
  readonly pages?: Readonly<Record<string, AdminPageRoute>>;
  /** Streams by path. */
  readonly streams?: Readonly<Record<string, AdminStream>>;
  /** The forms by which an operator acts. Absent: there are none. */
  readonly forms?: ConsoleOptions;
  /** Told of each action of an operator's; must not throw. */
  readonly onAction?: (action: ActionDone) => void;
  /** Told of a route that threw; its caller sees only a 500. */
  readonly onFault?: (error: unknown) => void;
}

interface RoutesContext {
  readonly bodyMaxBytes: number;
  readonly strangers: Strangers;
  readonly clock: Clock;
}

type Read = (request: IncomingMessage) => Answer | Promise<Answer>;

/** The table of routes, and what is the same for all of them. */
export class Routes {
  readonly #options: RouteOptions;
  readonly #trusted: Trusted;
  readonly #callers: Callers;
  readonly #strangers: Strangers;
  readonly #reads: ReadonlyMap<string, Read>;
  readonly #controls: ReadonlyMap<string, readonly [ActionName, () => void]>;
  readonly #jobs: JobRoutes;
  readonly #forms: ConsoleRoutes | undefined;

  constructor(options: RouteOptions, { bodyMaxBytes, strangers, clock }: RoutesContext) {
    const { token, isLocal, forms } = options;
    this.#options = options;
    this.#strangers = strangers;
    const sessions = new Sessions(clock);
    const isSignedIn = (request: IncomingMessage) => token !== undefined && sessions.isOpen(request);
    this.#trusted = { ...(token === undefined ? {} : { token }), isLocal, isSignedIn };
    this.#callers = forms?.callers ?? new Callers();
    this.#forms = forms && new ConsoleRoutes({ ...forms, trusted: this.#trusted, sessions, bodyMaxBytes });
    this.#jobs = new JobRoutes({
      options,
      bodyMaxBytes,
      guarded: (request, read) => this.#guarded(read)(request),
      unlessAllowed: (request) => this.#unlessAllowed(request),
      onOrder: (request, job, order, answer) => this.#ordered(request, { job, order, answer }),
    });
    this.#reads = this.#readsOf(options);
    this.#controls = new Map([
      ["/pause", ["pause", options.pause]],
      ["/resume", ["resume", options.resume]],
      ["/wake", ["wake", options.wake]],
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
    if (control) return method === "POST" ? this.#control(request, ...control) : wrongMethod("POST");
    const answer = this.#forms?.answer(path, request, askForBody) ?? this.#jobs.answer(path, request, askForBody);
    return answer ?? refusal(404, "there is nothing at this path");
  }

  #readsOf({ pages = {}, streams = {}, live, ready, status }: RouteOptions): ReadonlyMap<string, Read> {
    const trusted = this.#trusted;
    const pageReads = Object.entries(pages).map(([path, { isGuarded, page }]) => {
      const read: Read = async (request) => pageAnswer(await page(askedBy(request)));
      return [path, isGuarded ? this.#guarded(read) : read] as const;
    });
    const streamReads = Object.entries(streams).map(
      ([path, stream]) => [path, this.#guarded((request) => streamAnswer(stream, askedBy(request)))] as const,
    );
    return new Map<string, Read>([
      ...pageReads,
      ...streamReads,
      ["/livez", (request) => livenessAnswer(visibleTo(request, trusted, live()))],
      ["/readyz", (request) => readinessAnswer(visibleTo(request, trusted, ready()))],
      ["/status", this.#guarded(() => ({ status: 200, body: status() }))],
    ]);
  }

  #guarded(read: Read): Read {
    const { token } = this.#options;
    return (request) => {
      if (mayRead(request, this.#trusted)) return read(request);
      if (token === undefined) return refusal(403, "use 127.0.0.1 or localhost, or set admin.token and send it");
      const signIn = this.#forms?.signInInstead(request);
      if (signIn) return signIn;
      // A page whose session has ended asks for its stream: a browser would ask for a password in a window of its own.
      if (isOfBrowser(request)) return unproven();
      // For programs that send a name and a password only when they are asked; the name may be anything.
      const challenge = 'Basic realm="partnerd: any user name, the admin token as password", charset="UTF-8"';
      // One line each: Chromium reads only the first challenge of a line.
      return { ...unproven(), headers: { "www-authenticate": [challenge, "Bearer"] } };
    };
  }

  #control(request: IncomingMessage, action: ActionName, act: () => void): Answer {
    const refused = this.#unlessAllowed(request);
    if (refused) return refused;
    act();
    this.#options.onAction?.({ ...this.#callers.who(request), action, jobs: [], done: 1, refused: 0 });
    return { status: 200, body: { done: true } };
  }

  #ordered(
    request: IncomingMessage,
    { job, order, answer }: { readonly job: GivenJob; readonly order: Order; readonly answer: OrderAnswer },
  ): void {
    const done = answer.kind === "taken" ? 1 : 0;
    const jobs = [answer.jobId ?? job.jobId];
    this.#options.onAction?.({ ...this.#callers.who(request), action: order.kind, jobs, done, refused: 1 - done });
  }

  /** Why the caller may not control this daemon, if so: programs, not forms. */
  #unlessAllowed(request: IncomingMessage): Answer | undefined {
    const { token, forms } = this.#options;
    if (token !== undefined) {
      const bearer = bearerOf(request);
      if (bearer === undefined || !isSameSecret(bearer, token.reveal())) return unproven();
      // A proxy that adds the token adds it to what other sites' pages send, too.
      if (isForOtherPage(request, forms?.publicUrl)) return refusal(403, "not for pages of other sites");
    } else if (mayBeForeign(request)) {
      return refusal(403, "set admin.token to control this daemon through a browser or a proxy");
    }
    return undefined;
  }
}

function isOfBrowser({ headers }: IncomingMessage): boolean {
  return headers["sec-fetch-mode"] !== undefined || (headers.accept ?? "").includes("text/event-stream");
}

function askedBy(request: IncomingMessage): Asked {
  return { headers: request.headers, query: queryOf(request) };
}

function livenessAnswer(body: Liveness): Answer {
  return { status: body.live ? 200 : 503, body };
}

function readinessAnswer(body: Readiness): Answer {
  return { status: body.ready ? 200 : 503, body };
}

function streamAnswer(stream: AdminStream, asked: Asked): Answer {
  if (!stream.hasRoom) return { ...refusal(503, "too many pages are open"), headers: { "retry-after": "10" } };
  // Proxies that gather answers before they pass them on are asked not to.
  const headers = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" };
  return { status: 200, body: "", headers, stream: (response) => stream.open(response, asked) };
}

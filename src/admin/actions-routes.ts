// The console's own routes: sign in and out, the question before an action, the action, and what came of it. Nothing
// changes by GET. A form that changes something must come from a page of ours (its origin), by somebody who may control
// this daemon (a session, the token, or this machine where no token is set), with the token that only our page has.
import type { IncomingMessage } from "node:http";
import type { Secret } from "../job/secret.js";
import type { ActionResult, Actions } from "./actions.js";
import { signOutForm } from "./actions-controls.js";
import { formFrom, localPath } from "./actions-form.js";
import { confirmHtml, refusedHtml, resultHtml, signInPage } from "./actions-page.js";
import { actionsStyle } from "./actions-style.js";
import { type Answer, queryOf, refusal, wrongMethod } from "./answers.js";
import { isFromOwnPage, isOfNoBrowserHere, isProven, isSameSecret, mayRead, type Trusted } from "./callers.js";
import { type Html, html } from "./html.js";
import { pagePolicy } from "./page-frame.js";
import { readForm } from "./request-body.js";
import type { Sessions } from "./sessions.js";
import type { JobStatusLine } from "./status-snapshot.js";
import type { Callers } from "./who.js";

export interface ConsoleOptions {
  readonly actions: Actions;
  readonly callers: Callers;
  /** The jobs that this daemon has now. */
  readonly jobs: () => readonly JobStatusLine[];
  /** A whole page of this title around the body. */
  readonly frame: (title: string, body: Html) => string;
  /** Under which browsers reach the port, where a proxy in front changes the host. */
  readonly publicUrl?: string | undefined;
}

interface ConsoleContext extends ConsoleOptions {
  readonly trusted: Trusted & { readonly token?: Secret<string> };
  readonly sessions: Sessions;
  readonly bodyMaxBytes: number;
}

/** The longest form that a page of ours sends: 500 jobs and a message of 5,000 characters. */
const formMaxBytes = 512 * 1_024;

type Route = (request: IncomingMessage, askForBody: () => void) => Answer | Promise<Answer>;

export class ConsoleRoutes {
  readonly #context: ConsoleContext;
  readonly #routes: ReadonlyMap<string, { readonly get?: Route; readonly post?: Route }>;

  constructor(context: ConsoleContext) {
    this.#context = context;
    this.#routes = new Map<string, { readonly get?: Route; readonly post?: Route }>([
      ["/actions.css", { get: () => asset }],
      ["/sign-in", { get: (request) => this.#signInForm(request), post: (request, ask) => this.#signIn(request, ask) }],
      ["/sign-out", { post: (request, ask) => this.#signOut(request, ask) }],
      [
        "/actions/confirm",
        { get: (request) => this.#confirm(request), post: (request, ask) => this.#confirm(request, ask) },
      ],
      ["/actions", { post: (request, ask) => this.#act(request, ask) }],
      ["/actions/result", { get: (request) => this.#result(request) }],
    ]);
  }

  /** The answer, if the path is one of these. */
  answer(path: string, request: IncomingMessage, askForBody: () => void): Answer | Promise<Answer> | undefined {
    const route = this.#routes.get(path);
    if (!route) return undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    const call = isRead ? route.get : request.method === "POST" ? route.post : undefined;
    if (call) return call(request, askForBody);
    return wrongMethod([...(route.get ? ["GET, HEAD"] : []), ...(route.post ? ["POST"] : [])].join(", "));
  }

  /** For a browser that asks for a page and showed nothing yet: the way in. */
  signInInstead(request: IncomingMessage): Answer | undefined {
    const { token } = this.#context.trusted;
    const { accept = "", authorization } = request.headers;
    if (token === undefined || authorization !== undefined || !accept.includes("text/html")) return undefined;
    return this.#mustSignIn(request);
  }

  #mustSignIn(request: IncomingMessage): Answer {
    const isPage = request.method === "GET" || request.method === "HEAD";
    const next = isPage ? localPath(request.url) : "/";
    return page(401, signInPage({ next, isFromLink: isFromLink(request) }), challenge);
  }

  #signInForm(request: IncomingMessage): Answer {
    const next = localPath(queryOf(request).get("next"));
    if (this.#context.trusted.token === undefined || isProven(request, this.#context.trusted)) return redirect(next);
    return page(200, signInPage({ next }));
  }

  async #signIn(request: IncomingMessage, askForBody: () => void): Promise<Answer> {
    const { trusted, sessions } = this.#context;
    const { token } = trusted;
    if (token === undefined) return this.#refused(403, "there is no token to sign in with", noToken);
    // Nobody else's page signs a browser in.
    if (!this.#isOwnPage(request)) return this.#refused(403, "Not signed in", foreign);
    const read = await this.#form(request, askForBody);
    if ("answer" in read) return read.answer;
    const next = localPath(read.form.get("next"));
    if (!isSameSecret((read.form.get("token") ?? "").trim(), token.reveal())) {
      return { ...page(401, signInPage({ next, problem: "That is not the admin token." }), challenge), isGuess: true };
    }
    return redirect(next, { "set-cookie": sessions.begin(request) });
  }

  async #signOut(request: IncomingMessage, askForBody: () => void): Promise<Answer> {
    const { sessions } = this.#context;
    if (!this.#isOwnPage(request)) return this.#refused(403, "Not signed out", foreign);
    const read = await this.#form(request, askForBody);
    if ("answer" in read) return read.answer;
    return redirect("/sign-in", { "set-cookie": sessions.end(request) });
  }

  /** Changes nothing, so that a link may lead to it; what it is to do must be confirmed on our own page. */
  async #confirm(request: IncomingMessage, askForBody?: () => void): Promise<Answer> {
    const { actions, jobs, sessions } = this.#context;
    if (askForBody && !this.#isOwnPage(request)) return this.#refused(403, "Nothing was done", foreign);
    const refused = this.#unlessAllowed(request);
    if (refused) return refused;
    const read = askForBody ? await this.#form(request, askForBody) : { form: queryOf(request) };
    if ("answer" in read) return read.answer;
    // A link of somebody else's may lead here, but puts no words into an operator's mouth.
    if (isFromLink(request)) read.form.delete("message");
    const given = formFrom(read.form);
    if (!given.ok) return this.#refused(400, "Nothing was done", given.problem, read.form.get("back"));
    const known = { jobs: jobs(), token: sessions.formToken(request), hasFleet: actions.hasFleet };
    return this.#page(200, "Confirm", this.#withSignOut(request, confirmHtml(given.form, known)));
  }

  async #act(request: IncomingMessage, askForBody: () => void): Promise<Answer> {
    const { actions, callers, sessions } = this.#context;
    if (!this.#isOwnPage(request)) return this.#refused(403, "Nothing was done", foreign);
    const refused = this.#unlessAllowed(request);
    if (refused) return refused;
    const read = await this.#form(request, askForBody);
    if ("answer" in read) return read.answer;
    const back = read.form.get("back");
    if (!sessions.isFormToken(request, read.form.get("token") ?? "")) {
      return this.#refused(
        403,
        "Nothing was done",
        "the page is from before a restart or a sign-in: open it again",
        back,
      );
    }
    const given = formFrom(read.form);
    if (!given.ok) return this.#refused(400, "Nothing was done", given.problem, back);
    if (given.form.action === "fail" && given.form.message === "") {
      return this.#refused(
        400,
        "Nothing was done",
        "the message is missing: what the customer reads in the pipeline",
        back,
      );
    }
    const id = await actions.act(given.form, callers.who(request));
    return redirect(`/actions/result?id=${id}`);
  }

  #result(request: IncomingMessage): Answer {
    const { trusted, actions } = this.#context;
    if (!mayRead(request, trusted))
      return trusted.token === undefined ? this.#refused(403, "Not shown", local) : this.#mustSignIn(request);
    const result: ActionResult | undefined = actions.result(queryOf(request).get("id") ?? "");
    if (!result)
      return this.#refused(
        404,
        "Not known any more",
        "what came of an action is kept for some minutes, until a restart",
      );
    return this.#page(200, "Done", this.#withSignOut(request, resultHtml(result)));
  }

  /** Why the caller may not control this daemon, if so. */
  #unlessAllowed(request: IncomingMessage): Answer | undefined {
    const { trusted } = this.#context;
    if (trusted.token === undefined)
      return isOfNoBrowserHere(request) ? this.#refused(403, "Not allowed", noToken) : undefined;
    return isProven(request, trusted) ? undefined : this.#mustSignIn(request);
  }

  #isOwnPage(request: IncomingMessage): boolean {
    return isFromOwnPage(request, this.#context.publicUrl);
  }

  async #form(
    request: IncomingMessage,
    askForBody: () => void,
  ): Promise<{ readonly form: URLSearchParams } | { readonly answer: Answer }> {
    const maxBytes = Math.min(this.#context.bodyMaxBytes, formMaxBytes);
    const read = await readForm(request, { maxBytes, askForBody });
    if (read.ok) return { form: read.form };
    return { answer: this.#refused(read.status, "Nothing was done", read.error) };
  }

  /** Only a browser that is signed in can sign out. */
  #withSignOut(request: IncomingMessage, body: Html): Html {
    const { trusted, sessions } = this.#context;
    return trusted.token !== undefined && sessions.isOpen(request) ? html`${body}${signOutForm}` : body;
  }

  #page(status: number, title: string, body: Html): Answer {
    return page(status, this.#context.frame(title, body));
  }

  #refused(status: number, title: string, text: string, back?: string | null): Answer {
    return this.#page(status, title, refusedHtml(title, text, localPath(back)));
  }
}

const foreign =
  "the form was not sent from a page of this console; behind a proxy that changes the host, set admin.publicUrl to the address that browsers use";
const noToken = "set admin.token to control this daemon through a proxy, or open it as 127.0.0.1 or localhost";
const local = "use 127.0.0.1 or localhost, or set admin.token and sign in";

const asset: Answer = { status: 200, body: actionsStyle, headers: { "content-type": "text/css; charset=utf-8" } };
/** No Basic: a browser would ask in a window of its own. */
const challenge = { "www-authenticate": "Bearer" };

function page(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const type = { "content-type": "text/html; charset=utf-8", "content-security-policy": pagePolicy };
  return { status, body: text, isWhole: true, headers: { ...type, "referrer-policy": "same-origin", ...headers } };
}

/** True for a link on another site's page, as the browser says. */
function isFromLink({ headers }: IncomingMessage): boolean {
  return /^(cross|same)-site$/.test(String(headers["sec-fetch-site"] ?? ""));
}

/** After a form: the browser gets the page anew, and repeats nothing when it is loaded again. */
function redirect(to: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { ...refusal(303, `see ${to}`), headers: { location: to, ...headers } };
}

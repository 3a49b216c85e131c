// An answer of the admin port before it is sent, and the headers that every answer has. It knows no route.
import type { IncomingMessage, ServerResponse } from "node:http";
import { writtenFor } from "./answer-encoding.js";

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

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Somebody showed a wrong token: what is counted and slowed down, however it was sent. */
  readonly isGuess?: boolean;
  /** It holds a token beside what its caller wrote: compressed, its length would tell of the token. */
  readonly isWhole?: boolean;
  /** Instead of the body, for a GET: keeps writing after the head. */
  readonly stream?: (response: ServerResponse) => void;
}

/** A page as an answer. */
export function pageAnswer(page: AdminPage): Answer {
  const policy = page.contentSecurityPolicy;
  return {
    status: page.status ?? 200,
    body: page.text,
    headers: {
      "content-type": page.contentType,
      // Its forms are to name their origin, which a browser hides where it may tell nobody where it comes from.
      ...(policy ? { "content-security-policy": policy, "referrer-policy": "same-origin" } : {}),
      ...page.headers,
    },
  };
}

/** A refusal, and why. */
export function refusal(status: number, error: string): Answer {
  return { status, body: { error } };
}

export function wrongMethod(allow: string): Answer {
  return { ...refusal(405, `use ${allow}`), headers: { allow } };
}

/** Asks for the bearer token. */
export function unproven(): Answer {
  return { ...refusal(401, "the bearer token is missing or wrong"), headers: { "www-authenticate": "Bearer" } };
}

/** What the address asks for. */
export function queryOf({ url = "" }: IncomingMessage): URLSearchParams {
  return new URLSearchParams(/\?([^#]*)/.exec(url)?.[1] ?? "");
}

/** Sends it. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  const isStream = answer.stream !== undefined && request.method !== "HEAD";
  const text = typeof answer.body === "string" ? answer.body : `${JSON.stringify(answer.body)}\n`;
  const { body, headers } = writtenFor(answer.isWhole ? {} : request.headers, text);
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

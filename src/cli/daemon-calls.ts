// Asks the admin port of the daemon that runs with the same configuration, with its token if it has one. Every call has
// a limit of time and of size; a closed port is an answer too.
import type { Config } from "../config/config.js";
import { reachableUrl } from "../std/addresses.js";
import { BoundedBytes } from "../std/bounded.js";
import { codeOf } from "../std/errors.js";
import { request } from "../std/node-http.js";

/** `off`: the configuration opens no admin port. `nobody`: nothing listens there, or it does not answer. */
export type DaemonAnswer =
  | { readonly kind: "answered"; readonly url: string; readonly status: number; readonly body: unknown }
  | { readonly kind: "nobody"; readonly url: string; readonly reason: string }
  | { readonly kind: "off" };

/** What is asked. */
export interface DaemonCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
}

/** A ledger has its own limits beneath this one. */
const callLimitMs = 15_000;
/** A status document names every job in flight. */
const answerMaxBytes = 16 * 1024 * 1024;

/** Makes one call. Never rejects. */
export async function askDaemon(
  { host, port, token }: Config["admin"],
  call: DaemonCall,
  limitMs: number = callLimitMs,
): Promise<DaemonAnswer> {
  if (port === 0) return { kind: "off" };
  const url = reachableUrl(host, port);
  const authorization = token ? { authorization: `Bearer ${token.reveal()}` } : {};
  try {
    return { kind: "answered", url, ...(await exchange(`${url}${call.path}`, call, authorization, limitMs)) };
  } catch (error) {
    const { name, message } = error as Error;
    const isLate = name === "AbortError" || name === "TimeoutError";
    return { kind: "nobody", url, reason: isLate ? `no answer within ${limitMs} ms` : (codeOf(error) ?? message) };
  }
}

/** The line about an answer that no daemon gives, up to its remedy. */
export function stranger({ url, status }: Extract<DaemonAnswer, { kind: "answered" }>): string {
  return `a program that is not partnerd listens at ${url} (it answered ${status}): correct admin.port`;
}

function exchange(
  url: string,
  { method, body }: DaemonCall,
  authorization: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? authorization : { ...authorization, "content-type": "application/json" };
    const signal = AbortSignal.timeout(limitMs);
    const call = request(url, { method, headers, agent: false, signal }, (response) => {
      const bytes = new BoundedBytes(answerMaxBytes);
      response.on("data", (chunk: Buffer) => {
        if (!bytes.add(chunk)) call.destroy(new Error(`an answer of more than ${answerMaxBytes} bytes`));
      });
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: parsed(bytes.whole().toString("utf8")) });
      });
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Something else listens there; its words are of no use.
    return undefined;
  }
}

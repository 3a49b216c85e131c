// One GET and its answer over the one HTTP client: no redirects, no second try, a limit on the size of the answer.

import { BoundedBytes } from "../std/bounded.js";
import type { HttpClient } from "./http-client.js";

export interface HttpGot {
  readonly status: number;
  /** `undefined`: more than `maxBytes`, or cut off before its end. */
  readonly body: Buffer | undefined;
}

export interface HttpGetOptions {
  readonly client: HttpClient;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Rejects with the network's error, or with the signal's reason. */
export function httpGet({ client, url, headers, maxBytes, signal }: HttpGetOptions): Promise<HttpGot> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const bytes = new BoundedBytes(maxBytes);
    let status: number | undefined;
    const aborted = () => exchange.abort(signal.reason);
    const end = (body: Buffer | undefined) => {
      signal.removeEventListener("abort", aborted);
      if (status !== undefined) resolve({ status, body });
    };
    signal.addEventListener("abort", aborted, { once: true });
    const exchange = client.send(
      { url, method: "GET", headers },
      {
        answered: (head) => {
          status = head.status;
        },
        bytes: (chunk) => {
          if (!bytes.add(chunk)) {
            end(undefined);
            exchange.abort(new Error(`more than ${maxBytes} bytes`));
          }
          return true;
        },
        ended: () => end(bytes.whole()),
        failed: (error) => {
          if (signal.aborted) reject(signal.reason);
          end(undefined);
          reject(error);
        },
      },
    );
  });
}

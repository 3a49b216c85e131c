// One GET and its answer over node:http or node:https: no redirects, no second try, a limit on the size of the answer.
// The only place of this folder that knows how requests are made.
import type * as http from "node:http";
import { BoundedBytes } from "../std/bounded.js";

/** Makes requests to one host by connections that it keeps. */
export interface HttpGetter {
  /** Rejects with the system's error, or with the signal's reason. */
  get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpGot>;
  close(): void;
}

export interface HttpGot {
  readonly status: number;
  /** `undefined`: more than `maxBytes`, or cut off before its end. */
  readonly body: Buffer | undefined;
}

/** An idle connection is closed before the usual proxy or server closes it first. */
const idleConnectionMs = 4_000;

/** A getter for URLs of this protocol, `http:` or `https:`. */
export async function openGetter(protocol: string, maxBytes: number): Promise<HttpGetter> {
  const transport: Pick<typeof http, "request" | "Agent"> =
    protocol === "https:" ? await import("node:https") : await import("node:http");
  const agent = new transport.Agent({ keepAlive: true, timeout: idleConnectionMs });
  return {
    get: (url, headers, signal) =>
      new Promise((resolve, reject) => {
        // Its error, when the signal ends it, is the abort's and not the signal's reason.
        const request = transport.request(url, { agent, headers, signal });
        request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
        request.on("response", (response) => {
          const { statusCode: status = 0 } = response;
          const bytes = new BoundedBytes(maxBytes);
          const end = (body: Buffer | undefined) => resolve({ status, body });
          response.on("error", () => end(undefined));
          response.on("close", () => end(undefined));
          response.on("end", () => end(response.complete ? bytes.whole() : undefined));
          response.on("data", (chunk: Buffer) => {
            if (bytes.add(chunk)) return;
            end(undefined);
            request.destroy();
          });
        });
        request.end();
      }),
    close: () => agent.destroy(),
  };
}

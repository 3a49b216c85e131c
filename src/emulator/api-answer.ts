// One answer to one API call, and how it goes out. The Date header is ours, since clocks can be faked.
import type { ServerResponse } from "node:http";
import type { ApiError } from "./wire.js";
import { errorBody, jsonContentType } from "./wire.js";

/** An answer before it is sent. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The success's document, for the faults that change it. */
  readonly document?: Readonly<Record<string, unknown>>;
  /** The error's code. */
  readonly code?: string;
}

/** HTTP 200 with the document, or with an empty body. */
export function success(callId: string, document: Readonly<Record<string, unknown>> | undefined): ApiAnswer {
  return {
    status: 200,
    headers: { "x-amzn-RequestId": callId, "content-type": jsonContentType },
    body: document === undefined ? "" : JSON.stringify(document),
    ...(document && { document }),
  };
}

/** The error as AWS sends it. */
export function failure(callId: string, error: ApiError): ApiAnswer {
  return {
    status: error.status,
    headers: {
      "x-amzn-RequestId": callId,
      "x-amzn-ErrorType": error.code,
      "content-type": jsonContentType,
      ...(error.retryAfterS !== undefined && { "retry-after": String(error.retryAfterS) }),
    },
    body: errorBody(error),
    code: error.code,
  };
}

/** Sends the answer whole. */
export function send(response: ServerResponse, answer: ApiAnswer, nowMs: number): void {
  begin(response, answer, nowMs);
  response.end(answer.body);
}

/** Sends status and headers, with the length that the whole body has. */
export function begin(response: ServerResponse, answer: ApiAnswer, nowMs: number): void {
  response.sendDate = false;
  response.writeHead(answer.status, {
    ...answer.headers,
    date: new Date(nowMs).toUTCString(),
    "content-length": Buffer.byteLength(answer.body),
  });
}

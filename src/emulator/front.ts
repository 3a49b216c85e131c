// The one port: listens, reads requests within limits, tells API calls, control calls and S3 apart, and can stop
// listening for a while. Knows nothing of what the calls mean.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BoundedBytes } from "../std/bounded.js";
import { createServer } from "../std/node-http.js";
import type { ApiRequest } from "./job-api.js";

/** Largest body of an API call in bytes: well above the largest that the model allows. */
const apiBodyMaxBytes = 1_048_576;
/** Largest body of a control call in bytes: a scenario with many jobs. */
const controlBodyMaxBytes = 16_777_216;
/** A client has this long to send the headers of a request, and the body of an API call. */
const requestTimeoutMs = 30_000;
/** And this long for the whole of an upload. */
const uploadTimeoutMs = 3_600_000;
const connectionsMax = 10_000;
/** How often and at which pace the port is asked for again after a pause, should someone else hold it. */
const resumeTries = 50;
const resumePauseMs = 100;

/** A request to the control API, read whole. */
export interface ControlRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

/** The emulator's HTTP server. */
export class Front {
  readonly #host: string;
  readonly #server: Server;
  readonly #api: (request: ApiRequest) => Promise<void>;
  readonly #control: (request: ControlRequest) => Promise<void>;
  readonly #s3: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  #port: number;
  #isClosed = false;

  constructor(options: {
    readonly host: string;
    /** 0: any free one, kept from the first start on. */
    readonly port: number;
    readonly api: (request: ApiRequest) => Promise<void>;
    readonly control: (request: ControlRequest) => Promise<void>;
    /** Reads its requests itself, since they may be large. */
    readonly s3: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  }) {
    this.#host = options.host;
    this.#port = options.port;
    this.#api = options.api;
    this.#control = options.control;
    this.#s3 = options.s3;
    const limits = { requestTimeout: uploadTimeoutMs, headersTimeout: requestTimeoutMs, noDelay: true };
    this.#server = createServer(limits, (request, response) => {
      this.#receive(request, response).catch((error: unknown) => {
        // Only a bug gets here; it must not be mistaken for one of the faults asked for.
        response.socket?.destroy();
        queueMicrotask(() => {
          throw error;
        });
      });
    });
    this.#server.maxConnections = connectionsMax;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `http://${host}:${this.#port}`;
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** Throws when the port can not be had. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: this.#host, port: this.#port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    this.#port = address.port;
  }

  /** Refuses connections and cuts the open ones, until `resume`. */
  async pause(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Listens again on the same port. Throws when someone else keeps it for 5 s. */
  async resume(): Promise<void> {
    for (let tries = 1; !this.#isClosed && !this.#server.listening; tries++) {
      try {
        await this.listen();
      } catch (error) {
        if (tries >= resumeTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, resumePauseMs));
      }
    }
    if (this.#isClosed) await this.pause();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.pause();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url: target = "/" } = request;
    const path = target.split("?", 1)[0] ?? "/";
    const isControl = path === "/_control" || path.startsWith("/_control/");
    const isApi = path === "/" && method === "POST";
    if (path === "/" && method === "GET" && !isSigned(request)) {
      request.resume();
      reply(response, welcome);
      return;
    }
    // A page in a browser must not be able to drive an emulator on the reader's own machine.
    if (request.headers.origin !== undefined) {
      request.resume();
      reply(response, { status: 403, type: "text/plain", body: "the emulator does not serve web pages\n" });
      return;
    }
    if (!isControl && !isApi) {
      await this.#s3(request, response);
      return;
    }
    const body = await readBody(request, isControl ? controlBodyMaxBytes : apiBodyMaxBytes);
    if (body === "gone") return;
    if (body === "too large") {
      reply(response, isApi ? tooLarge : { ...tooLarge, type: "text/plain", body: "the request body is too large\n" });
      return;
    }
    if (isApi) await this.#api({ method, target, headers: request.headers, body, response });
    else await this.#control({ method, url: new URL(target, "http://emulator"), body, response });
  }
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Closes the connection behind it. */
  readonly isLast?: boolean;
}

const welcome: Reply = {
  status: 200,
  type: "text/plain",
  body: "An emulator of the AWS CodePipeline job API, with artifacts as S3. Its own routes are listed at /_control/\n",
};

const tooLarge: Reply = {
  status: 413,
  type: "application/x-amz-json-1.1",
  body: '{"__type":"com.amazon.coral.service#RequestEntityTooLargeException","message":"Request is too large"}',
  isLast: true,
};

/** `GET /` lists buckets for those who sign, and welcomes whoever looks in. */
function isSigned(request: IncomingMessage): boolean {
  return request.headers.authorization !== undefined || (request.url ?? "").includes("X-Amz-Algorithm=");
}

function reply(response: ServerResponse, { status, type, body, isLast }: Reply): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    ...(isLast && { connection: "close" }),
  });
  response.end(body);
}

/** The whole body, or why there is none. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too large" | "gone"> {
  return new Promise((resolve) => {
    const bytes = new BoundedBytes(maxBytes);
    const limit = setTimeout(() => request.destroy(), requestTimeoutMs);
    for (const event of ["end", "close"]) request.on(event, () => clearTimeout(limit));
    request.on("data", (chunk: Buffer) => {
      // What still comes is let go unread, until the answer has closed the connection.
      if (!bytes.add(chunk)) resolve("too large");
    });
    request.on("end", () => resolve(bytes.whole()));
    request.on("error", () => resolve("gone"));
    request.on("close", () => resolve("gone"));
  });
}

// The admin port's connections: which of them are answering, and which one goes when there are too many. Load balancers
// keep many of them open for a minute, and some clients send or read slowly; they must starve neither a probe nor a callback.
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Between two requests, and before the first one. */
  readonly keepAliveTimeoutMs: number;
  /** Without a byte in either direction while a request is answered. */
  readonly idleTimeoutMs: number;
}

/** Follows every connection of a server. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #all = new Set<Socket>();
  /** Those that answer nothing, the longest idle first. */
  readonly #idle = new Set<Socket>();
  /** The longest answering first; pipelined requests have several. */
  readonly #answering = new Map<Socket, Set<ServerResponse>>();

  constructor(server: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    server.on("connection", (socket: Socket) => this.#add(socket));
    server.on("clientError", (error: Error & { code?: string }, socket) => refuse(error, socket as Socket));
  }

  /** Notes that a connection answers a request, until the response is closed. */
  answering(socket: Socket, response: ServerResponse): void {
    socket.setTimeout(this.#limits.idleTimeoutMs);
    this.#idle.delete(socket);
    const responses = this.#answering.get(socket) ?? new Set();
    this.#answering.set(socket, responses.add(response));
    response.once("close", () => {
      responses.delete(response);
      if (responses.size > 0) return;
      this.#answering.delete(socket);
      if (this.#all.has(socket)) this.#idle.add(socket);
    });
  }

  destroyAll(): void {
    for (const socket of this.#all) socket.destroy();
  }

  #add(socket: Socket): void {
    if (this.#all.size >= this.#limits.maxConnections) (this.#longestIdle() ?? this.#longestSlow() ?? socket).destroy();
    if (socket.destroyed) return;
    this.#all.add(socket);
    this.#idle.add(socket);
    socket.once("close", () => {
      this.#all.delete(socket);
      this.#idle.delete(socket);
    });
    // Some load balancers open connections ahead of the first request.
    socket.setTimeout(this.#limits.keepAliveTimeoutMs);
  }

  #longestIdle(): Socket | undefined {
    const [socket] = this.#idle;
    return socket;
  }

  /** One whose request is not here yet, or whose answer is not read: it waits for its client, not for us. */
  #longestSlow(): Socket | undefined {
    const isSlow = (response: ServerResponse) => !response.req.complete || response.writableLength > 0;
    return [...this.#answering].find(([, responses]) => [...responses].some(isSlow))?.[0];
  }
}

const answers: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** What Node does by itself, but for connections without any byte yet: those are idle, not slow. */
function refuse(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && socket.bytesRead === 0) return;
  if (socket.writable && socket.bytesWritten === 0) {
    socket.write(`HTTP/1.1 ${answers[error.code ?? ""] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy();
}

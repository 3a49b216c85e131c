// The admin port: opened where it may be, hardened against slow and greedy clients, and closed within a limit.
// What it answers is in routes.ts.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopback, reachableUrl } from "../std/addresses.js";
import type { Clock } from "../std/clock.js";
import { codeOf } from "../std/errors.js";
import { createServer } from "../std/node-http.js";
import { type ConnectionLimits, Connections } from "./connections.js";
import { type RouteOptions, Routes } from "./routes.js";
import { Strangers, type WrongToken } from "./strangers.js";

export interface AdminOptions extends Omit<RouteOptions, "isLocal"> {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock: Clock;
  /** Called for every wrong token; must not throw. */
  readonly onWrongToken?: (wrong: WrongToken) => void;
  /** Other limits than the ordinary ones; for tests. */
  readonly limits?: AdminLimits;
}

/** What a client may cost. */
export interface AdminLimits extends ConnectionLimits {
  readonly bodyMaxBytes: number;
  readonly headersMaxBytes: number;
  readonly headersTimeoutMs: number;
  /** For a whole request, body and all. */
  readonly requestTimeoutMs: number;
  /** How long close() gives open requests to finish. */
  readonly closeTimeoutMs: number;
}

/** What a client may cost unless a test says otherwise. */
export const ordinaryLimits: AdminLimits = {
  bodyMaxBytes: 1024 * 1024,
  headersMaxBytes: 16 * 1024,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 15_000,
  // Longer than any route takes to answer.
  idleTimeoutMs: 30_000,
  // Load balancers keep connections for 60 s, commonly: the side that closes first makes a callback fail that is on its
  // way.
  keepAliveTimeoutMs: 75_000,
  maxConnections: 512,
  closeTimeoutMs: 2_000,
};

/** The port cannot be opened; the message says what to change. */
export class AdminError extends Error {
  readonly code: "token-missing" | "port-taken" | "not-allowed" | "no-such-host" | "failed";

  /** The two halves of the message. */
  readonly problem: string;
  readonly remedy: string;

  constructor(code: AdminError["code"], problem: string, remedy: string, cause?: unknown) {
    super(`${problem}; ${remedy}`, cause === undefined ? undefined : { cause });
    this.name = "AdminError";
    this.code = code;
    this.problem = problem;
    this.remedy = remedy;
  }
}

/** An open admin port. */
export interface AdminServer {
  readonly host: string;
  readonly port: number;
  /** Where a process on this machine reaches it. */
  readonly url: string;
  /**
   * Ends it: requests under way may finish within a limit, by default the ordinary one; then every socket is
   * destroyed, whatever it waits for. Idempotent: a later call may only make the limit shorter. Never rejects.
   */
  close(limitMs?: number): Promise<void>;
}

/** Opens the admin port. Throws AdminError. */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host, port, token, clock } = options;
  if (token === undefined && !isLoopback(host)) {
    const problem = `the admin port would be open to other machines at ${host} without a token`;
    throw new AdminError(
      "token-missing",
      problem,
      "set admin.token (PARTNERD_ADMIN_TOKEN), or admin.host to 127.0.0.1",
    );
  }
  const limits = options.limits ?? ordinaryLimits;
  const server = hardened(limits);
  const connections = new Connections(server, limits);
  const strangers = new Strangers(clock, options.onWrongToken);
  const { bodyMaxBytes } = limits;
  const routes = new Routes({ ...options, isLocal: isLoopback(host) }, { bodyMaxBytes, strangers, clock });
  const cut = Promise.withResolvers<void>();
  let closed: Promise<void> | undefined;
  const answer = (request: IncomingMessage, response: ServerResponse, askForBody: () => void) => {
    connections.answering(request.socket, response);
    // While the server closes, Node would keep a connection whose answer is out until its own timeout.
    response.once("close", () => {
      if (closed) setImmediate(() => server.closeIdleConnections());
    });
    void routes.answer(request, response, askForBody);
  };
  server.on("request", (request, response) => answer(request, response, () => {}));
  // The body is asked for only once the request is welcome.
  server.on("checkContinue", (request, response) => answer(request, response, () => response.writeContinue()));
  await listening(server, host, port);
  server.on("error", (error) => options.onFault?.(error));
  const bound = server.address() as AddressInfo;
  return {
    host,
    port: bound.port,
    url: reachableUrl(host, bound.port),
    close(limitMs = limits.closeTimeoutMs) {
      closed ??= Promise.race([closing(server), cut.promise]);
      const cancel = clock.after(limitMs, () => {
        connections.destroyAll();
        cut.resolve();
      });
      return closed.finally(cancel);
    },
  };
}

/** Finds out whether the port could be opened, by opening it for a moment. Throws AdminError. */
export async function tryAdminAddress({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer();
  await listening(server, host, port);
  await new Promise((resolve) => server.close(resolve));
}

function hardened(limits: AdminLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headersMaxBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // How often the two limits above are looked at; Node's own half minute would make them ten times as long.
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersTimeoutMs / 2)),
    noDelay: true,
  });
  server.setTimeout(limits.idleTimeoutMs, (socket) => socket.destroy());
  return server;
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw cannotListen(error, host, port);
  }
}

function cannotListen(error: unknown, host: string, port: number): AdminError {
  const code = codeOf(error);
  const where = `the admin port ${host}:${port}`;
  switch (code) {
    case "EADDRINUSE": {
      const remedy = "stop what holds it, or set admin.port to another one (0 turns it off)";
      return new AdminError("port-taken", `${where} is taken by another process`, remedy, error);
    }
    case "EACCES":
    case "EPERM": {
      const remedy = "set admin.port to one from 1024 on";
      return new AdminError("not-allowed", `${where} may not be opened by this user`, remedy, error);
    }
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL": {
      const remedy = "set admin.host to an address of this machine, such as 127.0.0.1 or 0.0.0.0";
      return new AdminError("no-such-host", `${where} is not an address of this machine`, remedy, error);
    }
    default:
      return new AdminError(
        "failed",
        `${where} cannot be opened (${String(code)})`,
        "choose another admin.host or admin.port",
        error,
      );
  }
}

/** Resolves when all connections are closed. */
function closing(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  return closed;
}

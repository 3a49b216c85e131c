// Makes connections for undici's pools and has each in hand until it is closed: undici lets go of those that are not
// made yet, and a host that never completes the handshake would hold the process.
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { buildConnector } from "undici";
import connectorOf from "undici/lib/core/connect.js";

/**
 * undici offers HTTP/2 unless it is told not to, and has its own default wherever it makes a connection. Our limits, aborts
 * and pauses, and who can tell whether a request was sent, are made for one exchange at a time on a connection.
 */
export const onlyHttp1 = { allowH2: false } as const;

export class Connector {
  readonly #connect: buildConnector.connector;
  readonly #sockets = new Set<Duplex>();

  constructor(timeoutMs: number) {
    this.#connect = connectorOf({ ...onlyHttp1, timeout: timeoutMs });
  }

  /** As undici's pools call it. */
  readonly connect: buildConnector.connector = ({ servername = "", ...options }, callback) => {
    // TLS names hosts, never addresses; and that a socket comes back its types do not say.
    const named = isIP(servername) === 0 ? { ...options, servername } : options;
    const socket = this.#connect(named, callback) as unknown as Duplex;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  };

  /** Closes every connection. Those of a pool fail with it; close that first. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

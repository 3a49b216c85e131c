// A server of bare TCP or TLS that answers byte for byte what a test says, and counts what came.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import { testTls } from "./tls-front.js";

/** Called for every request, with its head; counted over all connections from 1. */
export type Script = (socket: Socket, head: string, times: number) => void;

export interface RawServer {
  readonly port: number;
  /** The heads of all requests. */
  readonly heads: readonly string[];
  /** How many connections were made ever, and how many there are. */
  readonly made: number;
  readonly open: number;
  /** Resolves once no connection is open that a request came by. */
  quiet(): Promise<void>;
}

/** Closed with the test. Bodies of requests are read and forgotten. */
export async function startRawServer(script: Script, { isTls = false } = {}): Promise<RawServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const asking = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let made = 0;
  const onConnection = (socket: Socket) => {
    made += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      asking.delete(socket);
      if (asking.size === 0) for (const resolve of waiting.splice(0)) resolve();
    });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      // A body's bytes hold no head.
      if (end < 0 || !/^[A-Z]+ \S+ HTTP\/1.1\r\n/.test(text)) return;
      const head = text.slice(0, end);
      text = "";
      heads.push(head);
      asking.add(socket);
      script(socket, head, heads.length);
    });
  };
  const server: Server = isTls ? createTlsServer(testTls, onConnection) : createServer(onConnection);
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    get made() {
      return made;
    },
    get open() {
      return sockets.size;
    },
    quiet: () => (asking.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

export const ok = (body: string, headers = "") =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

// A proxy on loopback for tests: CONNECT and requests in absolute form, with a password or without, every host led to a
// port of this machine. It remembers what it was asked; it can answer by itself, or not at all.
import { request as call, createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface TestProxy {
  /** Its URL with the user and password that it accepts, if it wants any. */
  readonly url: string;
  readonly host: string;
  /** Such as `CONNECT scan.test:443` and `POST http://scan.test/jobs`, let through or not. */
  readonly asked: readonly string[];
  /** How many of them it let through. */
  readonly passed: number;
  /** How many connections it has now. */
  readonly connections: number;
  /**
   * From now on it answers so instead of letting anything through; `hang` for never, `drop` for a closed connection. What
   * it let through before is closed.
   */
  instead: number | "hang" | "drop" | "garbage" | undefined;
}

const user = "jo";
export const proxyPassword = "p@ss/of-the-proxy";
const basic = `Basic ${Buffer.from(`${user}:${proxyPassword}`).toString("base64")}`;

/** Starts one; it is closed with the test. `portOf` says where a host lies on this machine. */
export async function startProxy(
  portOf: (host: string) => number,
  { isGuarded = false, port = 0 }: { readonly isGuarded?: boolean; readonly port?: number } = {},
): Promise<TestProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const state = { passed: 0, instead: undefined as TestProxy["instead"] };
  /** The status it answers by itself, if it does. */
  const refusal = (by: unknown) => state.instead ?? (isGuarded && by !== basic ? 407 : undefined);
  const strike = (socket: Socket, instead: "hang" | "drop" | "garbage") => {
    // Unread, it would not hear of its own end.
    if (instead === "hang") socket.resume().on("end", () => socket.destroy());
    if (instead === "drop") socket.destroy();
    if (instead === "garbage") socket.end("220 smtp.test ESMTP\r\n\r\n");
  };
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const { "proxy-authorization": by, ...headers } = incoming.headers;
    const instead = refusal(by);
    if (typeof instead === "string") return strike(incoming.socket, instead);
    if (instead !== undefined) return void outgoing.writeHead(instead, { "content-type": "text/html" }).end("<html>no");
    state.passed += 1;
    const { hostname, pathname, search } = new URL(incoming.url ?? "");
    const to = { host: "127.0.0.1", port: portOf(hostname), path: pathname + search };
    const forward = call({ ...to, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    forward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forward.destroy());
    incoming.pipe(forward);
  });
  server.on("connect", (incoming, socket: Socket, head: Buffer) => {
    asked.push(`CONNECT ${incoming.url}`);
    const instead = refusal(incoming.headers["proxy-authorization"]);
    socket.on("error", () => {});
    if (typeof instead === "string") return strike(socket, instead);
    if (instead !== undefined) return void socket.end(`HTTP/1.1 ${instead} No\r\ncontent-length: 8\r\n\r\n<html>no`);
    const [host = ""] = (incoming.url ?? "").split(":");
    const onward = connect(portOf(host), "127.0.0.1", () => {
      state.passed += 1;
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    onward.on("close", () => socket.destroySoon());
    socket.on("close", () => onward.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: isGuarded ? `http://${user}:${encodeURIComponent(proxyPassword)}@${host}` : `http://${host}`,
    host,
    asked,
    get passed() {
      return state.passed;
    },
    get connections() {
      return sockets.size;
    },
    get instead() {
      return state.instead;
    },
    set instead(instead) {
      state.instead = instead;
      for (const socket of sockets) socket.destroy();
    },
  };
}

// TLS before a plain port of this machine, by the certificate of test/fixtures/tls.
import { readFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { onTestFinished, vi } from "vitest";

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** The CA that NODE_EXTRA_CA_CERTS must name for the certificate to be believed. */
export const testCa = fixture("ca.pem");
const testCertificate = {
  key: readFileSync(fixture("server.key"), "utf8"),
  cert: readFileSync(fixture("server.pem"), "utf8"),
};

/** A server's side of TLS that would rather speak HTTP/2, as AWS and most proxies do, and does with whoever offers it. */
export const testTls = { ...testCertificate, ALPNProtocols: ["h2", "http/1.1"] };

/** Believes every certificate until the test ends: Node reads extra CAs when a process starts, and at no other time. */
export function believeEveryCertificate(): void {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** Its port; closed with the test. */
export async function startTlsFront(port: number): Promise<number> {
  const sockets = new Set<TLSSocket>();
  const server = createServer(testTls, (socket) => {
    sockets.add(socket);
    const onward = connect(port, "127.0.0.1");
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      onward.destroy();
    });
    onward.on("close", () => socket.destroySoon());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

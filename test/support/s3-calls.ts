// The daemon's way to an S3 of the test's own, and a job's access to it.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { JobAccess } from "../../src/artifacts/s3/access.js";
import { S3Calls, S3Transport } from "../../src/artifacts/s3/s3.js";
import type { Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { systemClock } from "../../src/std/clock.js";
import { Proxies } from "../../src/std/proxies.js";

const { signal } = new AbortController();

/** Calls to this endpoint; without one, to the hosts that the SDK's rules say. */
export function callsTo(endpoint: string | undefined): { readonly calls: S3Calls; readonly close: () => void } {
  const transport = new S3Transport({
    proxies: Proxies.from({}),
    connectionTimeoutMs: 5_000,
    socketTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
  });
  return { calls: callsBy(transport, endpoint), close: () => transport.close() };
}

/** Calls by a transport that the test closes itself. */
export function callsBy(transport: S3Transport, endpoint: string | undefined): S3Calls {
  return new S3Calls({
    transport,
    endpoint,
    region: "us-east-1" as Region,
    appId: "test",
    access: new JobAccess({
      first: {
        credentials: { accessKeyId: new Secret("id"), secretAccessKey: new Secret("k"), sessionToken: new Secret("t") },
      },
      receivedMs: systemClock.monotonic(),
      renew: async () => undefined,
      keepSecrets: () => {},
      clock: systemClock,
      random: Math.random,
      signal,
    }),
    retry: { minDelayMs: 1, maxDelayMs: 1, factor: 1, maxElapsedMs: 10_000 },
    clock: systemClock,
    random: Math.random,
  });
}

/** A server on loopback that answers as the test says. */
export async function startServer(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

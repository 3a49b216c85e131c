// A relay between a daemon and an emulator: it can change an answer on its way, remember what passed, and be cut,
// which is how a test makes one daemon of two fall silent like a process that died.
import { request as call, createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One answer on its way to the daemon. */
export interface RelayedAnswer {
  /** Without the service's prefix, such as `AcknowledgeJob`. */
  readonly operation: string;
  /** What the daemon asked, as it came. */
  readonly asked: string;
  readonly status: number;
  readonly body: string;
}

/** What something between the daemon and the service answers by itself. */
export interface StrangersAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** From now on nobody answers here; calls under way get no answer. */
  cut(): void;
}

/**
 * Starts a relay to `target`. `change` gives the body to pass on; `undefined` leaves it as it is. `strike` answers an
 * operation in the service's place, which then never hears of it.
 */
export async function startRelay(
  target: string,
  change: (answer: RelayedAnswer) => string | undefined = () => undefined,
  strike: (operation: string) => StrangersAnswer | undefined = () => undefined,
): Promise<Relay> {
  let isCut = false;
  const server = createServer(async (incoming, outgoing) => {
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    const asked = await textOf(incoming);
    const operation = String(incoming.headers["x-amz-target"]).split(".").at(-1) ?? "";
    const struck = strike(operation);
    if (struck) {
      outgoing.writeHead(struck.status, struck.headers ?? {}).end(struck.body);
      return;
    }
    const options = { method: incoming.method, headers: incoming.headers, path: incoming.url };
    const forward = call(target, options, async (answer) => {
      const body = await textOf(answer);
      if (isCut) return;
      const status = answer.statusCode ?? 500;
      const passed = change({ operation, asked, status, body }) ?? body;
      const { "content-length": _, "transfer-encoding": __, ...headers } = answer.headers;
      outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(passed) }).end(passed);
    });
    forward.on("error", () => outgoing.socket?.destroy());
    forward.end(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      isCut = true;
      server.close();
      server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      if (isCut) return;
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

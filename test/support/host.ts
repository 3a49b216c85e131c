// What the tests on a real Docker Engine and under a real systemd share.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** Where handlers wait until the test lets them go on. */
export interface HostGate {
  readonly url: string;
  /** Resolves when a handler waits. */
  arrived(): Promise<void>;
  open(): void;
  close(): void;
}

export async function startGate(): Promise<HostGate> {
  const waiting = new Set<ServerResponse>();
  let arrival = Promise.withResolvers<void>();
  const server = createServer((_request, answer) => {
    waiting.add(answer);
    arrival.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    arrived: () => arrival.promise,
    open: () => {
      for (const answer of waiting) answer.end("go on");
      waiting.clear();
      arrival = Promise.withResolvers();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Looks until it is so, and answers what it saw. Fails with what it saw last, and with what `story` tells. */
export async function seenAs(
  look: () => Promise<string>,
  wanted: string | RegExp,
  limits: { readonly forMs: number; readonly everyMs: number; readonly story: () => Promise<string> },
): Promise<string> {
  const endMs = Date.now() + limits.forMs;
  for (;;) {
    const seen = await look();
    if (typeof wanted === "string" ? seen === wanted : wanted.test(seen)) return seen;
    if (Date.now() > endMs) throw new Error(`never saw ${wanted}, but ${seen}\n${await limits.story()}`);
    await pause(limits.everyMs);
  }
}

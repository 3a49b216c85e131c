// Which clients there are for the accounts and Regions of a configuration, and which of them a changed one keeps.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type GatewaySettings, Gateways } from "../../../src/codepipeline/gateways.js";
import type { Place } from "../../../src/job/job.js";
import { placeOf } from "../../../src/job/job.js";
import { Proxies } from "../../../src/std/proxies.js";
import { FakeClock } from "../../support/fake-clock.js";

const role = (account: string) => ({ roleArn: `arn:aws:iam::${account}:role/partnerd` });
const [plain, shop, shopAbroad] = [
  placeOf({ region: "us-east-1" }),
  placeOf({ account: "shop", region: "us-east-1" }),
  placeOf({ account: "shop", region: "eu-west-1" }),
] as [Place, Place, Place];

function given(settings: Partial<GatewaySettings>, endpoint = "http://127.0.0.1:9") {
  const whole = (change: Partial<GatewaySettings>) => ({ places: [], accounts: {}, clientCooldownMs: 5, ...change });
  const limits = { connectionTimeoutMs: 1_000, socketTimeoutMs: 1_000, requestTimeoutMs: 1_000 };
  const credentials = { accessKeyId: "AKIA", secretAccessKey: "secret" };
  const tokens = { resolve: () => Promise.reject(new Error("none")), forget: () => {}, close: async () => {} };
  const gateways = new Gateways(
    {
      aws: { endpoint, appId: "partnerd", proxies: Proxies.from({}), credentials, ...limits },
      tokens,
      clock: new FakeClock(),
    },
    whole(settings),
  );
  onTestFinished(() => gateways.close());
  return { gateways, apply: (change: Partial<GatewaySettings>) => gateways.apply(whole(change)) };
}

describe("gateways", () => {
  it("have a client of its own for each account in each Region, and know no other place", () => {
    const { gateways } = given({ places: [plain, shop, shopAbroad], accounts: { shop: role("111111111111") } });
    expect(new Set([plain, shop, shopAbroad].map((place) => gateways.client(place))).size).toBe(3);
    expect(() => gateways.client(placeOf({ account: "blog", region: "us-east-1" }))).toThrow(
      /us-east-1 \(account blog\)/,
    );
    expect(() => gateways.get(placeOf({ region: "eu-west-1" }), "Custom")).toThrow(/bug/);
  });

  it("keep a client until its account is reached in another way, and places that are polled no more", () => {
    const accounts = { shop: role("111111111111") };
    const { gateways, apply } = given({ places: [plain, shop], accounts });
    const before = [plain, shop].map((place) => gateways.client(place));
    apply({ places: [plain, shop, shopAbroad], accounts });
    expect([plain, shop].map((place) => gateways.client(place))).toEqual(before);
    apply({ places: [plain], accounts: {} });
    expect(gateways.client(shop)).toBe(before[1]);
    expect(gateways.places).toEqual([plain, shop, shopAbroad]);
    apply({ places: [plain, shop], accounts: { shop: { ...role("111111111111"), externalId: "new" } } });
    expect(gateways.client(plain)).toBe(before[0]);
    expect(gateways.client(shop)).not.toBe(before[1]);
  });

  it("share connections over accounts and Regions, which end with all of them", async () => {
    const server = createServer((_, response) => response.setHeader("x-amzn-requestid", "1").end('{"jobs":[]}'));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => sockets.add(socket));
    const places = [plain, shop, shopAbroad];
    const { gateways } = given({ places }, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const actionType = { category: "Test", owner: "Custom", provider: "Acme", version: "1" } as const;
    for (const place of places) {
      await gateways.get(place, "Custom").poll(actionType, 1, new AbortController().signal);
      // Only in the next turn is the connection free for another call.
      await nextTurn();
    }
    expect(sockets.size).toBe(1);
    const ended = Promise.all([...sockets].map((socket) => once(socket, "close")));
    gateways.close();
    await ended;
  });
});

// Who hears why a daemon is not ready: anybody the word, only those near or proven the sentence.
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { mayBeForeign, mayRead, visibleTo } from "../../../src/admin/callers.js";
import { Secret } from "../../../src/job/secret.js";

const message = "User: arn:aws:iam::123456789012:user/scanner is not authorized";
const health = {
  ready: false,
  reasons: [{ reason: "breaker-open", message }],
  notes: [{ note: "poller-unanswered", message }],
};
const trusted = { token: new Secret("a-token-of-many-letters"), isLocal: false };

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { headers: { host: "10.0.0.7:9464", ...headers }, socket: { remoteAddress } } as unknown as IncomingMessage;
}

describe("a probe's answer", () => {
  it.each([
    ["another machine", from("10.0.0.9")],
    ["another machine by a name of this one", from("10.0.0.9", { host: "127.0.0.1:9464" })],
    ["another machine with a wrong token", from("10.0.0.9", { authorization: "Bearer wrong" })],
    ["nobody knows where", from("")],
    ["a proxy on this machine", from("127.0.0.1", { "x-forwarded-for": "203.0.113.9" })],
  ])("holds the word alone for %s", (_, request) => {
    expect(visibleTo(request, trusted, health)).toEqual({
      ready: false,
      reasons: [{ reason: "breaker-open", message: "" }],
      notes: [{ note: "poller-unanswered", message: "" }],
    });
  });

  it.each([
    ["this machine", from("127.0.0.1")],
    ["this machine by IPv6", from("::1")],
    ["this machine by a mapped address", from("::ffff:127.0.0.1")],
    ["the bearer of the token", from("10.0.0.9", { authorization: "Bearer a-token-of-many-letters" })],
  ])("holds the sentence for %s", (_, request) => {
    expect(visibleTo(request, trusted, health)).toBe(health);
  });
});

describe("what a proxy on this machine passes on", () => {
  it.each(["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"])("is not local by %s", (name) => {
    const local = from("127.0.0.1", { host: "127.0.0.1:9464" });
    const passed = from("127.0.0.1", { host: "127.0.0.1:9464", [name]: "203.0.113.9" });
    expect([mayRead(local, { isLocal: true }), mayBeForeign(local)]).toEqual([true, false]);
    expect([mayRead(passed, { isLocal: true }), mayBeForeign(passed)]).toEqual([false, true]);
  });
});

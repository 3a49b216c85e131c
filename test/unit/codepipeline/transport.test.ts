// Who answered, and whether what was asked may have been done: known from where a call broke, over real sockets.

import { AcknowledgeJobCommand } from "@aws-sdk/client-codepipeline";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { RegionClient } from "../../../src/codepipeline/client.js";
import type { GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import { faultFrom } from "../../../src/codepipeline/gateway-faults.js";
import { asked } from "../../../src/codepipeline/pattern-calls.js";
import type { Region } from "../../../src/job/job.js";
import { Proxies } from "../../../src/std/proxies.js";
import { startProxy, type TestProxy } from "../../support/proxy.js";
import { ok, type Script, startRawServer } from "../../support/raw-server.js";
import { believeEveryCertificate, startTlsFront } from "../../support/tls-front.js";

interface Seen {
  readonly kind: GatewayFaultKind;
  readonly code: string;
  readonly isAmbiguous: boolean;
}

async function seen(endpoint: string, environment: Readonly<Record<string, string>> = {}): Promise<Seen> {
  const client = new RegionClient({
    region: "us-east-1" as Region,
    endpoint,
    appId: "partnerd-test",
    proxies: Proxies.from(environment),
    connectionTimeoutMs: 400,
    socketTimeoutMs: 300,
    requestTimeoutMs: 400,
  });
  onTestFinished(() => client.close());
  const command = asked(AcknowledgeJobCommand, { jobId: "job-1", nonce: "1" });
  const error: unknown = await client.send(command, new AbortController().signal).catch((thrown: unknown) => thrown);
  const { kind, code, isAmbiguous } = faultFrom(error, "AcknowledgeJob");
  return { kind, code, isAmbiguous };
}

const says =
  (text: string): Script =>
  (socket) =>
    void socket.write(text);
const answers = (status: number, body = "", headers = "") =>
  says(`HTTP/1.1 ${status} X\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`);
const own = "x-amzn-requestid: 1\r\n";
const exception = (name: string) => JSON.stringify({ __type: name, message: "no" });

describe("a call that was sent", () => {
  it.each<[string, Script, Seen["kind"], RegExp, boolean]>([
    ["that nobody answers", () => {}, "unavailable", /^ETIMEDOUT$/, true],
    ["that is cut off", (socket) => void socket.destroy(), "unavailable", /^ECONNRESET$/, true],
    ["that half a head answers", says("HTTP/1.1 200 OK\r\nx"), "unavailable", /^ETIMEDOUT$/, true],
    ["that garbage answers", says("220 smtp\r\n\r\n"), "unavailable", /^HPE_/, true],
    [
      "whose answer is cut",
      (socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
      "unavailable",
      /^ECONNRESET$/,
      true,
    ],
    [
      "whose answer falls silent",
      says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
      "unavailable",
      /^ETIMEDOUT$/,
      true,
    ],
    ["whose answer is a page", answers(200, "<html>"), "unavailable", /^unreadable-answer$/, true],
    ["whose answer is somebody else's", answers(200, '{"status":"InProgress"}'), "unavailable", /^HTTP 200$/, true],
    ["whose answer is nobody's", answers(200), "unavailable", /^HTTP 200$/, true],
    ["that a balancer answers 502", answers(502, "<html>"), "unavailable", /^unreadable-answer$/, true],
    ["that a portal answers 403", answers(403, "<html>"), "denied", /^unreadable-answer$/, false],
    [
      "that is throttled",
      answers(400, exception("ThrottlingException"), own),
      "throttled",
      /^ThrottlingException$/,
      false,
    ],
    [
      "that CodePipeline refuses",
      answers(400, exception("InvalidNonceException"), own),
      "not-ours",
      /^InvalidNonce/,
      false,
    ],
    [
      "that somebody refuses in its name",
      answers(400, exception("InvalidNonceException")),
      "unavailable",
      /^InvalidNonce/,
      false,
    ],
  ])("%s", async (_what, script, kind, code, isAmbiguous) => {
    const { port } = await startRawServer(script);
    expect(await seen(`http://127.0.0.1:${port}`)).toEqual({ kind, code: expect.stringMatching(code), isAmbiguous });
  });

  it("is answered by AWS's JSON and 200", async () => {
    const { port } = await startRawServer(answers(200, '{"status":"InProgress"}', own));
    const { code } = await seen(`http://127.0.0.1:${port}`);
    expect(code).toBe("unknown");
  });
});

describe("a call without a connection did nothing", () => {
  it.each<[string, () => Promise<string>, RegExp]>([
    ["nobody listens", async () => "http://127.0.0.1:1", /^ECONNREFUSED$/],
    ["there is no such name", async () => "http://nowhere.invalid", /^(ENOTFOUND|EAI_AGAIN)$/],
    ["its certificate is not believed", async () => `https://127.0.0.1:${await startTlsFront(1)}`, /SIGN|UNABLE/],
    ["no handshake comes", async () => `https://127.0.0.1:${(await startRawServer(() => {})).port}`, /^ETIMEDOUT$/],
  ])("%s", async (_what, endpointOf, code) => {
    const fault = await seen(await endpointOf());
    expect(fault).toEqual({ kind: "unavailable", code: expect.stringMatching(code), isAmbiguous: false });
  });

  it("its credentials fit no header", async () => {
    vi.stubEnv("AWS_SESSION_TOKEN", "a\r\nb");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { port } = await startRawServer(says(ok("{}")));
    expect(await seen(`http://127.0.0.1:${port}`)).toMatchObject({ kind: "denied", isAmbiguous: false });
  });
});

describe("a proxy", () => {
  const rows: readonly (readonly [TestProxy["instead"], Seen["kind"], RegExp])[] = [
    [407, "denied", /^proxy-auth-required$/],
    [401, "denied", /^proxy-refused$/],
    [403, "denied", /^proxy-refused$/],
    [429, "throttled", /^proxy-refused$/],
    [404, "unavailable", /^proxy-refused$/],
    [500, "unavailable", /^proxy-refused$/],
    [502, "unavailable", /^proxy-refused$/],
    [503, "unavailable", /^proxy-refused$/],
    ["drop", "unavailable", /^ECONNRESET$/],
    ["garbage", "unavailable", /^HPE_/],
    ["hang", "unavailable", /^ETIMEDOUT$/],
  ];
  it.each(rows)(
    "that answers a tunnel with %s lets nothing through, and leaves nothing in doubt",
    async (instead, kind, code) => {
      believeEveryCertificate();
      const proxy = await startProxy(() => 1);
      proxy.instead = instead;
      const fault = await seen("https://codepipeline.test", { HTTPS_PROXY: proxy.url });
      expect(fault).toEqual({ kind, code: expect.stringMatching(code), isAmbiguous: false });
    },
  );

  it.each<[TestProxy["instead"], Seen["kind"], boolean]>([
    [407, "denied", false],
    [403, "denied", false],
    [429, "throttled", false],
    [404, "unavailable", false],
    // It may have been passed on, and the answer to it lost.
    [502, "unavailable", true],
    [503, "unavailable", true],
    ["drop", "unavailable", true],
    ["hang", "unavailable", true],
  ])("that answers a whole request with %s is not CodePipeline", async (instead, kind, isAmbiguous) => {
    const proxy = await startProxy(() => 1);
    proxy.instead = instead;
    const fault = await seen("http://codepipeline.test", { HTTP_PROXY: proxy.url });
    expect(fault).toMatchObject({ kind, isAmbiguous });
  });
});

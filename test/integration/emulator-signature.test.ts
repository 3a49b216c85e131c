// Signature Version 4 as AWS's own client makes it, and as a client gets it wrong.
import { createHash, createHmac } from "node:crypto";
import { ListActionTypesCommand } from "@aws-sdk/client-codepipeline";
import { describe, expect, test } from "vitest";
import { call, sdk, withEmulator } from "../support/emulator-client.js";
import { FakeClock } from "../support/fake-clock.js";

const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const nowMs = Date.UTC(2026, 4, 6, 7, 8, 9);
const options = () => ({ credentials, clock: new FakeClock(nowMs) });
const list = new ListActionTypesCommand({});

interface Signing {
  readonly secret?: string;
  readonly date?: string;
  readonly scopeDate?: string;
  readonly service?: string;
  readonly key?: string;
  readonly body?: string;
  readonly sentBody?: string;
  readonly headers?: Record<string, string>;
  readonly unsigned?: Record<string, string>;
}

/** Signs ListActionTypes by hand, as a reader of AWS's description would, and calls it. */
async function signedCall(url: string, signing: Signing = {}) {
  const {
    secret = credentials.secretAccessKey,
    date = "20260506T070809Z",
    service = "codepipeline",
    body = "{}",
  } = signing;
  const scope = `${signing.scopeDate ?? date.slice(0, 8)}/eu-central-1/${service}/aws4_request`;
  const headers: Record<string, string> = {
    "content-type": "application/x-amz-json-1.1",
    host: new URL(url).host,
    "x-amz-date": date,
    "x-amz-target": "CodePipeline_20150709.ListActionTypes",
    ...signing.headers,
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    "POST\n/\n",
    ...names.map((name) => `${name}:${headers[name]?.trim().replaceAll(/ +/g, " ")}`),
    "",
    names.join(";"),
    createHash("sha256").update(body).digest("hex"),
  ].join("\n");
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  const hmac = (key: string | Buffer, part: string) => createHmac("sha256", key).update(part).digest();
  const key = scope.split("/").reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secret}`);
  const signature = hmac(key, text).toString("hex");
  const credential = `${signing.key ?? credentials.accessKeyId}/${scope}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const { host: _host, ...sent } = headers;
  return call(url, "ListActionTypes", signing.sentBody ?? body, {
    headers: { ...sent, authorization, ...signing.unsigned },
  });
}

describe("a signature", () => {
  test("by AWS's client with the right secret is good, in any Region", () =>
    withEmulator(
      async (emulator, url) => {
        for (const region of ["us-east-1", "ap-southeast-2"]) {
          await expect(sdk(url, { region, credentials }).send(list)).resolves.toHaveProperty("actionTypes");
        }
        expect(emulator.calls()["ListActionTypes"]).toEqual({ ok: 2 });
      },
      { credentials },
    ));

  test("by AWS's client with another secret or key is refused", () =>
    withEmulator(
      async (_emulator, url) => {
        const wrongSecret = sdk(url, { credentials: { ...credentials, secretAccessKey: "other" } });
        await expect(wrongSecret.send(list)).rejects.toMatchObject({ name: "InvalidSignatureException" });
        const wrongKey = sdk(url, { credentials: { ...credentials, accessKeyId: "AKIDOTHER" } });
        await expect(wrongKey.send(list)).rejects.toMatchObject({ name: "UnrecognizedClientException" });
      },
      { credentials },
    ));

  test("made by hand is good, also with a session token and folded blanks", () =>
    withEmulator(async (_emulator, url) => {
      expect((await signedCall(url)).code).toBe("ok");
      const headers = { "x-amz-security-token": "session", "x-amz-user-agent": "a   b  c" };
      expect((await signedCall(url, { headers })).code).toBe("ok");
    }, options()));

  test("must carry the session token that is set", () =>
    withEmulator(
      async (_emulator, url) => {
        const withToken = (token: string) => signedCall(url, { headers: { "x-amz-security-token": token } });
        expect((await withToken("right")).code).toBe("ok");
        expect((await withToken("wrong")).code).toBe("UnrecognizedClientException");
        expect((await signedCall(url)).code).toBe("UnrecognizedClientException");
      },
      { ...options(), credentials: { ...credentials, sessionToken: "right" } },
    ));

  const refused: readonly (readonly [string, Signing, string, string])[] = [
    ["with a wrong secret", { secret: "x" }, "InvalidSignatureException", "does not match the signature you provided"],
    ["of another body", { sentBody: '{"nextToken":"x"}' }, "InvalidSignatureException", "does not match"],
    ["with an unknown key", { key: "AKIDNOBODY" }, "UnrecognizedClientException", "security token included"],
    ["for another service", { service: "s3" }, "InvalidSignatureException", "correct service: 'codepipeline'"],
    [
      "with another date in its scope",
      { scopeDate: "20260505" },
      "InvalidSignatureException",
      "Date in Credential scope",
    ],
    [
      "with a header left unsigned",
      { unsigned: { "x-amz-late": "1" } },
      "InvalidSignatureException",
      "not signed: x-amz-late",
    ],
    [
      "with a header changed",
      { unsigned: { "content-type": "text/plain" } },
      "InvalidSignatureException",
      "does not match",
    ],
    [
      "six minutes old",
      { date: "20260506T070209Z" },
      "InvalidSignatureException",
      "Signature expired: 20260506T070209Z is now earlier than 20260506T070309Z (20260506T070809Z - 5 min.)",
    ],
    [
      "six minutes early",
      { date: "20260506T071409Z" },
      "InvalidSignatureException",
      "Signature not yet current: 20260506T071409Z is still later than 20260506T071309Z (20260506T070809Z + 5 min.)",
    ],
  ];

  test.each(refused)("%s is refused", (_, signing, code, message) =>
    withEmulator(async (_emulator, url) => {
      const answer = await signedCall(url, signing);
      expect([answer.status, answer.code]).toEqual([400, code]);
      expect(answer.message).toContain(message);
    }, options()),
  );

  test("exactly five minutes off is good", () =>
    withEmulator(async (_emulator, url) => {
      expect((await signedCall(url, { date: "20260506T070309Z" })).code).toBe("ok");
      expect((await signedCall(url, { date: "20260506T071309Z" })).code).toBe("ok");
    }, options()));
});

test.each([
  ["none", undefined, "MissingAuthenticationTokenException"],
  ["no SigV4", "Bearer abc", "IncompleteSignatureException"],
  [
    "no signature",
    "AWS4-HMAC-SHA256 Credential=a/20260506/r/codepipeline/aws4_request, SignedHeaders=host",
    "IncompleteSignatureException",
  ],
  [
    "a short scope",
    "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
    "IncompleteSignatureException",
  ],
  ["rubbish", `AWS4-HMAC-SHA256 ${"=,".repeat(2_000)}`, "IncompleteSignatureException"],
  [
    "a signature that is no hex",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260506/r/codepipeline/aws4_request, SignedHeaders=host;x-amz-target;x-amz-date, Signature=zz",
    "InvalidSignatureException",
  ],
] as const)("an Authorization header that is %s is refused, and changes nothing", (_, authorization, code) =>
  withEmulator(async (emulator, url) => {
    const jobId = emulator.addJob({ actionType: { provider: "Acme-Scan" } });
    const answer = await call(
      url,
      "PollForThirdPartyJobs",
      { actionTypeId: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } },
      { headers: { "x-amz-date": "20260506T070809Z", ...(authorization !== undefined && { authorization }) } },
    );
    expect([answer.status, answer.code]).toEqual([400, code]);
    expect(emulator.job(jobId)?.status).toBe("Queued");
  }, options()),
);

test("without credentials set, any signature or none will do", () =>
  withEmulator(async (_emulator, url) => {
    expect((await call(url, "ListActionTypes", {})).code).toBe("ok");
    expect((await call(url, "ListActionTypes", {}, { headers: { authorization: "Bearer x" } })).code).toBe("ok");
    expect((await signedCall(url, { secret: "whatever" })).code).toBe("ok");
  }));

// Signatures against the examples that AWS publishes for S3, whose keys and signatures nobody here computed.
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { authenticate } from "../../../../src/emulator/s3/authentication.js";
import { unchunked } from "../../../../src/emulator/s3/chunked.js";
import { Issuer } from "../../../../src/emulator/s3/issuer.js";
import { S3Error } from "../../../../src/emulator/s3/s3-error.js";
import { s3RequestOf } from "../../../../src/emulator/s3/s3-request.js";

const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const nowMs = Date.UTC(2013, 4, 24);
const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

function codeOf(method: string, url: string, headers: Record<string, string>, at = nowMs): string {
  try {
    authenticate(requestOf(method, url, headers), { issuer: new Issuer(), credentials, nowMs: at });
    return "ok";
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

function requestOf(method: string, url: string, headers: Record<string, string>) {
  return s3RequestOf({ method, url, headers } as unknown as IncomingMessage);
}

function authorization(signedHeaders: string, signature: string): string {
  const scope = `${credentials.accessKeyId}/20130524/us-east-1/s3/aws4_request`;
  return `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${signedHeaders},Signature=${signature}`;
}

const dated = { "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": empty };
const host = "examplebucket.s3.amazonaws.com";

describe("AWS's own examples are found right:", () => {
  const examples: readonly (readonly [string, string, Record<string, string>])[] = [
    [
      "GET",
      "/test.txt",
      {
        host,
        range: "bytes=0-9",
        ...dated,
        authorization: authorization(
          "host;range;x-amz-content-sha256;x-amz-date",
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
      },
    ],
    [
      "PUT",
      "/test%24file.text",
      {
        host,
        date: "Fri, 24 May 2013 00:00:00 GMT",
        ...dated,
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        authorization: authorization(
          "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
      },
    ],
    [
      "GET",
      "/?max-keys=2&prefix=J",
      {
        host,
        ...dated,
        authorization: authorization(
          "host;x-amz-content-sha256;x-amz-date",
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
      },
    ],
  ];
  test.each(examples)("%s %s", (method, url, headers) => {
    expect(codeOf(method, url, headers)).toBe("ok");
    expect(codeOf(method, `${url}x`, headers)).toBe("SignatureDoesNotMatch");
    expect(codeOf(method, url, { ...headers, "x-amz-meta-more": "x" })).toBe("AccessDenied");
    expect(codeOf(method, url, headers, nowMs + 901_000)).toBe("RequestTimeTooSkewed");
  });

  test("a pre-signed URL", () => {
    const url =
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F" +
      "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=" +
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    expect(codeOf("GET", url, { host })).toBe("ok");
    expect(codeOf("GET", url, { host }, nowMs + 86_399_000)).toBe("ok");
    expect(codeOf("GET", url, { host }, nowMs + 86_400_000)).toBe("AccessDenied");
    expect(codeOf("PUT", url, { host })).toBe("SignatureDoesNotMatch");
  });

  test("a body that is signed chunk by chunk", async () => {
    const headers = {
      host: "s3.amazonaws.com",
      "content-encoding": "aws-chunked",
      "content-length": "66824",
      "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "x-amz-date": "20130524T000000Z",
      "x-amz-decoded-content-length": "66560",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
      authorization: authorization(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
      ),
    };
    const chunks = (last: string) => [
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
      `${"a".repeat(65_536)}\r\n`,
      "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
      `${"a".repeat(1_023)}${last}\r\n`,
      "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ];
    const bytesOf = async (last: string) => {
      const request = requestOf("PUT", "/examplebucket/chunkObject.txt", headers);
      const { judge } = authenticate(request, { issuer: new Issuer(), credentials, nowMs });
      let bytes = 0;
      const source = Readable.from(chunks(last).map((text) => Buffer.from(text)));
      for await (const piece of unchunked(source, judge)) bytes += piece.length;
      return bytes;
    };
    expect(await bytesOf("a")).toBe(66_560);
    await expect(bytesOf("b")).rejects.toThrow("signature");
  });
});

describe("refuses", () => {
  const right = authorization("host;x-amz-content-sha256;x-amz-date", "0".repeat(64));
  const cases: readonly (readonly [string, string, Record<string, string>, string])[] = [
    ["what is not signed", "/b/k", { host }, "AccessDenied"],
    ["the older signature", "/b/k", { host, authorization: "AWS AKIAIOSFODNN7EXAMPLE:sig=" }, "InvalidRequest"],
    ["a header without the hash of the body", "/b/k", { host, authorization: right }, "InvalidRequest"],
    ["an unknown key", "/b/k", { host, ...dated, authorization: right.replace("AKIA", "AKIB") }, "InvalidAccessKeyId"],
    [
      "another service's scope",
      "/b/k",
      { host, ...dated, authorization: right.replace("/s3/", "/ec2/") },
      "AuthorizationHeaderMalformed",
    ],
    [
      "a scope that is none",
      "/b/k",
      { host, ...dated, authorization: right.replace("/s3/", "/") },
      "AuthorizationHeaderMalformed",
    ],
    ["a date that is none", "/b/k", { host, ...dated, "x-amz-date": "today", authorization: right }, "AccessDenied"],
    [
      "two signatures at once",
      "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256",
      { host, ...dated, authorization: right },
      "InvalidArgument",
    ],
    ["a URL that lives too long", `/b/k?${presigned("604801")}`, { host }, "AuthorizationQueryParametersError"],
    ["a URL without end", `/b/k?${presigned("")}`, { host }, "AuthorizationQueryParametersError"],
  ];
  test.each(cases)("%s", (_what, url, headers, code) => {
    expect(codeOf("GET", url, headers)).toBe(code);
  });

  function presigned(expires: string): string {
    const credential = encodeURIComponent(`${credentials.accessKeyId}/20130524/us-east-1/s3/aws4_request`);
    return `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=00`;
  }
});

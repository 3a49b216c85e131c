// Downloads from an S3 that answers as it likes: every object is verified by what S3 tells of it, however it came.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { combinedCrc32 } from "../../../../src/artifacts/s3/checksums.js";
import { download } from "../../../../src/artifacts/s3/download.js";
import { callsTo, startServer } from "../../../support/s3-calls.js";

let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-download-"));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

interface FakeObject {
  readonly content: Buffer;
  /** Sizes of the parts it was uploaded in. */
  readonly parts: readonly number[];
  readonly checksum?: { readonly name: "crc32" | "sha256"; readonly value?: string };
  /** The first answer ends after so many bytes. */
  readonly cutAfter?: number;
  /** A byte that is another one where it arrives in the second piece. */
  readonly flipAt?: number;
  readonly headStatus?: number;
}

const digests = {
  crc32: (bytes: Buffer) => {
    const digest = Buffer.alloc(4);
    digest.writeUInt32BE(crc32(bytes));
    return digest;
  },
  sha256: (bytes: Buffer) => createHash("sha256").update(bytes).digest(),
};

function composite({ content, parts, checksum }: FakeObject): string {
  const digest = digests[checksum?.name ?? "crc32"];
  let at = 0;
  const each = parts.map((size) => {
    at += size;
    return digest(content.subarray(at - size, at));
  });
  return `${digest(Buffer.concat(each)).toString("base64")}-${parts.length}`;
}

function answer(object: FakeObject, asked: string[]) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const number = Number(new URL(request.url ?? "", "http://s3").searchParams.get("partNumber") ?? 0);
    asked.push(`${request.method}${number > 0 ? ` ${number}` : ""}`);
    const { content, parts, checksum, cutAfter, flipAt } = object;
    response.setHeader("etag", '"tag"').setHeader("x-amz-request-id", "1");
    if (request.method === "HEAD") {
      response.setHeader("x-amz-mp-parts-count", String(parts.length));
      response.writeHead(object.headStatus ?? 206, { "content-length": parts[number - 1] }).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const sent = Buffer.from(content.subarray(from));
    if (from > 0) response.setHeader("content-range", `bytes ${from}-${content.length - 1}/${content.length}`);
    else if (checksum) response.setHeader(`x-amz-checksum-${checksum.name}`, checksum.value ?? composite(object));
    if (from > 0 && flipAt !== undefined) sent.writeUInt8(sent.readUInt8(flipAt - from) ^ 1, flipAt - from);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": sent.length });
    if (from > 0 || cutAfter === undefined) response.end(sent);
    else response.write(sent.subarray(0, cutAfter), () => setTimeout(() => request.socket.destroy(), 20));
  };
}

async function fetched(object: FakeObject) {
  const asked: string[] = [];
  const server = await startServer(answer(object, asked));
  const { calls, close } = callsTo(server.endpoint);
  closing.push(close, server.close);
  const to = join(folder, `object-${closing.length}`);
  await download({
    calls,
    name: "Source",
    location: { bucket: "b", objectKey: "k" },
    to,
    maxBytes: 2 ** 30,
    silenceMaxMs: 5_000,
    signal: new AbortController().signal,
    onLength: async () => {},
    onWritten: () => {},
    tailWanted: () => 0,
    onTailWritten: () => {},
  });
  expect(readFileSync(to).equals(object.content)).toBe(true);
  return asked;
}

const content = randomBytes(500_000);
const even = { content, parts: [200_000, 200_000, 100_000] };
const odd = { content, parts: [100_000, 250_000, 50_000, 100_000] };
const crc = { name: "crc32" } as const;
const sha = { name: "sha256" } as const;

describe("an object with a checksum of its parts' checksums", () => {
  it.each<readonly [string, FakeObject, readonly string[]]>([
    ["in one piece", { ...even, checksum: crc }, ["GET", "HEAD 1"]],
    ["by SHA-256", { ...even, checksum: sha }, ["GET", "HEAD 1"]],
    ["resumed", { ...even, checksum: crc, cutAfter: 300_000 }, ["GET", "GET", "HEAD 1"]],
    ["of odd parts", { ...odd, checksum: crc }, ["GET", "HEAD 1", "HEAD 2", "HEAD 3", "HEAD 4"]],
    ["of one part", { content, parts: [500_000], checksum: crc }, ["GET", "HEAD 1"]],
    ["that S3 does not let us ask for", { ...even, checksum: crc, headStatus: 403 }, ["GET", "HEAD 1"]],
  ])("is verified %s", async (_title, object, asked) => {
    expect((await fetched(object)).toSorted()).toEqual(asked.toSorted());
  });

  it.each<readonly [string, FakeObject]>([
    ["in its resumed half", { ...even, checksum: crc, cutAfter: 300_000, flipAt: 400_000 }],
    ["in its resumed half, of odd parts", { ...odd, checksum: sha, cutAfter: 300_000, flipAt: 499_999 }],
    ["all over", { ...even, checksum: { ...crc, value: "AAAAAA==-3" } }],
  ])("is refused where it is damaged %s", async (_title, object) => {
    await expect(fetched(object)).rejects.toMatchObject({ kind: "corrupt" });
  });
});

it("an object of 10,000 parts is verified by one more request", { timeout: 30_000 }, async () => {
  const parts = Array.from({ length: 10_000 }, () => 50);
  expect(await fetched({ content, parts, checksum: crc })).toEqual(["GET", "HEAD 1"]);
});

it("an object of 0 bytes is fetched", async () => {
  const nothing = { content: Buffer.alloc(0), parts: [0] };
  expect(await fetched(nothing)).toEqual(["GET"]);
  const value = digests.crc32(Buffer.alloc(0)).toString("base64");
  expect(await fetched({ ...nothing, checksum: { ...crc, value } })).toEqual(["GET"]);
});

it("a bucket of another Region is asked there", async () => {
  const scopes: (string | undefined)[] = [];
  const object = { content, parts: [500_000] };
  const server = await startServer((request, response): void => {
    const scope = /Credential=[^/]+\/\d+\/([^/]+)/.exec(request.headers.authorization ?? "")?.[1];
    scopes.push(scope);
    if (scope === "eu-west-1") return answer(object, [])(request, response);
    const body = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    response.setHeader("x-amz-request-id", "1");
    response.writeHead(301, { "x-amz-bucket-region": "eu-west-1", "content-type": "application/xml" }).end(body);
  });
  const { calls, close } = callsTo(server.endpoint);
  closing.push(close, server.close);
  const to = join(folder, "object");
  const rest = { onWritten: () => {}, tailWanted: () => 0, onTailWritten: () => {}, silenceMaxMs: 5_000 };
  await download({
    ...rest,
    calls,
    name: "Source",
    location: { bucket: "b", objectKey: "k" },
    to,
    maxBytes: 2 ** 30,
    signal: new AbortController().signal,
    onLength: async () => {},
  });
  expect(readFileSync(to).equals(content)).toBe(true);
  expect(scopes).toEqual(["us-east-1", "eu-west-1"]);
});

it("the CRC32 of a whole is that of its parts, combined", () => {
  for (const sizes of [[], [0], [1], [5, 0, 7], [70_000, 70_000, 3], [499_999, 1]]) {
    let at = 0;
    const parts = sizes.map((bytes) => {
      at += bytes;
      return { bytes, crc: crc32(content.subarray(at - bytes, at)) };
    });
    expect(combinedCrc32(parts)).toBe(crc32(content.subarray(0, at)));
  }
});

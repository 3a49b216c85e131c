// The framing of aws-chunked bodies: what is within comes out whole whatever the pieces, and what is broken is refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChunkJudge } from "../../../../src/emulator/s3/chunked.js";
import { unchunked } from "../../../../src/emulator/s3/chunked.js";
import { S3Error } from "../../../../src/emulator/s3/s3-error.js";

async function read(pieces: readonly Buffer[], judge?: ChunkJudge) {
  async function* source() {
    yield* pieces;
  }
  const reader = unchunked(source(), judge);
  const within: Buffer[] = [];
  for (;;) {
    const { value, done } = await reader.next();
    if (done) return { content: Buffer.concat(within).toString("latin1"), trailers: Object.fromEntries(value) };
    within.push(value);
  }
}

function framed(chunks: readonly string[], trailers: readonly string[] = []): string {
  const lines = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return `${lines}0\r\n${trailers.map((trailer) => `${trailer}\r\n`).join("")}\r\n`;
}

test("any chunks in any pieces come out as they went in, with their trailers", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ minLength: 1, maxLength: 50 }), { maxLength: 5 }),
      fc.array(fc.nat({ max: 30 }), { maxLength: 8 }),
      async (texts, cuts) => {
        const chunks = texts.map((text) => Buffer.from(text).toString("latin1"));
        const whole = Buffer.from(framed(chunks, ["x-amz-checksum-crc32:AAAAAA=="]), "latin1");
        const pieces: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(whole.subarray(at, at + cut));
          at += cut;
        }
        const { content, trailers } = await read([...pieces, whole.subarray(at)]);
        expect(content).toBe(chunks.join(""));
        expect(trailers).toEqual({ "x-amz-checksum-crc32": "AAAAAA==" });
      },
    ),
  ));

describe("refuses", () => {
  const broken: readonly (readonly [string, string, string])[] = [
    ["a body that ends in a chunk", "5\r\nabc", "IncompleteBody"],
    ["a body without its last chunk", "3\r\nabc\r\n", "IncompleteBody"],
    ["a body without its last line", "3\r\nabc\r\n0\r\n", "IncompleteBody"],
    ["a chunk longer than it says", "2\r\nabc\r\n0\r\n\r\n", "InvalidRequest"],
    ["a size that is none", "zz\r\nabc\r\n0\r\n\r\n", "InvalidRequest"],
    ["a negative size", "-1\r\nabc\r\n0\r\n\r\n", "InvalidRequest"],
    ["an enormous size", "fffffffff\r\nabc\r\n0\r\n\r\n", "InvalidRequest"],
    ["a line without end", "1".repeat(10_000), "InvalidRequest"],
    ["a trailer without a name", "0\r\n:x\r\n\r\n", "InvalidRequest"],
    [
      "more trailers than anybody sends",
      `0\r\n${"a:b\r\nc:d\r\n".repeat(1)}${Array.from({ length: 30 }, (_, n) => `n${n}:x\r\n`).join("")}\r\n`,
      "InvalidRequest",
    ],
    ["bytes behind the end", `${framed(["abc"])}more`, "InvalidRequest"],
    ["nothing at all", "", "IncompleteBody"],
  ];
  test.each(broken)("%s", async (_what, text, code) => {
    const error = await read([Buffer.from(text)]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(S3Error);
    expect((error as S3Error).code).toBe(code);
  });
});

test("each chunk's signature and the trailers' are judged, with what they sign", async () => {
  const seen: unknown[] = [];
  const judge: ChunkJudge = {
    chunk: (signature, digest) => seen.push([signature, digest.slice(0, 8)]),
    trailers: (signature, text) => seen.push([signature, text]),
  };
  const body =
    "3;chunk-signature=aa\r\nabc\r\n0;chunk-signature=bb\r\nx-amz-checksum-crc32:x\r\nx-amz-trailer-signature:cc\r\n\r\n";
  await read([Buffer.from(body)], judge);
  expect(seen).toEqual([
    ["aa", "ba7816bf"],
    ["bb", "e3b0c442"],
    ["cc", "x-amz-checksum-crc32:x\n"],
  ]);
});

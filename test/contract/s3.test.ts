// What artifacts need of S3, told by AWS's own client: the emulator's S3 and, where Python's moto is present, moto's.
// What moto does not do stands beside the promise; the emulator keeps every one.
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { S3ServiceException } from "@aws-sdk/client-s3";
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import { hasMoto, startMoto } from "../support/moto.js";
import { s3Client } from "../support/s3-client.js";

interface Place {
  readonly s3: S3Client;
  readonly url: string;
  /** A bucket that is there. */
  readonly Bucket: string;
  /** A key that nobody used. */
  readonly Key: string;
}
type Act = (place: Place) => Promise<void>;
interface Promised {
  readonly title: string;
  readonly act: Act;
  /** What moto 5.2 does otherwise. */
  readonly motoDoes?: string;
}

const mebibyte = 1_048_576;
const promises: Promised[] = [];

function promise(title: string, act: Act, motoDoes?: string): void {
  promises.push({ title, act, ...(motoDoes !== undefined && { motoDoes }) });
}

promise("gives back the bytes, type and metadata that were put", async ({ s3, ...place }) => {
  const Body = randomBytes(100_000);
  await s3.send(
    new PutObjectCommand({ ...at(place), Body, ContentType: "application/zip", Metadata: { revision: "abc 1" } }),
  );
  const got = await s3.send(new GetObjectCommand(at(place)));
  expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(Body);
  expect(got).toMatchObject({
    ContentType: "application/zip",
    ContentLength: 100_000,
    Metadata: { revision: "abc 1" },
  });
  expect(got.ETag).toBe(`"${createHash("md5").update(Body).digest("hex")}"`);
});

promise("keeps an object without bytes", async ({ s3, ...place }) => {
  await s3.send(new PutObjectCommand({ ...at(place), Body: "", ContentLength: 0 }));
  const got = await s3.send(new GetObjectCommand(at(place)));
  expect(await got.Body?.transformToString()).toBe("");
  expect(got.ContentLength).toBe(0);
});

promise("stores what a stream holds, not its framing", async ({ s3, ...place }) => {
  const pieces = [randomBytes(70_000), randomBytes(1), randomBytes(200_000)];
  const ContentLength = 270_001;
  await s3.send(new PutObjectCommand({ ...at(place), Body: Readable.from(pieces), ContentLength }));
  const got = await s3.send(new GetObjectCommand(at(place)));
  expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(Buffer.concat(pieces));
  expect(got.ContentEncoding ?? "").not.toContain("aws-chunked");
});

promise("keeps keys with spaces, signs, percent signs and letters of any script", async ({ s3, ...place }) => {
  for (const odd of ["a b+c", "50%25/%2F", "(x)*!'~", "größe/日本/😀", "q?a=b&c#d"]) {
    const Key = `${place.Key}/${odd}`;
    await s3.send(new PutObjectCommand({ Bucket: place.Bucket, Key, Body: odd }));
    const got = await s3.send(new GetObjectCommand({ Bucket: place.Bucket, Key }));
    expect(await got.Body?.transformToString()).toBe(odd);
  }
});

const checksums: readonly (readonly [ChecksumAlgorithm, string])[] = [
  ["CRC32", "ChecksumCRC32"],
  ["CRC32C", "ChecksumCRC32C"],
  ["SHA1", "ChecksumSHA1"],
  ["SHA256", "ChecksumSHA256"],
  ["CRC64NVME", "ChecksumCRC64NVME"],
];
for (const [ChecksumAlgorithm, member] of checksums) {
  promise(`keeps the ${ChecksumAlgorithm} of an upload, and gives it to those who ask`, async ({ s3, ...place }) => {
    const put = await s3.send(new PutObjectCommand({ ...at(place), Body: "artifact", ChecksumAlgorithm }));
    const asked = await s3.send(new HeadObjectCommand({ ...at(place), ChecksumMode: "ENABLED" }));
    const got = await s3.send(new GetObjectCommand({ ...at(place), ChecksumMode: "ENABLED" }));
    expect(await got.Body?.transformToString()).toBe("artifact");
    const value = (put as unknown as Record<string, unknown>)[member];
    expect(value).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(asked).toMatchObject({ [member]: value });
    expect(got).toMatchObject({ [member]: value });
  });
}

const refused: readonly (readonly [string, Partial<PutObjectCommandInput>, string, string | undefined])[] = [
  ["an MD5", { ContentMD5: createHash("md5").update("other").digest("base64") }, "BadDigest", "stores it all the same"],
  ["a broken MD5", { ContentMD5: "bm90IG1kNQ==" }, "InvalidDigest", "stores it all the same"],
  ["a CRC32", { ChecksumCRC32: "AAAAAA==" }, "BadDigest", "stores it all the same"],
  ["a CRC32C", { ChecksumCRC32C: "AAAAAA==" }, "BadDigest", "stores it all the same"],
  ["a CRC64NVME", { ChecksumCRC64NVME: "AAAAAAAAAAA=" }, "BadDigest", "stores it all the same"],
  ["a SHA-1", { ChecksumSHA1: createHash("sha1").update("x").digest("base64") }, "BadDigest", "stores it all the same"],
  [
    "a SHA-256",
    { ChecksumSHA256: createHash("sha256").update("x").digest("base64") },
    "BadDigest",
    "stores it all the same",
  ],
  ["a broken CRC32", { ChecksumCRC32: "AAAA" }, "InvalidRequest", "stores it all the same"],
];
for (const [what, wrong, code, motoDoes] of refused) {
  promise(
    `refuses an upload with ${what} that is not that of its bytes`,
    async ({ s3, ...place }) => {
      expect(await codeOf(s3.send(new PutObjectCommand({ ...at(place), Body: "artifact", ...wrong })))).toBe(code);
      expect(await codeOf(s3.send(new HeadObjectCommand(at(place))))).toBe("NotFound");
    },
    motoDoes,
  );
}

promise("joins the parts of a large upload", async ({ s3, ...place }) => {
  const body = randomBytes(12 * mebibyte + 17);
  await new Upload({ client: s3, params: { ...at(place), Body: Readable.from(split(body, 300_000)) } }).done();
  const got = await s3.send(new GetObjectCommand(at(place)));
  expect(sha256(Buffer.from((await got.Body?.transformToByteArray()) ?? []))).toBe(sha256(body));
  expect(got.ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
  const middle = await s3.send(
    new GetObjectCommand({ ...at(place), Range: `bytes=${5 * mebibyte - 2}-${5 * mebibyte + 2}` }),
  );
  expect(Buffer.from((await middle.Body?.transformToByteArray()) ?? [])).toEqual(
    body.subarray(5 * mebibyte - 2, 5 * mebibyte + 3),
  );
});

promise(
  "gives the checksum of checksums for an upload in parts",
  async ({ s3, ...place }) => {
    const UploadId = await begun(s3, place, { ChecksumAlgorithm: "SHA256" });
    const parts = [Buffer.alloc(5 * mebibyte, "a"), Buffer.from("the end")];
    const Parts = [];
    for (const [index, Body] of parts.entries()) {
      const part = { ...at(place), UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: "SHA256" as const };
      const { ETag, ChecksumSHA256 } = await s3.send(new UploadPartCommand(part));
      Parts.push({ PartNumber: index + 1, ETag, ChecksumSHA256 });
    }
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ ...at(place), UploadId, MultipartUpload: { Parts } }),
    );
    const digests = parts.map((part) => createHash("sha256").update(part).digest());
    const expected = `${createHash("sha256").update(Buffer.concat(digests)).digest("base64")}-2`;
    expect(done.ChecksumSHA256).toBe(expected);
    const asked = await s3.send(new HeadObjectCommand({ ...at(place), ChecksumMode: "ENABLED" }));
    expect(asked).toMatchObject({ ChecksumSHA256: expected, ChecksumType: "COMPOSITE" });
  },
  "tells no checksum of the whole",
);

promise(
  "gives the checksum of the whole for an upload in parts that asks for it",
  async ({ s3, ...place }) => {
    const UploadId = await begun(s3, place, { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" });
    const parts = [Buffer.alloc(5 * mebibyte, "a"), Buffer.from("the end")];
    const Parts = [];
    for (const [index, Body] of parts.entries()) {
      const part = { ...at(place), UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: "CRC32" as const };
      const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand(part));
      Parts.push({ PartNumber: index + 1, ETag, ChecksumCRC32 });
    }
    const done = new CompleteMultipartUploadCommand({ ...at(place), UploadId, MultipartUpload: { Parts } });
    const { ChecksumCRC32 } = await s3.send(done);
    await s3.send(new PutObjectCommand({ ...at(place), Body: Buffer.concat(parts) }));
    const whole = await s3.send(new HeadObjectCommand({ ...at(place), ChecksumMode: "ENABLED" }));
    expect(ChecksumCRC32).toBe(whole.ChecksumCRC32);
  },
  "tells no checksum of the whole",
);

promise("refuses to complete with a part that is not as the list has it", async ({ s3, ...place }) => {
  const UploadId = await begun(s3, place);
  await s3.send(new UploadPartCommand({ ...at(place), UploadId, PartNumber: 1, Body: "part" }));
  const complete = (Parts: { PartNumber: number; ETag: string }[]) =>
    codeOf(s3.send(new CompleteMultipartUploadCommand({ ...at(place), UploadId, MultipartUpload: { Parts } })));
  expect(await complete([{ PartNumber: 1, ETag: `"${"0".repeat(32)}"` }])).toBe("InvalidPart");
  expect(await complete([{ PartNumber: 2, ETag: md5("part") }])).toBe("InvalidPart");
  expect(await codeOf(s3.send(new HeadObjectCommand(at(place))))).toBe("NotFound");
});

async function codeOfCompletion({ s3, ...place }: Place, numbers: readonly number[]): Promise<string> {
  const UploadId = await begun(s3, place);
  for (const PartNumber of numbers) {
    await s3.send(new UploadPartCommand({ ...at(place), UploadId, PartNumber, Body: "part" }));
  }
  const Parts = numbers.map((PartNumber) => ({ PartNumber, ETag: md5("part") }));
  return codeOf(s3.send(new CompleteMultipartUploadCommand({ ...at(place), UploadId, MultipartUpload: { Parts } })));
}

promise(
  "refuses a list of parts in the wrong order",
  async (place) => expect(await codeOfCompletion(place, [2, 1])).toBe("InvalidPartOrder"),
  "looks at the sizes first",
);

promise("refuses parts but the last that are too small", async (place) => {
  expect(await codeOfCompletion(place, [1, 2])).toBe("EntityTooSmall");
});

promise("lists parts and uploads, and leaves nothing of an upload that is aborted", async ({ s3, ...place }) => {
  const UploadId = await begun(s3, place);
  await s3.send(new UploadPartCommand({ ...at(place), UploadId, PartNumber: 7, Body: "part" }));
  const { Parts } = await s3.send(new ListPartsCommand({ ...at(place), UploadId }));
  expect(Parts).toMatchObject([{ PartNumber: 7, Size: 4, ETag: md5("part") }]);
  const mine = async () => {
    const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: place.Bucket }));
    return (Uploads ?? []).filter((upload) => upload.UploadId === UploadId).map(({ Key }) => Key);
  };
  expect(await mine()).toEqual([place.Key]);
  await s3.send(new AbortMultipartUploadCommand({ ...at(place), UploadId }));
  expect(await mine()).toEqual([]);
  expect(await codeOf(s3.send(new HeadObjectCommand(at(place))))).toBe("NotFound");
});

promise(
  "takes no part of an upload that was aborted",
  async ({ s3, ...place }) => {
    const UploadId = await begun(s3, place);
    await s3.send(new AbortMultipartUploadCommand({ ...at(place), UploadId }));
    const late = new UploadPartCommand({ ...at(place), UploadId, PartNumber: 1, Body: "part" });
    expect(await codeOf(s3.send(late))).toBe("NoSuchUpload");
  },
  "answers an error of its own",
);

promise("answers ranges, and refuses one beyond the end", async ({ s3, ...place }) => {
  await s3.send(new PutObjectCommand({ ...at(place), Body: "0123456789" }));
  const range = async (Range: string) => {
    const got = await s3.send(new GetObjectCommand({ ...at(place), Range }));
    return [await got.Body?.transformToString(), got.ContentRange];
  };
  expect(await range("bytes=2-4")).toEqual(["234", "bytes 2-4/10"]);
  expect(await range("bytes=7-")).toEqual(["789", "bytes 7-9/10"]);
  expect(await range("bytes=-3")).toEqual(["789", "bytes 7-9/10"]);
  expect(await range("bytes=8-99")).toEqual(["89", "bytes 8-9/10"]);
  expect(await codeOf(s3.send(new GetObjectCommand({ ...at(place), Range: "bytes=10-" })))).toBe("InvalidRange");
});

promise("answers 412 and 304 as the conditions of a read have it", async ({ s3, ...place }) => {
  const { ETag } = await s3.send(new PutObjectCommand({ ...at(place), Body: "artifact" }));
  const read = (conditions: object) => s3.send(new GetObjectCommand({ ...at(place), ...conditions }));
  expect(await (await read({ IfMatch: ETag })).Body?.transformToString()).toBe("artifact");
  expect(await statusOf(read({ IfMatch: '"other"' }))).toBe(412);
  expect(await statusOf(read({ IfNoneMatch: ETag }))).toBe(304);
});

promise("puts over an object only as the conditions have it", async ({ s3, ...place }) => {
  const put = (Body: string, conditions: object) =>
    s3.send(new PutObjectCommand({ ...at(place), Body, ...conditions }));
  const { ETag } = await put("first", { IfNoneMatch: "*" });
  expect(await codeOf(put("second", { IfNoneMatch: "*" }))).toBe("PreconditionFailed");
  expect(await codeOf(put("second", { IfMatch: '"other"' }))).toBe("PreconditionFailed");
  await put("second", { IfMatch: ETag });
  const got = await s3.send(new GetObjectCommand(at(place)));
  expect(await got.Body?.transformToString()).toBe("second");
});

promise("tells the encryption that an upload asked for", async ({ s3, ...place }) => {
  const SSEKMSKeyId = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
  const put = { ...at(place), Body: "artifact", ServerSideEncryption: "aws:kms", SSEKMSKeyId } as const;
  expect(await s3.send(new PutObjectCommand(put))).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId });
  const asked = await s3.send(new HeadObjectCommand(at(place)));
  expect(asked).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId });
  const UploadId = await begun(s3, place, { ServerSideEncryption: "aws:kms", SSEKMSKeyId });
  const { ETag } = await s3.send(new UploadPartCommand({ ...at(place), UploadId, PartNumber: 1, Body: "part" }));
  const Parts = [{ PartNumber: 1, ETag }];
  await s3.send(new CompleteMultipartUploadCommand({ ...at(place), UploadId, MultipartUpload: { Parts } }));
  const joined = await s3.send(new HeadObjectCommand(at(place)));
  expect(joined).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId, ContentLength: 4 });
});

promise("serves pre-signed URLs to those who have no SDK", async ({ s3, ...place }) => {
  const putUrl = await getSignedUrl(s3, new PutObjectCommand(at(place)), { expiresIn: 60 });
  expect((await fetch(putUrl, { method: "PUT", body: "by a URL" })).status).toBe(200);
  const getUrl = await getSignedUrl(s3, new GetObjectCommand(at(place)), { expiresIn: 60 });
  expect(await (await fetch(getUrl)).text()).toBe("by a URL");
});

promise("lists objects by prefix and folder, in pages", async ({ s3, ...place }) => {
  for (const name of ["a", "b/1", "b/2", "c"]) {
    await s3.send(new PutObjectCommand({ Bucket: place.Bucket, Key: `${place.Key}/${name}`, Body: name }));
  }
  const list = { Bucket: place.Bucket, Prefix: `${place.Key}/` };
  const all = await s3.send(new ListObjectsV2Command(list));
  expect(all.Contents?.map(({ Key, Size }) => [Key?.slice(place.Key.length), Size])).toEqual([
    ["/a", 1],
    ["/b/1", 3],
    ["/b/2", 3],
    ["/c", 1],
  ]);
  const folders = await s3.send(new ListObjectsV2Command({ ...list, Delimiter: "/" }));
  expect(folders.CommonPrefixes).toEqual([{ Prefix: `${place.Key}/b/` }]);
  const first = await s3.send(new ListObjectsV2Command({ ...list, MaxKeys: 3 }));
  expect(first).toMatchObject({ IsTruncated: true, KeyCount: 3 });
  const ContinuationToken = first.NextContinuationToken;
  const second = await s3.send(new ListObjectsV2Command({ ...list, ContinuationToken }));
  expect(second.Contents?.map(({ Key }) => Key)).toEqual([`${place.Key}/c`]);
});

promise("says what is not there, and forgets what is deleted", async ({ s3, ...place }) => {
  expect(await codeOf(s3.send(new GetObjectCommand(at(place))))).toBe("NoSuchKey");
  expect(await codeOf(s3.send(new GetObjectCommand({ ...at(place), Bucket: "no-such-bucket" })))).toBe("NoSuchBucket");
  await s3.send(new PutObjectCommand({ ...at(place), Body: "artifact" }));
  await s3.send(new DeleteObjectCommand(at(place)));
  await s3.send(new DeleteObjectCommand(at(place)));
  expect(await codeOf(s3.send(new HeadObjectCommand(at(place))))).toBe("NotFound");
});

const isMotoHere = hasMoto();
const implementations = [
  { name: "emulator", start: () => startEmulator(), isHere: true },
  { name: "moto", start: () => startMoto(), isHere: isMotoHere },
];
if (!isMotoHere) process.stderr.write("skipped: moto's S3, since python3 has no moto here\n");

describe.each(implementations)("the S3 of the $name", ({ name, start, isHere }) => {
  let server: { readonly url: string; readonly close: () => Promise<void> } | undefined;
  let s3: S3Client | undefined;
  const Bucket = "artifacts-of-all";
  beforeAll(async () => {
    if (!isHere) return;
    server = await start();
    s3 = s3Client(server.url);
    await s3.send(new CreateBucketCommand({ Bucket }));
  }, 60_000);
  afterAll(async () => {
    s3?.destroy();
    await server?.close();
  });
  for (const [index, { title, act, motoDoes }] of promises.entries()) {
    const isOtherwise = name === "moto" && motoDoes !== undefined;
    // Run all the same: once moto learns it, the list above is to say so.
    const run = !isHere ? test.skip : isOtherwise ? test.fails : test;
    run(isOtherwise ? `${title} (not moto: it ${motoDoes})` : title, async () => {
      if (!server || !s3) throw new Error("the server did not start");
      await act({ s3, url: server.url, Bucket, Key: `pipeline/artifact/${index}` });
    });
  }
});

function at({ Bucket, Key }: { Bucket: string; Key: string }) {
  return { Bucket, Key };
}

async function begun(s3: S3Client, place: { Bucket: string; Key: string }, more: object = {}): Promise<string> {
  const { UploadId = "" } = await s3.send(new CreateMultipartUploadCommand({ ...at(place), ...more }));
  return UploadId;
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => "no error",
    (error: S3ServiceException) => error.name,
  );
}

async function statusOf(answer: Promise<unknown>): Promise<number | undefined> {
  return answer.then(
    () => 200,
    (error: S3ServiceException) => error.$metadata.httpStatusCode,
  );
}

function split(body: Buffer, bytes: number): Buffer[] {
  const count = Math.ceil(body.length / bytes);
  return Array.from({ length: count }, (_, index) => body.subarray(index * bytes, (index + 1) * bytes));
}

function md5(text: string): string {
  return `"${createHash("md5").update(text).digest("hex")}"`;
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

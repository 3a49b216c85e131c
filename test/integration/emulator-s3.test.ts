// The emulator's S3 with AWS's own client: what a job may do with the credentials it gets, and what goes wrong on demand.
// Plain object semantics, checked against another S3 as well, are in test/contract/s3.test.ts.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { Agent, type RequestOptions, request as sendHttp } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3ServiceException } from "@aws-sdk/client-s3";
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { describe, expect, test, vi } from "vitest";
import type { Emulator, EmulatorOptions } from "../../src/emulator/emulator.js";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { call, clientToken, control, customType, takeJob, withEmulator } from "../support/emulator-client.js";
import { FakeClock } from "../support/fake-clock.js";
import type { ArtifactData } from "../support/s3-client.js";
import { artifactData, placeOf, s3Client } from "../support/s3-client.js";

interface WithJob {
  readonly emulator: Emulator;
  readonly url: string;
  readonly jobId: string;
  readonly data: ArtifactData;
  /** With the job's own credentials. */
  readonly s3: S3Client;
  readonly input: { readonly Bucket: string; readonly Key: string };
  readonly output: { readonly Bucket: string; readonly Key: string };
}

const content = randomBytes(600_000);

/** A third-party job in progress, with one input and one output. */
function withJob(act: (at: WithJob) => Promise<void>, options: EmulatorOptions = {}): Promise<void> {
  return withEmulator(async (emulator, url) => {
    const jobId = emulator.addJob({
      actionType: { provider: "Acme-Scan" },
      inputs: [{ name: "In", base64: content.toString("base64") }],
      outputs: [{ name: "Out" }],
    });
    await takeJob(url, "ThirdParty");
    const data = await artifactData(url, jobId);
    const s3 = s3Client(url, { credentials: data.artifactCredentials });
    const [input, output] = [placeOf(data.inputArtifacts[0]), placeOf(data.outputArtifacts[0])];
    await act({ emulator, url, jobId, data, s3, input, output });
    s3.destroy();
  }, options);
}

describe("the credentials of a job", () => {
  test("read its input and write its output, whole or in parts", () =>
    withJob(async ({ emulator, jobId, s3, input, output }) => {
      const got = await s3.send(new GetObjectCommand(input));
      expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(content);
      await s3.send(new PutObjectCommand({ ...output, Body: "report", ServerSideEncryption: "aws:kms" }));
      const uploaded = { bytes: 6, encryption: "aws:kms", byJob: jobId };
      expect(emulator.job(jobId)?.outputs).toMatchObject([{ name: "Out", uploaded }]);
      const body = Buffer.alloc(12_000_000, "a large report ");
      await new Upload({ client: s3, params: { ...output, Body: body } }).done();
      expect(sha256(await emulator.artifacts.read(output.Bucket, output.Key))).toBe(sha256(body));
      expect(emulator.artifacts.uploads()).toEqual([]);
    }));

  test("open nothing else: not the other way round, no other key, no list", () =>
    withJob(async ({ emulator, s3, input, output }) => {
      emulator.artifacts.put({ ...{ bucket: input.Bucket, key: "of another job" }, text: "secret" });
      const denied = [
        new GetObjectCommand({ ...input, Key: "of another job" }),
        new PutObjectCommand({ ...input, Body: "changed" }),
        new GetObjectCommand(output),
        new DeleteObjectCommand(output),
        new PutObjectCommand({ ...output, Key: "elsewhere", Body: "x" }),
        new CreateMultipartUploadCommand(input),
        new ListObjectsV2Command({ Bucket: input.Bucket }),
      ];
      for (const command of denied) expect(await codeOf(s3.send(command as GetObjectCommand))).toBe("AccessDenied");
    }));

  test("are new at each answer, and the older ones stay good until their own end", () =>
    withJob(async ({ url, jobId, s3, data, input }) => {
      const again = await artifactData(url, jobId);
      expect(again.artifactCredentials.accessKeyId).not.toBe(data.artifactCredentials.accessKeyId);
      const other = s3Client(url, { credentials: again.artifactCredentials });
      for (const client of [s3, other]) expect(await codeOf(client.send(new HeadObjectCommand(input)))).toBe("ok");
    }));

  test("come with custom jobs as well, by poll and by details", () =>
    withEmulator(async (emulator, url) => {
      const id = emulator.addJob({ actionType: customType, inputs: [{ name: "In", text: "x" }] });
      const { json } = await call(url, "PollForJobs", { actionTypeId: customType });
      const [polled] = json["jobs"] as { data: ArtifactData }[];
      const details = await call(url, "GetJobDetails", { jobId: id });
      const { data } = details.json["jobDetails"] as { data: ArtifactData };
      for (const { artifactCredentials, inputArtifacts } of [polled?.data ?? data, data]) {
        const s3 = s3Client(url, { credentials: artifactCredentials });
        expect(await codeOf(s3.send(new GetObjectCommand(placeOf(inputArtifacts[0]))))).toBe("ok");
      }
    }));

  test("end after fifteen minutes, by the emulator's clock", async () => {
    // Signatures are made by the real one: half of what the two may differ, either way.
    const clock = new FakeClock(Date.now() - 450_000);
    await withJob(
      async ({ url, jobId, s3, input }) => {
        await clock.advance(899_000);
        expect(await codeOf(s3.send(new HeadObjectCommand(input)))).toBe("ok");
        await clock.advance(1_000);
        expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ExpiredToken");
        const { artifactCredentials } = await artifactData(url, jobId);
        const renewed = s3Client(url, { credentials: artifactCredentials });
        expect(await codeOf(renewed.send(new GetObjectCommand(input)))).toBe("ok");
      },
      { clock },
    );
  });

  test("end when the job says, when a fault says, and at once when they are told to", () =>
    withJob(async ({ emulator, url, jobId, s3, input }) => {
      const short = emulator.addJob({
        actionType: { provider: "Acme-Scan" },
        credentialsMs: 0,
        inputs: [{ name: "A" }],
      });
      const ofShort = await artifactData(url, short);
      const codeWith = (data: ArtifactData, place: object) =>
        codeOf(
          s3Client(url, { credentials: data.artifactCredentials }).send(new GetObjectCommand(place as typeof input)),
        );
      expect(await codeWith(ofShort, placeOf(ofShort.inputArtifacts[0]))).toBe("ExpiredToken");
      emulator.fault({ kind: "short-credentials", ms: 0, operations: ["GetThirdPartyJobDetails"], times: 1 });
      expect(await codeWith(await artifactData(url, jobId), input)).toBe("ExpiredToken");
      expect(await codeWith(await artifactData(url, jobId), input)).toBe("ok");
      expect((await control(url, `expire-credentials?jobId=${short}`, {})).status).toBe(200);
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ok");
      expect((await control(url, "expire-credentials", {})).status).toBe(200);
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ExpiredToken");
    }));

  test("are refused with a wrong secret, another's token, or a key that was never issued", () =>
    withJob(async ({ emulator, url, data, input }) => {
      const codeWith = (part: object) =>
        codeOf(
          s3Client(url, { credentials: { ...data.artifactCredentials, ...part } }).send(new GetObjectCommand(input)),
        );
      expect(await codeWith({ secretAccessKey: "wrong" })).toBe("SignatureDoesNotMatch");
      expect(await codeWith({ accessKeyId: "ASIAEMULAAAAAAAAAAAA" })).toBe("InvalidAccessKeyId");
      expect(await codeWith({ sessionToken: "bm90IGEgdG9rZW4=" })).toBe("InvalidToken");
      const other = await artifactData(url, emulator.addJob({ actionType: { provider: "Acme-Scan" } }));
      expect(await codeWith({ sessionToken: other.artifactCredentials.sessionToken })).toBe("InvalidToken");
      expect(await codeWith({})).toBe("ok");
    }));

  test("are for the Region of the job's bucket", () =>
    withJob(async ({ url, data, input }) => {
      const elsewhere = s3Client(url, { credentials: data.artifactCredentials, region: "eu-west-1" });
      expect(await codeOf(elsewhere.send(new GetObjectCommand(input)))).toBe("AuthorizationHeaderMalformed");
    }));

  test("may be refused what is not there, as AWS refuses those who may not list", () =>
    withJob(async ({ emulator, s3, url, jobId }) => {
      const missing = emulator.addJob({ actionType: { provider: "Acme-Scan" }, inputs: [{ name: "Gone" }] });
      const data = await artifactData(url, missing);
      const client = s3Client(url, { credentials: data.artifactCredentials });
      const place = placeOf(data.inputArtifacts[0]);
      expect(await codeOf(client.send(new GetObjectCommand(place)))).toBe("NoSuchKey");
      emulator.configure({ missingArtifact: "AccessDenied" });
      expect(await codeOf(client.send(new GetObjectCommand(place)))).toBe("AccessDenied");
      expect([s3.config.forcePathStyle, emulator.job(jobId)?.status]).toEqual([true, "InProgress"]);
    }));
});

describe("whoever has other credentials", () => {
  const credentials = { accessKeyId: "AKIDCHECKED", secretAccessKey: "the secret" };

  test("is let in while any credentials do, signed or not", () =>
    withJob(async ({ url, output }) => {
      const there = `${url}/${output.Bucket}/${output.Key}`;
      expect((await fetch(there, { method: "PUT", body: "by hand" })).status).toBe(200);
      expect(await (await fetch(there)).text()).toBe("by hand");
      expect(await codeOf(s3Client(url).send(new GetObjectCommand(output)))).toBe("ok");
    }));

  test("must have the checked ones where signatures are checked", () =>
    withEmulator(
      async (emulator, url) => {
        emulator.artifacts.put({ bucket: "artifacts", key: "a/b c", text: "x" });
        const place = { Bucket: "artifacts", Key: "a/b c" };
        const codeWith = (part: object) =>
          codeOf(s3Client(url, { credentials: { ...credentials, ...part } }).send(new GetObjectCommand(place)));
        expect(await codeWith({})).toBe("ok");
        expect(await codeWith({ secretAccessKey: "wrong" })).toBe("SignatureDoesNotMatch");
        expect(await codeWith({ accessKeyId: "AKIDOTHER" })).toBe("InvalidAccessKeyId");
        expect((await fetch(`${url}/artifacts/a/b%20c`)).status).toBe(403);
        const stream = new PutObjectCommand({ ...place, Body: content });
        expect(await codeOf(s3Client(url, { credentials }).send(stream))).toBe("ok");
      },
      { credentials },
    ));
});

describe("a pre-signed URL", () => {
  test("serves a job's input and takes its output, with the headers that were signed", () =>
    withJob(async ({ emulator, jobId, s3, input, output }) => {
      const getUrl = await getSignedUrl(s3, new GetObjectCommand(input), { expiresIn: 600 });
      expect(sha256(Buffer.from(await (await fetch(getUrl)).arrayBuffer()))).toBe(sha256(content));
      const put = new PutObjectCommand({ ...output, ServerSideEncryption: "aws:kms", ContentType: "application/zip" });
      const headers = { "x-amz-server-side-encryption": "aws:kms", "content-type": "application/zip" };
      const signed = new Set(Object.keys(headers));
      const putUrl = await getSignedUrl(s3, put, {
        expiresIn: 600,
        unhoistableHeaders: signed,
        signableHeaders: signed,
      });
      const upload = (more: object) => fetch(putUrl, { method: "PUT", body: "report", headers: more as never });
      expect(await codeOfText(upload({}))).toBe("SignatureDoesNotMatch");
      expect(await codeOfText(upload({ ...headers, "x-amz-meta-more": "x" }))).toBe("AccessDenied");
      expect((await upload(headers)).status).toBe(200);
      expect(emulator.job(jobId)?.outputs[0]?.uploaded).toMatchObject({
        encryption: "aws:kms",
        contentType: "application/zip",
        byJob: jobId,
      });
    }));

  test("ends at its own time, or with the credentials that signed it", async () => {
    const clock = new FakeClock(Date.now());
    await withJob(
      async ({ emulator, jobId, s3, input }) => {
        const short = await getSignedUrl(s3, new GetObjectCommand(input), { expiresIn: 60 });
        const long = await getSignedUrl(s3, new GetObjectCommand(input), { expiresIn: 86_400 });
        await clock.advance(61_000);
        expect(await codeOfText(fetch(short))).toBe("AccessDenied");
        expect((await fetch(long)).status).toBe(200);
        emulator.artifacts.expireCredentials(jobId);
        expect(await codeOfText(fetch(long))).toBe("ExpiredToken");
      },
      { clock },
    );
  });

  test("of a changed path, method or parameter is worth nothing", () =>
    withJob(async ({ s3, input }) => {
      const url = await getSignedUrl(s3, new GetObjectCommand(input), { expiresIn: 60 });
      for (const changed of [url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), `${url}&x=y`]) {
        expect(await codeOfText(fetch(changed))).toBe("SignatureDoesNotMatch");
      }
      expect(await codeOfText(fetch(url, { method: "DELETE" }))).toBe("SignatureDoesNotMatch");
    }));
});

describe("KMS", () => {
  test("must be asked for where the bucket says so", () =>
    withJob(async ({ url, s3, output }) => {
      expect((await control(url, "buckets", { name: output.Bucket, requireKms: true })).status).toBe(201);
      const put = (more: object) => codeOf(s3.send(new PutObjectCommand({ ...output, Body: "report", ...more })));
      expect(await put({})).toBe("AccessDenied");
      expect(await put({ ServerSideEncryption: "AES256" })).toBe("AccessDenied");
      expect(await put({ ServerSideEncryption: "aws:kms" })).toBe("ok");
      expect(await codeOf(s3.send(new CreateMultipartUploadCommand(output)))).toBe("AccessDenied");
      const create = new CreateMultipartUploadCommand({ ...output, ServerSideEncryption: "aws:kms" });
      expect(await codeOf(s3.send(create))).toBe("ok");
    }));

  test("keys can be denied or disabled, for reading and for writing", () =>
    withEmulator(async (emulator, url) => {
      const key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
      const jobId = emulator.addJob({
        actionType: { provider: "Acme-Scan" },
        encryptionKeyId: key,
        inputs: [{ name: "In", files: { "a.txt": "a" } }],
        outputs: [{ name: "Out" }],
      });
      const data = await artifactData(url, jobId);
      const s3 = s3Client(url, { credentials: data.artifactCredentials });
      const get = () => codeOf(s3.send(new GetObjectCommand(placeOf(data.inputArtifacts[0]))));
      const SSE = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: key } as const;
      const put = () =>
        codeOf(s3.send(new PutObjectCommand({ ...placeOf(data.outputArtifacts[0]), Body: "x", ...SSE })));
      expect([await get(), await put()]).toEqual(["ok", "ok"]);
      expect((await control(url, "kms-keys", { id: "1234abcd", state: "denied" })).status).toBe(201);
      expect([await get(), await put()]).toEqual(["AccessDenied", "AccessDenied"]);
      emulator.artifacts.setKmsKey({ id: key, state: "disabled" });
      emulator.artifacts.setKmsKey({ id: "1234abcd", state: "disabled" });
      expect([await get(), await put()]).toEqual(["KMS.DisabledException", "KMS.DisabledException"]);
      expect(emulator.job(jobId)?.encryptionKeyId).toBe(key);
    }));
});

describe("a fault of S3", () => {
  const faults: readonly (readonly [Omit<FaultDocument, "operations">, string])[] = [
    [{ kind: "throttle" }, "SlowDown"],
    [{ kind: "internal-error" }, "InternalError"],
    [{ kind: "unavailable" }, "ServiceUnavailable"],
    [{ kind: "error", code: "AccessDenied", status: 403 }, "AccessDenied"],
    [{ kind: "error", code: "ExpiredToken" }, "ExpiredToken"],
    [{ kind: "reset" }, "ECONNRESET"],
    [{ kind: "lost-answer" }, "ECONNRESET"],
    [{ kind: "html" }, "Unknown"],
  ];
  test.each(faults)("%o is answered as %s, once", (fault, code) =>
    withJob(async ({ emulator, s3, input, output }) => {
      emulator.fault({ ...fault, operations: ["GetObject"], times: 1 });
      expect(await codeOf(s3.send(new PutObjectCommand({ ...output, Body: "x" })))).toBe("ok");
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe(code);
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ok");
    }),
  );

  test("cuts, corrupts or shortens the bytes on their way", () =>
    withJob(async ({ emulator, url, input }) => {
      const there = `${url}/${input.Bucket}/${input.Key}`;
      const body = async () => Buffer.from(await (await fetch(there)).arrayBuffer());
      emulator.fault({ kind: "cut-answer", bucket: input.Bucket, times: 1 });
      await expect(body()).rejects.toThrow("terminated");
      emulator.fault({ kind: "corrupt-body", times: 1 });
      const corrupt = await body();
      expect(corrupt.filter((byte, index) => byte !== content[index]).length).toBe(1);
      emulator.fault({ kind: "short-body", key: input.Key, times: 1 });
      expect(await body()).toEqual(content.subarray(0, 300_000));
      emulator.fault({ kind: "slow-body", ms: 1, times: 1 });
      expect(await body()).toEqual(content);
      expect(await body()).toEqual(content);
    }));

  test("stalls in the middle of the bytes until the reader gives up", () =>
    withJob(async ({ emulator, url, input }) => {
      emulator.fault({ kind: "stalled-body", times: 1 });
      const giveUp = new AbortController();
      const response = await fetch(`${url}/${input.Bucket}/${input.Key}`, { signal: giveUp.signal });
      let bytes = 0;
      const reading = (async () => {
        for await (const piece of response.body ?? []) {
          bytes += (piece as Uint8Array).length;
          if (bytes >= 300_000) giveUp.abort();
        }
      })();
      await expect(reading).rejects.toThrow();
      expect(bytes).toBe(300_000);
      await emulator.waitFor(() => emulator.calls()["GetObject"]?.["ok"] === 1);
    }));

  test("strikes S3 only where it is named: a fault without operations is one of the job API", () =>
    withJob(async ({ emulator, url, s3, input, jobId }) => {
      emulator.fault({ kind: "unavailable" });
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ok");
      expect((await call(url, "GetThirdPartyJobDetails", { jobId, clientToken })).status).toBe(503);
      const wrong = await control(url, "faults", { kind: "corrupt-body", operations: ["GetJobDetails"] });
      expect(wrong.json["mistakes"]).toEqual(["operations: corrupt-body is for operations of S3"]);
    }));
});

describe("a request by hand", () => {
  const request = (url: string, options: RequestOptions, pieces: readonly (Buffer | string)[] = []) =>
    new Promise<{ readonly status: number; readonly code: string }>((resolve, reject) => {
      const outgoing = sendHttp(url, options, async (response) => {
        let text = "";
        for await (const piece of response) text += piece;
        resolve({ status: response.statusCode ?? 0, code: /<Code>([^<]+)</.exec(text)?.[1] ?? "ok" });
      });
      outgoing.once("error", reject);
      for (const piece of pieces) outgoing.write(piece);
      outgoing.end();
    });

  test("that is refused before its body was read leaves its connection usable", () =>
    withJob(async ({ url, output }) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const there = `${url}/${output.Bucket}/${output.Key}`;
      const large = Array.from({ length: 30 }, () => Buffer.alloc(100_000));
      const headers = { "content-length": 3_000_000, "x-amz-server-side-encryption": "none" };
      const refused = await request(there, { method: "PUT", agent, headers }, large);
      expect(refused).toEqual({ status: 400, code: "InvalidArgument" });
      expect(await request(there, { method: "GET", agent })).toEqual({ status: 404, code: "NoSuchKey" });
      agent.destroy();
    }));

  test("whose sender goes away half way leaves nothing", () =>
    withJob(async ({ emulator, url, output }) => {
      const received = emulator.waitForEvent(
        (event) => event.type === "call-received" && event.call.operation === "PutObject",
      );
      const answered = emulator.waitForEvent(
        (event) => event.type === "call-answered" && event.call.operation === "PutObject",
      );
      const headers = { "content-length": 1_000_000 };
      const outgoing = sendHttp(`${url}/${output.Bucket}/${output.Key}`, { method: "PUT", headers });
      outgoing.on("error", () => {});
      outgoing.write(Buffer.alloc(500_000));
      await received;
      outgoing.destroy();
      expect(await answered).toMatchObject({ status: 0 });
      expect(emulator.artifacts.object(output.Bucket, output.Key)).toBeUndefined();
    }));

  const framed = { "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked" };
  const body = (crc: string) => `3\r\nabc\r\n0\r\nx-amz-checksum-crc32:${crc}\r\n\r\n`;
  const decoded = { "x-amz-decoded-content-length": 3, "x-amz-trailer": "x-amz-checksum-crc32" };
  const cases: readonly (readonly [string, Record<string, string | number>, string, string])[] = [
    ["with a right trailer is taken", { ...framed, ...decoded }, body("NSRBwg=="), "ok"],
    ["with a wrong trailer is refused", { ...framed, ...decoded }, body("AAAAAA=="), "BadDigest"],
    [
      "without the trailer it promised is refused",
      { ...framed, ...decoded },
      "3\r\nabc\r\n0\r\n\r\n",
      "MalformedTrailerError",
    ],
    [
      "of another length than it says is refused",
      { ...framed, "x-amz-decoded-content-length": 4 },
      body("NSRBwg=="),
      "IncompleteBody",
    ],
    ["that does not tell its length is refused", framed, body("NSRBwg=="), "MissingContentLength"],
    ["whose framing is broken is refused", { ...framed, ...decoded }, "9\r\nabc\r\n", "IncompleteBody"],
    [
      "in an unknown framing is refused",
      { ...framed, ...decoded, "x-amz-content-sha256": "STREAMING-X" },
      "",
      "NotImplemented",
    ],
    [
      "with two checksums is refused",
      { "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "A" },
      "",
      "InvalidRequest",
    ],
    [
      "with another body than it signed is refused",
      { "x-amz-content-sha256": "0".repeat(64) },
      "abc",
      "XAmzContentSHA256Mismatch",
    ],
    [
      "that wants a customer's own key is refused",
      { "x-amz-server-side-encryption-customer-algorithm": "AES256" },
      "",
      "NotImplemented",
    ],
    ["that would copy is refused", { "x-amz-copy-source": "/a/b" }, "", "NotImplemented"],
    ["with too much metadata is refused", { "x-amz-meta-a": "x".repeat(3_000) }, "", "MetadataTooLarge"],
  ];
  test.each(cases)("%s", (_what, headers, text, code) =>
    withEmulator(async (emulator, url) => {
      const length = { "content-length": Buffer.byteLength(text) };
      const answer = await request(`${url}/by-hand/key`, { method: "PUT", headers: { ...length, ...headers } }, [text]);
      expect(answer.code).toBe(code);
      const object = emulator.artifacts.object("by-hand", "key");
      expect(object?.bytes).toBe(code === "ok" ? 3 : undefined);
    }),
  );

  test.each([
    ["/Bad_Bucket/key", "InvalidBucketName"],
    ["/bucket/%zz", "InvalidURI"],
    [`/bucket/${"k".repeat(1_025)}`, "KeyTooLongError"],
    ["/bucket/key?uploadId=none", "NoSuchUpload"],
    ["/bucket/key?tagging", "NotImplemented"],
    ["/bucket/key<script>", "NoSuchBucket"],
  ])("for %s is refused", (path, code) =>
    withEmulator(async (_emulator, url) => {
      const { port } = new URL(url);
      expect(await request(url, { port, path })).toMatchObject({ code });
    }),
  );

  test("from a page in a browser is refused", () =>
    withEmulator(async (_emulator, url) => {
      const headers = { origin: "https://example.com", "content-length": 0 };
      expect(await request(`${url}/bucket/key`, { method: "PUT", headers })).toMatchObject({ status: 403 });
    }));
});

describe("what lies in S3", () => {
  test("can be given with the job: as text, Base64 or files, but no local file over HTTP", () =>
    withEmulator(async (emulator, url) => {
      const job = (input: object) => ({ actionType: { provider: "Acme-Scan" }, inputs: [{ name: "In", ...input }] });
      const made = await control(
        url,
        "jobs",
        job({ base64: Buffer.from("bytes").toString("base64"), bucket: "mine-own" }),
      );
      const [id = ""] = made.json["ids"] as string[];
      const [input] = emulator.job(id)?.inputs ?? [];
      expect(input?.bucket).toBe("mine-own");
      expect((await emulator.artifacts.read("mine-own", input?.key ?? "")).toString()).toBe("bytes");
      const refused = await control(url, "jobs", job({ file: "/etc/passwd" }));
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("can not be named over HTTP")]);
      const both = await control(url, "jobs", job({ text: "a", base64: "YQ==" }));
      expect(both.json["mistakes"]).toEqual(["inputs[0]: give only one of text, base64, file and files"]);
      const local = emulator.addJob(job({ file: new URL("../../package.json", import.meta.url).pathname }));
      const place = emulator.job(local)?.inputs[0];
      expect((await emulator.artifacts.read(place?.bucket ?? "", place?.key ?? "")).toString()).toContain("partnerd");
      expect(() => emulator.addJob(job({ file: "/does/not/exist" }))).toThrow("file: cannot be read");
    }));

  test("must fit the action type's count of artifacts", () =>
    withEmulator(async (emulator) => {
      const [inputs, outputs] = [
        { minimumCount: 1, maximumCount: 1 },
        { minimumCount: 0, maximumCount: 0 },
      ];
      emulator.addActionType({ provider: "Acme-One", inputs, outputs });
      const add = (more: object) => () => emulator.addJob({ actionType: { provider: "Acme-One" }, ...more });
      expect(add({})).toThrow("inputs: the action type has 1 to 1, the job 0");
      expect(add({ inputs: [{ name: "A" }], outputs: [{ name: "B" }] })).toThrow("outputs: the action type has 0 to 0");
      expect(add({ inputs: [{ name: "A" }] })).not.toThrow();
    }));

  test("has a limit, and says what to do", () =>
    withJob(
      async ({ s3, output, emulator }) => {
        const put = (bytes: number) => s3.send(new PutObjectCommand({ ...output, Body: Buffer.alloc(bytes) }));
        expect(await codeOf(put(500_000))).toBe("InsufficientStorage");
        expect(await codeOf(put(300_000))).toBe("ok");
        emulator.reset();
        expect(emulator.artifacts.buckets()).toEqual([]);
      },
      { settings: { storageMaxBytes: 1_000_000 } },
    ));

  test("is gone from the disk when the emulator is closed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "emulator-s3-"));
    vi.stubEnv("TMPDIR", folder);
    try {
      await withJob(async ({ s3, input }) => {
        expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ok");
        expect(readdirSync(folder)).toHaveLength(1);
      });
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      rmdirSync(folder);
    }
  });

  test("is told by the events and the counts of calls, with job, bucket and key", () =>
    withJob(async ({ emulator, s3, input, jobId }) => {
      const told = emulator.waitForEvent(
        (event) => event.type === "call-answered" && event.call.operation === "GetObject",
      );
      expect(await codeOf(s3.send(new GetObjectCommand(input)))).toBe("ok");
      const { Bucket: bucket, Key: key } = input;
      expect(await told).toMatchObject({ status: 200, call: { jobId, bucket, key } });
      expect(emulator.calls()).toMatchObject({ GetObject: { ok: 1 } });
    }));
});

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    async (output) => {
      // A body that nobody reads would hold its connection.
      const { Body } = output as { Body?: { transformToByteArray(): Promise<Uint8Array> } };
      await Body?.transformToByteArray();
      return "ok";
    },
    (error: S3ServiceException & { code?: string }) => error.code ?? error.name,
  );
}

async function codeOfText(answer: Promise<Response>): Promise<string> {
  return /<Code>([^<]+)</.exec(await (await answer).text())?.[1] ?? "no error";
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

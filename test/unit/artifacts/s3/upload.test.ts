// Uploads to an S3 that answers as it likes: what our own emulator is too kind to do.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { S3Transport } from "../../../../src/artifacts/s3/s3.js";
import { type PartsLeft, upload } from "../../../../src/artifacts/s3/upload.js";
import { Proxies } from "../../../../src/std/proxies.js";
import { callsBy } from "../../../support/s3-calls.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const xml = (root: string, inner: string) => `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${inner}</${root}>`;
const noSuchUpload = xml("Error", "<Code>NoSuchUpload</Code><Message>The upload does not exist.</Message>");

let folder: string;
let close: () => Promise<void>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-upload-"));
  close = async () => {};
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

/** An S3 that takes uploads in parts; what it is asked, in order, and its own answers to some of it. */
async function startS3(own: Partial<Record<"complete" | "part" | "abort", readonly (Answer | undefined)[]>>) {
  const asked: string[] = [];
  const next = { complete: 0, part: 0, abort: 0 };
  let uploads = 0;
  const server = createServer(async (request, response) => {
    // Parts that are given up are cut off in their middle.
    const isWhole = await request
      .resume()
      .toArray()
      .then(
        () => true,
        () => false,
      );
    if (!isWhole) return;
    response.setHeader("x-amz-request-id", "1");
    const { searchParams } = new URL(request.url ?? "", "http://s3");
    const kind = kindOf(request.method, searchParams);
    const id = searchParams.get("uploadId");
    asked.push(id === null ? kind : `${kind} ${id}`);
    const instead = kind === "complete" || kind === "part" || kind === "abort" ? own[kind]?.[next[kind]++] : undefined;
    if (instead) return instead(request, response);
    if (kind === "create") {
      uploads += 1;
      return response.end(xml("InitiateMultipartUploadResult", `<UploadId>u${uploads}</UploadId>`));
    }
    if (kind === "part") return response.setHeader("etag", '"part"').end();
    response.end(kind === "complete" ? xml("CompleteMultipartUploadResult", "<ETag>&quot;all&quot;</ETag>") : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const transport = new S3Transport({
    proxies: Proxies.from({}),
    connectionTimeoutMs: 5_000,
    socketTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
  });
  close = async () => {
    transport.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { asked, transport, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function kindOf(method: string | undefined, query: URLSearchParams): "create" | "part" | "complete" | "abort" | "put" {
  if (method === "POST") return query.has("uploads") ? "create" : "complete";
  if (method === "DELETE") return "abort";
  return query.has("partNumber") ? "part" : "put";
}

/** Uploads a file of four parts. */
async function uploadTo(
  { transport, endpoint }: Awaited<ReturnType<typeof startS3>>,
  onPartsLeft: PartsLeft = () => {},
): Promise<void> {
  const file = join(folder, "report.zip");
  writeFileSync(file, randomBytes(17 * 2 ** 20));
  const { signal } = new AbortController();
  const calls = callsBy(transport, endpoint);
  const location = { bucket: "b", objectKey: "k" };
  await upload({ calls, location, file, signal, cleanupMaxMs: 5_000, onPartsLeft });
}

const gone: Answer = (_, response) => response.writeHead(404, { "content-type": "application/xml" }).end(noSuchUpload);
const refused: Answer = (_, response) =>
  response
    .writeHead(403, { "content-type": "application/xml" })
    .end(xml("Error", "<Code>AccessDenied</Code><Message>no</Message>"));
const portal =
  (status: number): Answer =>
  (_, response) => {
    response.removeHeader("x-amz-request-id");
    response.writeHead(status, { etag: '"of the portal"' }).end();
  };
const lost: Answer = (request) => request.socket.destroy();

describe("an upload in parts", () => {
  it.each([200, 204, 403, 404])("is not done by a portal that answers %i in S3's place", async (status) => {
    const s3 = await startS3({ part: [portal(status)], complete: [portal(status)] });
    await uploadTo(s3);
    expect(s3.asked.filter((each) => each.startsWith("part"))).toHaveLength(5);
    expect(s3.asked.filter((each) => each.startsWith("complete"))).toHaveLength(2);
  });

  it("is made anew when the answer to its completion was lost and S3 knows it no more", async () => {
    const s3 = await startS3({ complete: [lost, gone] });
    await uploadTo(s3);
    expect(s3.asked.filter((each) => /create|complete/.test(each))).toEqual([
      "create",
      "complete u1",
      "complete u1",
      "create",
      "complete u2",
    ]);
  });

  it("is made anew once, and no more, when somebody takes it back in its middle", async () => {
    const once = await startS3({ part: [undefined, gone] });
    await uploadTo(once);
    expect(once.asked.filter((each) => each === "create")).toHaveLength(2);
    await close();
    const always = await startS3({ part: Array.from({ length: 20 }, () => gone) });
    await expect(uploadTo(always)).rejects.toMatchObject({ kind: "refused", code: "NoSuchUpload" });
    expect(always.asked.filter((each) => each === "create")).toHaveLength(2);
  });

  it("has a checksum of all its bytes, not of its parts'", async () => {
    const said: string[] = [];
    const complete: Answer = (request, response) => {
      const { headers } = request;
      said.push(`${headers["x-amz-checksum-type"]} ${headers["x-amz-checksum-crc32"]}`);
      response.end(xml("CompleteMultipartUploadResult", "<ETag>&quot;all&quot;</ETag>"));
    };
    await uploadTo(await startS3({ complete: [complete] }));
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(readFileSync(join(folder, "report.zip"))));
    expect(said).toEqual([`FULL_OBJECT ${crc.toString("base64")}`]);
  });

  it.each([
    ["until S3 knows it no more", [undefined, undefined, gone], 3, []],
    ["at most five times where S3 always confirms", [], 5, []],
    ["and told when S3 refuses it", [refused], 1, ["u1"]],
  ])("that fails is aborted %s", async (_title, abort, times, left) => {
    const s3 = await startS3({ part: Array.from({ length: 20 }, () => refused), abort });
    const told: string[] = [];
    await expect(uploadTo(s3, ({ UploadId }) => told.push(UploadId))).rejects.toMatchObject({ kind: "denied" });
    expect(s3.asked.filter((each) => each === "abort u1")).toHaveLength(times);
    expect(told).toEqual(left);
  });

  it("is completed by another try when S3 answers with 200 and an error within", async () => {
    const error = xml("Error", "<Code>InternalError</Code><Message>We encountered an internal error.</Message>");
    const s3 = await startS3({ complete: [(_, response) => response.end(`${" ".repeat(20)}${error}`)] });
    await uploadTo(s3);
    expect(s3.asked.filter((each) => each.startsWith("complete"))).toEqual(["complete u1", "complete u1"]);
  });
});

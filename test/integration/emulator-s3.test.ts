// The emulator's S3 with AWS's own client: what a job may do with the credentials it gets, and what goes wrong on demand.
// Plain object semantics, checked against another S3 as well, are in test/contract/s3.test.ts.
import { createHash } from "node:crypto";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { expect, test } from "vitest";
import { takeJob, withEmulator } from "../support/emulator-client.js";
import { artifactData, placeOf, s3Client } from "../support/s3-client.js";

test("a job reads its input and writes its output, whole or in parts, with the credentials that it gets", () =>
  withEmulator(async (emulator, url) => {
    const id = emulator.addJob({
      actionType: { provider: "Acme-Scan" },
      inputs: [{ name: "In", text: "what is in it" }],
      outputs: [{ name: "Out" }],
    });
    await takeJob(url, "ThirdParty");
    const data = await artifactData(url, id);
    const s3 = s3Client(url, { credentials: data.artifactCredentials });
    const input = await s3.send(new GetObjectCommand(placeOf(data.inputArtifacts[0])));
    expect(await input.Body?.transformToString()).toBe("what is in it");
    const place = placeOf(data.outputArtifacts[0]);
    await s3.send(new PutObjectCommand({ ...place, Body: "report", ServerSideEncryption: "aws:kms" }));
    expect(emulator.job(id)?.outputs).toMatchObject([{ uploaded: { bytes: 6, encryption: "aws:kms", byJob: id } }]);
    const body = Buffer.alloc(12_000_000, "a large report ");
    await new Upload({ client: s3, params: { ...place, Body: body } }).done();
    const stored = await emulator.artifacts.read(place.Bucket, place.Key);
    expect(createHash("sha256").update(stored).digest("hex")).toBe(createHash("sha256").update(body).digest("hex"));
    expect(emulator.artifacts.uploads()).toEqual([]);
  }));

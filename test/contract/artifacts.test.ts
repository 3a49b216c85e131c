// Artifacts end to end over more than one S3: the daemon with its own store, jobs from the emulator, objects in the
// emulator's S3 and, where Python's moto is present, in moto's. What our S3 and our store might both get wrong the same
// way, another's S3 does not.
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Emulator } from "../../src/emulator/emulator.js";
import { startEmulator } from "../../src/emulator/emulator.js";
import { zipOf } from "../../src/emulator/s3/small-zip.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { tar } from "../support/archives.js";
import { artifactsIn, otherLimits } from "../support/artifact-limits.js";
import { hasMoto, startMoto } from "../support/moto.js";
import { startRig, thirdParty } from "../support/rig.js";
import { s3Client } from "../support/s3-client.js";

const isMotoHere = hasMoto();
interface Server {
  readonly url: string;
  readonly close: () => Promise<void>;
  /** Then jobs come from this one as well, whose S3 takes no other's credentials. */
  readonly emulator?: Emulator;
}
async function emulatorAsServer(): Promise<Server> {
  const emulator = await startEmulator();
  return { url: emulator.url, close: () => emulator.close(), emulator };
}
const places = [
  { name: "the emulator", start: emulatorAsServer, isHere: true },
  { name: "moto", start: startMoto as () => Promise<Server>, isHere: isMotoHere },
];
if (!isMotoHere) process.stderr.write("skipped: artifacts over moto's S3, since python3 has no moto here\n");

const Bucket = "artifacts-of-a-customer";
const keyId = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const source = { name: "Source", bucket: Bucket, key: "pipe/Source/a1b2c3" };
const report = { name: "Report", bucket: Bucket, key: "pipe/Report/d4e5f6" };
const at = ({ bucket, key }: { bucket: string; key: string }) => ({ Bucket: bucket, Key: key });

describe.each(places)("artifacts in the S3 of $name", ({ start, isHere }) => {
  let server: Server | undefined;
  let s3: S3Client | undefined;
  const here = () => {
    if (!server || !s3) throw new Error("the server did not start");
    return { url: server.url, s3, emulator: server.emulator };
  };
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
  const run = isHere ? it : it.skip;

  /** Works one job with these artifacts; answers how it ended. */
  async function work(artifacts: object, handle: (job: HandlerJob) => Promise<unknown>, limits: object = otherLimits) {
    const { url, emulator } = here();
    await using rig = await startRig({
      ...(emulator && { sharedEmulator: emulator }),
      handle: async (job: HandlerJob) => {
        await handle(job);
        return { kind: "succeeded" };
      },
      inFolder: (folder) => ({
        artifacts: { ...artifactsIn(join(folder, "work")), ...limits, requestTimeoutMs: 20_000, endpoint: url },
      }),
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, ...artifacts });
    const { status, result } = await rig.emulator.waitForJob(id, "over");
    return { status, document: result?.document, logs: [...rig.logs] };
  }

  run("are unpacked from a zip, and packed into one that another can read, encrypted by the job's key", async () => {
    const { s3: client } = here();
    const files = { "README.md": "read me", "src/größe.txt": "klein" };
    await client.send(new PutObjectCommand({ ...at(source), Body: zipOf(files) }));
    const seen: string[] = [];
    const end = await work({ inputs: [source], outputs: [report], encryptionKeyId: keyId }, async (job) => {
      seen.push(await readFile(join(await job.input("Source"), "src/größe.txt"), "utf8"));
      const folder = join(await job.folder(), "out");
      await mkdir(folder);
      await writeFile(join(folder, "report.txt"), "all is well");
      await job.output("Report", "out");
    });
    expect(end.status).toBe("Succeeded");
    expect(seen).toEqual(["klein"]);
    const head = await client.send(new HeadObjectCommand(at(report)));
    expect(head).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: keyId });
    // What one job published is another's source.
    const again = await work({ inputs: [{ ...report, name: "Source" }] }, async (job) => {
      seen.push(await readFile(join(await job.input("Source"), "report.txt"), "utf8"));
    });
    expect(again.status).toBe("Succeeded");
    expect(seen).toEqual(["klein", "all is well"]);
  });

  run("go up in parts when they are large, and come down with every byte", async () => {
    const { s3: client } = here();
    // Does not shrink when packed: more than one part.
    const bytes = randomBytes(17 * 1_048_576);
    const sum = createHash("sha256").update(bytes).digest("hex");
    const up = await work({ outputs: [report] }, async (job) => {
      const folder = join(await job.folder(), "out");
      await mkdir(folder);
      await writeFile(join(folder, "large.bin"), bytes);
      await job.output("Report", "out");
    });
    expect(up).toMatchObject({ status: "Succeeded" });
    const head = await client.send(new HeadObjectCommand(at(report)));
    expect(head.ETag).toMatch(/-\d+"$/);
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(Uploads ?? []).toEqual([]);
    let found = "";
    const down = await work({ inputs: [{ ...report, name: "Source" }] }, async (job) => {
      found = createHash("sha256")
        .update(await readFile(join(await job.input("Source"), "large.bin")))
        .digest("hex");
    });
    expect(down.status).toBe("Succeeded");
    expect(found).toBe(sum);
  });

  run("lose the links that may not be, where that is asked, and the log says which", async () => {
    const { s3: client } = here();
    const links = [
      { name: "bin/python3", type: "2", linkTarget: "/usr/bin/python3" },
      { name: "bin/python", type: "2", linkTarget: "python3" },
      { name: "bin/activate", content: "x" },
    ];
    await client.send(new PutObjectCommand({ ...at(source), Body: tar(links) }));
    const refused = await work({ inputs: [source] }, (job) => job.input("Source"));
    expect(refused.document).toMatchObject({
      failureDetails: { type: "ConfigurationError", message: expect.stringContaining("artifacts.badLinks: skip") },
    });
    const seen: string[][] = [];
    const handle = async (job: HandlerJob) => {
      const input = await job.input("Source");
      seen.push(await readdir(join(input, "bin")));
      await symlink("/etc/hostname", join(input, "bin/host"));
      await job.output("Report", input);
    };
    const taken = await work({ inputs: [source], outputs: [report] }, handle, { badLinks: "skip" });
    expect(taken.status).toBe("Succeeded");
    expect(seen).toEqual([["activate"]]);
    const told = taken.logs.filter(({ event }) => event === "links-left-out");
    expect(told).toMatchObject([
      { level: "warn", artifact: "Source", count: 2, jobId: expect.any(String), region: "us-east-1" },
      {
        level: "warn",
        artifact: "Report",
        count: 1,
        msg: expect.stringContaining('link "bin/host" to "/etc/hostname"'),
      },
    ]);
  });

  run("are taken as they are when they are no archive", async () => {
    const { s3: client } = here();
    await client.send(new PutObjectCommand({ ...at(source), Body: "just a text" }));
    const seen: string[] = [];
    const end = await work({ inputs: [source] }, async (job) => {
      seen.push(await readFile(await job.inputFile("Source"), "utf8"));
      seen.push(await readFile(join(await job.input("Source"), "Source"), "utf8"));
    });
    expect(end.status).toBe("Succeeded");
    expect(seen).toEqual(["just a text", "just a text"]);
  });

  run("fail the job as RevisionUnavailable when they are not there, and leave nothing in the bucket", async () => {
    const { s3: client } = here();
    const missing = { ...source, key: "pipe/Source/none" };
    const output = { ...report, key: "pipe/Report/none" };
    const end = await work({ inputs: [missing], outputs: [output] }, (job) => job.input("Source"));
    expect(end.status).toBe("Failed");
    expect(end.document).toMatchObject({ failureDetails: { type: "RevisionUnavailable" } });
    await expect(client.send(new GetObjectCommand(at(output)))).rejects.toMatchObject({ name: "NoSuchKey" });
  });
});

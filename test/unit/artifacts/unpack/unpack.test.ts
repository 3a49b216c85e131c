// Unpacking in threads, from outside: what goes in, what comes out, and that nothing is left.
import { createWriteStream, existsSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ZipFile } from "yazl";
import { UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
beforeAll(() => {
  rig = new UnpackRig();
});
afterAll(() => rig.close());

async function zipOf(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(content, name);
  zip.end();
  const parts: Buffer[] = [];
  for await (const part of zip.outputStream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

describe("unpacking", () => {
  it("gives the folder that a zip holds", async () => {
    const large = Buffer.alloc(3_000_000, "large and larger");
    const { unpacked, tree } = await rig.unpack(await zipOf({ "a/b.txt": Buffer.from("small"), large }));
    expect(unpacked).toEqual({ kind: "zip", entries: 3, bytes: large.length + 5 });
    expect(tree).toEqual({ a: "/", "a/b.txt": "small", large: large.toString("latin1") });
  });

  it("gives a file that is no archive as a folder with that file", async () => {
    const { unpacked, tree } = await rig.unpack(gzipSync("no tar"), { plainName: "Report" });
    expect(unpacked).toEqual({ kind: "file", entries: 1, bytes: gzipSync("no tar").length });
    expect(tree).toEqual({ Report: gzipSync("no tar").toString("latin1") });
  });

  it("unpacks while the file still grows, and waits for its end", async () => {
    const bytes = await zipOf({ one: Buffer.from("1"), two: Buffer.alloc(2_000_000, "2") });
    const call = rig.call(Buffer.alloc(0), { size: bytes.length });
    const unpacking = rig.unpacker.begin(call);
    const stream = createWriteStream(call.file);
    for (let at = 0; at < bytes.length; at += 100_000) {
      await new Promise((resolve) => stream.write(bytes.subarray(at, at + 100_000), resolve));
      unpacking.wrote(Math.min(at + 100_000, bytes.length));
    }
    stream.end();
    await finished(stream);
    expect(existsSync(call.into)).toBe(false);
    unpacking.complete();
    expect(await unpacking.result).toEqual({ kind: "zip", entries: 2, bytes: 2_000_001 });
  });

  it("ends with the signal's reason, and leaves nothing", async () => {
    const ending = new AbortController();
    const call = rig.call(Buffer.from("PK\u0003\u0004"), { signal: ending.signal });
    const unpacking = rig.unpacker.begin(call);
    unpacking.wrote(4);
    ending.abort(new Error("the job is over"));
    await expect(unpacking.result).rejects.toThrow("the job is over");
    expect(existsSync(call.into) || existsSync(`${call.into}.unpacking`)).toBe(false);
    expect(existsSync(join(rig.folder, "raw-1"))).toBe(true);
  });

  it("refuses a zip that was cut off, as the customer's to fix", async () => {
    const bytes = await zipOf({ one: Buffer.from("1") });
    const call = rig.call(bytes.subarray(0, -30));
    await expect(rig.unpacker.unpack(call)).rejects.toMatchObject({
      type: "ConfigurationError",
      message:
        "the artifact SourceOutput cannot be unpacked: it is a zip without its end record: it was cut off; upload it again",
    });
    expect(existsSync(call.into)).toBe(false);
  });
});

// The threads themselves: how many, when they end, what happens to work that is given up, and to that of a thread that
// dies or does not end. Threads of the test's own stand in where the real one would not do what is needed.
import { existsSync, mkdirSync, openSync, statSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refusalOf } from "../../../../src/artifacts/refusal.js";
import { startUnpackWorker } from "../../../../src/artifacts/unpack/thread.js";
import { Unpacker, type Unpacking } from "../../../../src/artifacts/unpack/unpack.js";
import { zip } from "../../../support/archives.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { UnpackRig } from "../../../support/unpack-rig.js";

let rig: UnpackRig;
let clock: FakeClock;
let started: Worker[];
let unpacker: Unpacker;

function unpackerOf(start: () => Worker): Unpacker {
  const counted = () => {
    const worker = start();
    started.push(worker);
    return worker;
  };
  return new Unpacker({ clock, threadsMax: 2, threadIdleMs: 1_000, threadEndMs: 500, start: counted });
}

/** A thread that runs this code instead of ours. */
function threadOf(code: string): () => Worker {
  return () => new Worker(`const { parentPort } = require("node:worker_threads"); ${code}`, { eval: true });
}

beforeEach(() => {
  rig = new UnpackRig();
  clock = new FakeClock();
  started = [];
  unpacker = unpackerOf(startUnpackWorker);
});
afterEach(async () => {
  await Promise.all(started.map((worker) => worker.terminate()));
  await rig.close();
});

const bytes = zip([{ name: "a", content: "one" }]);
const ended = (worker: Worker | undefined) => new Promise((resolve) => worker?.once("exit", resolve));

describe("the threads", () => {
  it("are not started before there is work, and are used again", async () => {
    expect(started.length).toBe(0);
    await unpacker.unpack(rig.call(bytes));
    await unpacker.unpack(rig.call(bytes));
    await expect(unpacker.unpack(rig.call(bytes.subarray(0, 40)))).rejects.toThrow("cut off");
    await unpacker.unpack(rig.call(bytes));
    expect(started.length).toBe(1);
  });

  it("end when they were idle for long", async () => {
    await unpacker.unpack(rig.call(bytes));
    const end = ended(started[0]);
    await clock.advance(1_000);
    await end;
    await unpacker.unpack(rig.call(bytes));
    expect(started.length).toBe(2);
  });

  it("are as many as allowed, however much work there is", async () => {
    await Promise.all(Array.from({ length: 12 }, () => unpacker.unpack(rig.call(bytes))));
    expect(started.length).toBe(2);
  });

  it("are never all taken by downloads", async () => {
    const signal = new AbortController().signal;
    const slow = Array.from({ length: 5 }, () => unpacker.begin(rig.call(bytes, { signal })));
    await unpacker.unpack(rig.call(bytes));
    for (const each of slow) each.complete();
    expect(await Promise.all(slow.map((each) => each.result))).toHaveLength(5);
    expect(started.length).toBe(2);
  });

  it("end when the unpacker is closed, and their work with them", async () => {
    const call = rig.call(bytes);
    const running = unpacker.begin(call);
    const waiting = unpacker.begin(rig.call(bytes));
    const results = Promise.allSettled([running.result, waiting.result]);
    await unpacker.close();
    expect((await results).map((each) => each.status)).toEqual(["rejected", "rejected"]);
    await expect(unpacker.unpack(rig.call(bytes))).rejects.toThrow("closed");
    expect(existsSync(`${call.into}.unpacking`)).toBe(false);
  });
});

describe("work that is given up", () => {
  it("ends with the reason, and its thread takes the next", async () => {
    const unpacking = unpacker.begin(rig.call(bytes));
    unpacking.giveUp(new Error("the download failed"));
    await expect(unpacking.result).rejects.toThrow("the download failed");
    await unpacker.unpack(rig.call(bytes));
    expect(started.length).toBe(1);
  });

  it("ends while it waits for a thread", async () => {
    const [, second] = [unpacker.begin(rig.call(bytes)), unpacker.begin(rig.call(bytes))];
    second?.giveUp(new Error("not wanted"));
    await expect(second?.result).rejects.toThrow("not wanted");
    expect(started.length).toBe(1);
  });

  it("does not begin when the signal has aborted before", async () => {
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(unpacker.unpack(rig.call(bytes, { signal }))).rejects.toThrow("too late");
    expect(started.length).toBe(0);
  });

  it("after its end does no harm to the next one of its thread", async () => {
    const refused = unpacker.begin(rig.call(bytes.subarray(0, 40)));
    const next = unpacker.begin(rig.call(bytes));
    refused.complete();
    await expect(refused.result).rejects.toThrow("cut off");
    refused.giveUp(new Error("for whoever did not know"));
    await clock.advance(500);
    next.complete();
    expect(await next.result).toMatchObject({ kind: "zip", entries: 1 });
    expect(started.length).toBe(1);
  });

  it("is ended by force when its thread does not end it", async () => {
    unpacker = unpackerOf(threadOf('parentPort.on("message", () => { for (;;) {} });'));
    const call = rig.call(bytes);
    const unpacking = unpacker.begin(call);
    mkdirSync(`${call.into}.unpacking`);
    await new Promise((resolve) => started[0]?.once("online", resolve));
    unpacking.giveUp(new Error("hangs"));
    await turn();
    await clock.advance(500);
    await expect(unpacking.result).rejects.toThrow("hangs");
    expect(existsSync(`${call.into}.unpacking`)).toBe(false);
  });
});

describe("a thread that dies", () => {
  it("fails its archive as trouble of ours, and the next has another thread", async () => {
    let count = 0;
    const dying = threadOf('parentPort.on("message", () => { throw new Error("out of luck"); });');
    unpacker = unpackerOf(() => (count++ === 0 ? dying() : startUnpackWorker()));
    await expect(unpacker.unpack(rig.call(bytes))).rejects.toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("the thread that unpacked the artifact SourceOutput died: out of luck"),
    });
    await unpacker.unpack(rig.call(bytes));
    expect(started.length).toBe(2);
  });
});

describe("a thread that the system does not give", () => {
  it("fails its archive as trouble of ours, and the next is unpacked when there is one again", async () => {
    let count = 0;
    unpacker = unpackerOf(() => {
      // What `new Worker` throws where a container's pids or systemd's TasksMax are used up.
      if (count++ === 0) throw Object.assign(new Error("EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" });
      return startUnpackWorker();
    });
    await expect(unpacker.unpack(rig.call(bytes))).rejects.toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringMatching(/^the artifact SourceOutput was not unpacked: .* no further thread \(EAGAIN\)/),
    });
    await unpacker.unpack(rig.call(bytes));
    await unpacker.close();
  });
});

describe("a zip whose tail came first", () => {
  /** Writes bytes into their place in the file and says so. */
  function write(fd: number, unpacking: Unpacking, content: Buffer, from: number, to: number): void {
    writeSync(fd, content, from, to - from, from);
    if (to === content.length && from > 0) unpacking.wroteTail(from);
    else unpacking.wrote(to);
  }

  it("is unpacked while the rest arrives", async () => {
    const content = zip([
      { name: "a", content: "one" },
      { name: "b", content: Buffer.alloc(500_000, 7), method: 0 },
    ]);
    // The end of a zip is looked for in its last 64 KiB.
    const tail = 70_000;
    const call = rig.call(Buffer.alloc(0), { size: content.length });
    const fd = openSync(call.file, "r+");
    const unpacking = unpacker.begin(call);
    write(fd, unpacking, content, content.length - tail, content.length);
    write(fd, unpacking, content, 0, 5_000);
    // The first entry is there before the second has come at all.
    while (!existsSync(`${call.into}.unpacking/a`)) await turn();
    write(fd, unpacking, content, 5_000, content.length - tail);
    unpacking.wrote(content.length - tail);
    // All of it was read; but nobody has said yet that it is good.
    while (statSync(`${call.into}.unpacking/b`, { throwIfNoEntry: false })?.size !== 500_000) await turn();
    expect(existsSync(call.into)).toBe(false);
    unpacking.complete();
    expect(await unpacking.result).toEqual({ kind: "zip", entries: 2, bytes: 500_003 });
  });
});

describe("trouble of ours", () => {
  it.each([
    ["ENOSPC", "the disk of this worker is full (ENOSPC)"],
    ["EDQUOT", "the disk of this worker is full (EDQUOT)"],
    ["EMFILE", "too many open files (EMFILE)"],
    ["EIO", "this worker's file system failed (EIO)"],
  ])("is no fault of the customer's: %s", (code, says) => {
    const refusal = refusalOf(Object.assign(new Error("x"), { code }), "SourceOutput");
    expect(refusal.failure).toBe("SystemUnavailable");
    expect(refusal.message).toContain(says);
  });

  it("is told as ours when the place is taken, and leaves what was there", async () => {
    const call = rig.call(bytes);
    mkdirSync(call.into);
    await expect(unpacker.unpack(call)).rejects.toMatchObject({ type: "SystemUnavailable" });
    expect(existsSync(call.into)).toBe(true);
  });
});

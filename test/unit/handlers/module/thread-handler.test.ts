import { readFile } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { ThreadDeath } from "../../../../src/handlers/module/thread-handler.js";
import { errorRecord } from "../../../../src/std/errors.js";
import { secretMark } from "../../../../src/std/secret-forms.js";
import { type Built, build, fixture, graceMs, outcomeOf, realTime } from "../../../fixtures/handlers/build.js";
import { aCall, RecordedLog, type TestCall } from "../../../fixtures/handlers/call.js";
import { moduleHandler } from "../../../support/module-handler.js";

const path = fixture("thread/behaves.mjs");
const mebibyte = 1024 * 1024;
let built: Built | undefined;

afterEach(async () => {
  await built?.close();
  built = undefined;
});

interface Given {
  readonly isRealTime?: boolean;
  /** In real time; left out: more than any handler here takes. */
  readonly cancelGraceMs?: number;
  readonly maxMemoryBytes?: number;
}

async function given(options: Given = {}) {
  const deaths: ThreadDeath[] = [];
  const log = new RecordedLog();
  const { maxMemoryBytes = 256 * mebibyte } = options;
  built = await build(
    { ...moduleHandler(path, "thread"), maxMemoryBytes },
    {
      log: () => log,
      onThreadEnded: (_name, death) => deaths.push(death),
      ...(options.isRealTime ? realTime : {}),
      ...(options.cancelGraceMs ? { cancelGraceMs: options.cancelGraceMs } : {}),
    },
  );
  const { handler, masker, clock, abandoned } = built;
  const start = (what: string, more: Record<string, string> = {}, call?: Partial<TestCall>) => {
    const one = { ...aCall({ configuration: { Do: what, ...more } }), ...call } as TestCall;
    return { call: one, outcome: outcomeOf(handler.run(one), one) };
  };
  const thread = async () => summaryOf(await start("tells its thread").outcome);
  return { start, thread, deaths, log, masker, clock, abandoned, handler };
}

function summaryOf(outcome: unknown): unknown {
  return (outcome as { readonly summary?: string }).summary;
}

/** Lets time pass until the job has ended: a thread gives signs of life for as long as it has not begun to stand still. */
async function untilEnded<T>(outcome: Promise<T>, clock: Built["clock"]): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  outcome.then(over, over);
  while (!isOver) {
    await clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return outcome;
}

/** What the job's code printed, in order. */
function printed(call: TestCall): string[] {
  return call.log.lines
    .filter(({ event }) => event !== "output-not-uploaded")
    .map(({ message }) => message)
    .toSorted();
}

describe("a thread that dies", () => {
  it.each([
    ["exits", { Code: "0" }, "called process.exit(0)"],
    ["exits", { Code: "1" }, "called process.exit(1)"],
    ["throws in a timer", {}, "threw an uncaught error: out of cheese"],
    ["throws nothing in a timer", {}, "threw an uncaught error: undefined"],
    ["rejects where nobody listens", {}, "did not handle a rejected promise: out of wine"],
    ["rejects for no reason", {}, "did not handle a rejected promise: undefined"],
    ["throws an error that says a symbol", {}, "threw an uncaught error: Symbol(cheese)"],
    ["throws the error of another realm", {}, "threw an uncaught error: out of bread"],
    ["exits by a code that is none, and then by none", {}, "its thread ended with exit code 3"],
  ])("because a job %s (%o) takes its jobs along, says why, and is replaced", async (what, more, why) => {
    const { start, thread, deaths } = await given();
    const before = await thread();
    const sibling = start("waits for its abort");
    await sibling.call.log.has("started");
    const failure = {
      kind: "failed",
      type: "SystemUnavailable",
      message: `the handler's thread ended during the job: ${why}; run the action again`,
    };
    expect(await start(what, more).outcome).toEqual(failure);
    expect(await sibling.outcome).toEqual(failure);
    expect(await thread()).not.toBe(before);
    expect(deaths).toEqual([{ what: why, jobs: 2, restMs: 0 }]);
  });

  it.each(["loops for ever", "waits on a lock for ever"])("because a job %s is noticed and ended", async (what) => {
    const { start, thread, clock, deaths } = await given();
    const job = start(what);
    await job.call.log.has("started");
    expect(await untilEnded(job.outcome, clock)).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("did not respond for 15 s"),
    });
    expect(await thread()).toMatch(/^thread /);
    expect(deaths).toHaveLength(1);
  });

  it("because a job keeps too many objects says so", async () => {
    const { start, thread } = await given({ maxMemoryBytes: 48 * mebibyte });
    expect(await start("keeps objects").outcome).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("needed more memory than its maxMemory of 48 MiB"),
    });
    expect(await thread()).toMatch(/^thread /);
  });

  it("because a loop keeps too many buffers says so", async () => {
    const { start } = await given({ maxMemoryBytes: 64 * mebibyte, isRealTime: true });
    expect(await start("keeps buffers in a loop").outcome).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("needed more memory than its maxMemory of 64 MiB"),
    });
  });

  it("because an endless chain of promises needs too much memory says so, and only the thread ends", async () => {
    const { start, thread } = await given({ isRealTime: true });
    expect(await start("keeps promises").outcome).toMatchObject({
      type: "SystemUnavailable",
      message: expect.stringContaining("needed more memory than its maxMemory of 256 MiB"),
    });
    expect(await thread()).toMatch(/^thread /);
  });

  it("again and again is started again after ever longer rests", async () => {
    const { start, thread, clock, deaths } = await given();
    const rests = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    for (const restMs of [0, ...rests.slice(0, -1)]) {
      const job = start("exits", { Code: "1" });
      await clock.advance(restMs);
      await job.outcome;
    }
    expect(deaths.map((each) => each.restMs)).toEqual(rests);
    // A thread that has ended a job is in health again.
    const one = thread();
    await clock.advance(30_000);
    await one;
    await start("exits", { Code: "1" }).outcome;
    expect(deaths.at(-1)).toMatchObject({ restMs: 0 });
  });

  it("lets a job that may run twice run once more in the next thread, and no third time", async () => {
    const { start } = await given();
    const twice = start("waits for the drain", {}, { mayRerun: true });
    const once = start("waits for the drain");
    await twice.call.log.has("started");
    await once.call.log.has("started");
    expect(await start("exits", { Code: "1" }, { mayRerun: true }).outcome).toMatchObject({ kind: "failed" });
    expect(await once.outcome).toMatchObject({ type: "SystemUnavailable" });
    await twice.call.log.logged("handler-rerun");
    expect(await twice.outcome).toMatchObject({ type: "SystemUnavailable" });
  });

  it("starts anew for a job that waits out the rest, and not for one that is aborted in it", async () => {
    const { start, clock } = await given();
    await start("exits", { Code: "1" }).outcome;
    await start("exits", { Code: "1" }).outcome;
    const aborted = start("tells its thread");
    const waits = start("tells its thread");
    aborted.call.abort(new Error("too late"));
    expect(await aborted.outcome).toMatchObject({ message: "the handler failed: too late" });
    await clock.advance(1_000);
    expect(await waits.outcome).toMatchObject({ kind: "succeeded" });
  });
});

describe("a job that ignores its abort", () => {
  it("fails alone: its thread takes no more jobs, lets the others end, and ends", async () => {
    const { start, thread, clock, abandoned, deaths } = await given();
    const before = await thread();
    const [bad, sibling] = [start("ignores its abort"), start("waits for the drain")];
    await bad.call.log.has("started");
    await sibling.call.log.has("started");
    bad.call.abort(new Error("the deadline passed"));
    await clock.advance(graceMs);
    expect(await bad.outcome).toMatchObject({ kind: "failed", message: expect.stringContaining("did not stop") });
    expect(abandoned).toEqual([bad.call]);
    expect(await thread()).not.toBe(before);
    sibling.call.drain();
    expect(await sibling.outcome).toEqual({ kind: "succeeded", summary: before });
    expect(deaths).toEqual([]);
  });
});

describe("processes that a handler started", () => {
  it.each(["its thread's death", "the handler's end"])("end with %s", async (end) => {
    // The job hears of no close, so that only the killing can have ended them.
    const { start, handler, log } = await given({ isRealTime: true, cancelGraceMs: 100 });
    const { call, outcome } = start("starts processes and exits");
    const { fields } = await call.log.has("started");
    const pids = fields["pids"] as number[];
    if (end === "its thread's death") call.drain();
    else await handler.close();
    await outcome;
    if (end === "its thread's death")
      expect((await log.logged("handler-processes-killed")).fields).toEqual({ count: 2 });
    for (const pid of pids) await gone(pid);
  });
});

/** Resolves when there is no such process, or only what its parent has not looked at yet. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    if (status === "" || status.includes(") Z ")) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the daemon's process", () => {
  it("gets no signal from a handler", async () => {
    const { start } = await given();
    expect(await start("kills the process").outcome).toMatchObject({
      message: expect.stringContaining("cannot send a signal to partnerd's own process"),
    });
  });

  it("keeps its descriptors", async () => {
    const { start } = await given();
    expect(summaryOf(await start("closes descriptors").outcome)).toBe("none");
  });

  it("does not keep a handler from files of its own", async () => {
    const { start } = await given();
    expect(summaryOf(await start("uses files of its own").outcome)).toBe("xbcde");
  });
});

describe("what a handler prints", () => {
  it("becomes masked lines of its job, however it is printed", async () => {
    const { start, masker, log } = await given();
    const secret = "s3cret-of-the-customer";
    masker.keep([secret]);
    const { call, outcome } = start("prints", { Secret: secret });
    await outcome;
    const ways = [
      ...["by console.log", "by console.error", "by stdout", "by stderr", "Warning: by a warning", "by writeSync"],
      ...["by writeSync of a buffer", "by writevSync", "by write", "by writev", "by _rawDebug", "by execSync"],
      ...["by execSync's stderr", "by execFileSync", "by spawnSync", "by spawn"],
    ];
    expect(printed(call)).toEqual([...ways.map((way) => `${way} ${secretMark}`), "and a second line"].toSorted());
    expect(log.lines).toEqual([]);
  });

  it("to a file that is the daemon's own output becomes masked lines too", async () => {
    const { start, masker, log } = await given();
    const secret = "s3cret-of-the-customer";
    masker.keep([secret]);
    const { call, outcome } = start("prints to files", { Secret: secret });
    expect(await outcome).toEqual({ kind: "succeeded" });
    const ways = [
      ...["writeFileSync", "writeFileSync of a name", "writeFileSync of a buffer", "appendFileSync"],
      ...["appendFileSync of a name", "writeFile", "appendFile", "promises.writeFile", "promises.appendFile"],
      ...["promises.writeFile of parts", "createWriteStream of a link", "openSync"],
      ...["handle.write", "handle.writeFile", "handle.createWriteStream"],
    ];
    expect(printed(call)).toEqual(ways.map((way) => `by ${way} ${secretMark}`).toSorted());
    expect(log.lines).toEqual([]);
  });

  it("in a thread of its own comes through the handler's output too", async () => {
    const { start, masker, log } = await given();
    const secret = "s3cret-of-the-customer";
    masker.keep([secret]);
    const { call, outcome } = start("prints in a thread of its own", { Secret: secret });
    await outcome;
    const lines = [...printed(call), ...log.messages].toSorted();
    expect(lines).toEqual([`by console.log ${secretMark}`, `by writeSync ${secretMark}`]);
  });

  it.each(["prints for ever", "logs for ever"])("is bounded when it %s", async (what) => {
    const { start, clock } = await given();
    const { call, outcome } = start(what);
    await (what.startsWith("prints") ? call.log.logged("handler-output-truncated") : call.log.has("again"));
    expect(await untilEnded(outcome, clock)).toMatchObject({ type: "SystemUnavailable" });
    // One of them says that there were more.
    expect(call.log.lines.length).toBeLessThanOrEqual(110_001);
  });

  it("after its job has ended is not shown: its secrets could not be masked any more", async () => {
    const { start, log } = await given();
    const { call, outcome } = start("prints after its end", { Secret: "no-longer-masked" });
    await outcome;
    await start("forgets an upload").outcome;
    expect([...printed(call), ...log.messages]).toEqual([]);
  });

  it("is logged up to a limit, fields counted, and the log says that there was more", async () => {
    const { start } = await given();
    const { call, outcome } = start("logs more than anybody reads");
    expect(await outcome).toEqual({ kind: "succeeded" });
    const messages = call.log.lines.map(({ message }) => message);
    expect(messages.filter((message) => message === "much").length).toBeLessThan(15);
    expect(messages.filter((message) => message.includes("logged too much"))).toHaveLength(1);
  });

  it("is logged as well as it can be", async () => {
    const { start } = await given();
    const { call, outcome } = start("logs what is hard to log");
    await outcome;
    expect(call.log.lines).toMatchObject([
      {
        message: "hard",
        fields: {
          circle: "[cannot be shown]",
          big: "10",
          error: expect.objectContaining({ name: "TypeError", message: "inner" }),
          when: "1970-01-01T00:00:00.000Z",
        },
      },
      { level: "warn", message: "an object" },
      { level: "warn", message: expect.stringContaining("without uploading") },
    ]);
  });
});

it("an error that a job throws is logged with its stack and its causes", async () => {
  const { start } = await given();
  const { call, outcome } = start("throws an error with a cause", { Secret: "10.0.0.1:5432" });
  expect(await outcome).toEqual({ kind: "failed", type: "JobFailed", message: "the handler failed: fetch failed" });
  const { fields } = await call.log.logged("handler-threw");
  expect(errorRecord(fields["err"])).toMatchObject({
    message: "fetch failed",
    stack: expect.stringContaining("behaves.mjs"),
    cause: { message: "connect ECONNREFUSED 10.0.0.1:5432", code: "ECONNREFUSED" },
  });
});

describe("what a handler asks for", () => {
  it("may fail without anybody listening", async () => {
    const { start, thread, deaths } = await given();
    const before = await thread();
    expect(await start("forgets an upload").outcome).toEqual({ kind: "succeeded" });
    expect(await thread()).toBe(before);
    expect(deaths).toEqual([]);
  });

  it("is bounded", async () => {
    const { start } = await given();
    expect(summaryOf(await start("asks for ever").outcome)).toContain("1000 calls of the handler wait");
  });
});

it("ends its thread, and whatever runs in it, when it is closed", async () => {
  const { start, handler, deaths } = await given({ isRealTime: true });
  const { call, outcome } = start("waits for its abort");
  await call.log.has("started");
  await handler.close();
  expect(await outcome).toMatchObject({ message: expect.stringContaining("the handler was closed") });
  expect(deaths).toEqual([]);
  await expect(handler.run(aCall())).rejects.toMatchObject({ name: "HandlerClosed" });
});

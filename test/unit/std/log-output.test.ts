// LogOutput: lines in order, none lost without a word, never an exception, whatever the descriptor does.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LogOutput, type LostLines } from "../../../src/std/log-output.js";
import { type LogLevel, logLevels } from "../../../src/std/log-queue.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A pipe of which a test decides how much it takes; `fail` is thrown instead while it is set. */
class Pipe {
  room = Number.POSITIVE_INFINITY;
  fail: string | undefined;
  text = "";
  readonly lost: LostLines[] = [];

  output(maxWaitingBytes = 1_000): LogOutput {
    const output = new LogOutput({
      maxWaitingBytes,
      retryMs: 20,
      isColored: false,
      write: (bytes) => {
        if (this.fail !== undefined) throw Object.assign(new Error(this.fail), { code: this.fail });
        if (this.room === 0) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
        const taken = Math.min(this.room, bytes.length);
        this.room -= taken;
        this.text += Buffer.from(bytes.subarray(0, taken)).toString("latin1");
        return taken;
      },
    });
    output.onLost((lost) => {
      this.lost.push(lost);
      output.write(`lost ${lost.lines}\n`, "error");
    });
    return output;
  }
}

const slow = "the reader of the log did not keep up";

describe("LogOutput", () => {
  it("writes a line before it returns, so that a crash loses none", () => {
    const pipe = new Pipe();
    pipe.output().write("one\n");
    expect(pipe.text).toBe("one\n");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps lines for a reader that is slow, in order and whole", () => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.room = 6;
    for (const line of ["one\n", "two\n", "three\n"]) output.write(line);
    expect(pipe.text).toBe("one\ntw");
    pipe.room = 3;
    vi.advanceTimersByTime(20);
    expect(pipe.text).toBe("one\ntwo\nt");
    output.write("four\n");
    pipe.room = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(20);
    output.write("five\n");
    expect(pipe.text).toBe("one\ntwo\nthree\nfour\nfive\n");
    expect(pipe.lost).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("never spoils a line that is half written, and reports what found no room without waiting for another line", () => {
    const pipe = new Pipe();
    const output = pipe.output(10);
    pipe.room = 2;
    output.write("half a long line\n");
    for (const line of ["1234\n", "5678\n", "9abc\n", "def0\n"]) output.write(line);
    vi.advanceTimersByTime(100);
    expect(pipe.lost).toEqual([]);
    pipe.room = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(20);
    expect(pipe.text).toBe("half a long line\n9abc\ndef0\nlost 2\n");
    expect(pipe.lost).toEqual([{ lines: 2, why: slow }]);
  });

  it("drops the least important lines first, of those the oldest", () => {
    const pipe = new Pipe();
    pipe.room = 0;
    const output = pipe.output(20);
    const says: [string, LogLevel][] = [
      ["err1\n", "error"],
      ["inf1\n", "info"],
      ["wrn1\n", "warn"],
      ["dbg1\n", "debug"],
      ["inf2\n", "info"],
      ["inf3\n", "info"],
      ["err2\n", "error"],
      ["wrn2\n", "warn"],
      ["dbg2\n", "debug"],
      ["err3\n", "error"],
    ];
    for (const [line, level] of says) output.write(line, level);
    pipe.room = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(20);
    expect(pipe.text).toBe("err1\nerr2\nwrn2\nerr3\nlost 6\n");
    expect(pipe.lost).toEqual([{ lines: 6, why: slow }]);
  });

  it("reports after a minute when the reader is back and never catches up", () => {
    const pipe = new Pipe();
    pipe.room = 0;
    const output = pipe.output(70_000);
    const say = () => output.write(`${"x".repeat(99)}\n`);
    for (let n = 0; n < 1_500; n++) say();
    for (let seconds = 0; seconds < 62; seconds++) {
      pipe.room = 70_000;
      vi.advanceTimersByTime(1_000);
      for (let n = 0; n < 700; n++) say();
    }
    expect(pipe.lost).toHaveLength(1);
  });

  it.each([["EPIPE"], ["ENOSPC"], ["EIO"]])("survives %s and says afterwards what was lost", (code) => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.fail = code;
    output.write("one\n");
    output.write("two\n");
    expect(pipe.lost).toEqual([]);
    pipe.fail = undefined;
    output.write("three\n");
    expect(pipe.text).toBe("three\nlost 2\n");
    expect(pipe.lost).toEqual([{ lines: 2, why: `the log could not be written (${code})` }]);
  });

  it("begins a new line after one that was cut off by a full disk", () => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.room = 2;
    output.write("one\n");
    output.write("two\n");
    pipe.fail = "ENOSPC";
    vi.advanceTimersByTime(20);
    pipe.fail = undefined;
    pipe.room = Number.POSITIVE_INFINITY;
    output.write("three\n");
    expect(pipe.text).toBe("on\nthree\nlost 2\n");
  });

  it("does not count a line as lost of which only the newline could not be written", () => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.room = 13;
    output.write("first\n");
    output.write("second\n");
    output.write("third\n");
    pipe.room = 5;
    vi.advanceTimersByTime(20);
    pipe.fail = "ENOSPC";
    vi.advanceTimersByTime(20);
    pipe.fail = undefined;
    pipe.room = Number.POSITIVE_INFINITY;
    output.write("last\n");
    expect(pipe.text).toBe("first\nsecond\nthird\nlast\n");
    expect(pipe.lost).toEqual([]);
  });

  it("loses no line without counting it, doubles none and keeps the order, whatever the reader does", () => {
    const step = fc.oneof(
      fc.record({ say: fc.constantFrom(...logLevels), length: fc.integer({ min: 8, max: 60 }) }),
      fc.record({ room: fc.integer({ min: 0, max: 200 }) }),
      fc.record({ fail: fc.constantFrom("ENOSPC", undefined) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pipe = new Pipe();
        const output = pipe.output(200);
        let said = 0;
        for (const each of steps) {
          if ("say" in each) output.write(`<${String(said++).padStart(each.length, "0")}>\n`, each.say);
          else if ("room" in each) pipe.room = each.room;
          else pipe.fail = each.fail;
          vi.advanceTimersByTime(20);
        }
        pipe.fail = undefined;
        pipe.room = Number.POSITIVE_INFINITY;
        vi.advanceTimersByTime(100);
        output.write("<last>\n", "error");
        const numbers = [...pipe.text.matchAll(/^<(\d+)>$/gm)].map(([, n]) => Number(n));
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        // A report that was lost itself counts for what it reported.
        const reported = [...pipe.text.matchAll(/^lost (\d+)$/gm)].map(([, lines]) => Number(lines));
        expect(numbers.length + reported.reduce((sum, lines) => sum + lines, 0)).toBe(said);
        expect(pipe.text).toContain("\n<last>\n".slice(pipe.text.startsWith("<last>") ? 1 : 0));
      }),
    );
  });
});

describe("the end of the process", () => {
  beforeEach(() => {
    vi.useRealTimers();
  });

  it("writes what still waits, and gives up after its limit", () => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.room = 0;
    output.write("one\n");
    output.flush({ maxMs: 1, stalledMs: 1 });
    expect(pipe.text).toBe("");
    pipe.room = 100;
    output.flush({ maxMs: 1, stalledMs: 1 });
    expect(pipe.text).toBe("one\n");
  });

  it("looks at its limit however much the reader takes", () => {
    let taken = 0;
    let isFull = true;
    let tookMs = 10;
    // By no clock of this process, which the file that comes next may stop.
    const nap = new Int32Array(new SharedArrayBuffer(4));
    const output = new LogOutput({
      maxWaitingBytes: 16 * 1024 * 1024,
      retryMs: 20,
      isColored: false,
      write: (bytes) => {
        if (isFull) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
        Atomics.wait(nap, 0, 0, tookMs);
        taken += bytes.length;
        return bytes.length;
      },
    });
    for (let n = 0; n < 50_000; n++) output.write(`${"x".repeat(199)}\n`);
    isFull = false;
    const startedMs = performance.now();
    output.flush({ maxMs: 50, stalledMs: 50 });
    expect(taken).toBeGreaterThan(0);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    // Nothing is left to write for the tests that follow.
    tookMs = 0;
    output.flush({ maxMs: 5_000, stalledMs: 5_000 });
    expect(taken).toBe(50_000 * 200);
  });

  it("takes time in proportion to what waits", () => {
    let isFull = true;
    let taken = 0;
    const output = new LogOutput({
      maxWaitingBytes: 16 * 1024 * 1024,
      retryMs: 20,
      isColored: false,
      write: (bytes) => {
        if (isFull) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
        taken += bytes.length;
        return bytes.length;
      },
    });
    const lines = 250_000;
    for (let n = 0; n < lines; n++) output.write(`${"x".repeat(63)}\n`);
    isFull = false;
    // Took 15 s when each line moved all others.
    output.flush({ maxMs: 5_000, stalledMs: 5_000 });
    expect(taken).toBe(lines * 64);
  });
});

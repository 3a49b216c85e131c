// LogOutput: lines in order, none lost without a word, never an exception, whatever the descriptor does.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LogOutput } from "../../../src/std/log-output.js";

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

  output(maxWaitingBytes = 1_000): LogOutput {
    return new LogOutput({
      fd: 1,
      maxWaitingBytes,
      retryMs: 20,
      isColored: false,
      writeSync: (_, bytes) => {
        if (this.fail !== undefined) throw Object.assign(new Error(this.fail), { code: this.fail });
        if (this.room === 0) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
        const taken = Math.min(this.room, bytes.length);
        this.room -= taken;
        this.text += Buffer.from(bytes.subarray(0, taken)).toString("latin1");
        return taken;
      },
    });
  }
}

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
    expect(output.takeLost()).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts the lines that find no room, never spoils one, and tells of them when lines flow again", () => {
    const pipe = new Pipe();
    const output = pipe.output(10);
    pipe.room = 2;
    output.write("half a long line\n");
    output.write("1234\n");
    output.write("5678\n");
    expect(output.takeLost()).toBeUndefined();
    pipe.room = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(20);
    expect(pipe.text).toBe("half a long line\n");
    expect(output.takeLost()).toEqual({ lines: 2, why: "its reader does not keep up" });
    expect(output.takeLost()).toBeUndefined();
  });

  it.each([["EPIPE"], ["ENOSPC"], ["EIO"]])("survives %s and says afterwards what was lost", (code) => {
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.fail = code;
    output.write("one\n");
    output.write("two\n");
    pipe.fail = undefined;
    output.write("three\n");
    expect(pipe.text).toBe("three\n");
    expect(output.takeLost()).toEqual({ lines: 2, why: `it could not be written (${code})` });
  });

  it("writes at the end of the process what still waits, and gives up after its limit", () => {
    vi.useRealTimers();
    const pipe = new Pipe();
    const output = pipe.output();
    pipe.room = 0;
    output.write("one\n");
    output.flush(1);
    expect(pipe.text).toBe("");
    pipe.room = 100;
    output.flush(1);
    expect(pipe.text).toBe("one\n");
  });
});

// The queue in front of the ledger's thread, with a thread that the test plays.
import { describe, expect, it } from "vitest";
import { type LedgerCommit, LedgerError, type LedgerHealth } from "../../../../src/ledger/ledger.js";
import type { SqliteContents } from "../../../../src/ledger/sqlite/sqlite-file.js";
import type { Write } from "../../../../src/ledger/sqlite/sqlite-rows.js";
import { type Rewrite, SqliteWriter, type WritingThread } from "../../../../src/ledger/sqlite/writer.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";

interface Asked {
  readonly what: "open" | "commit" | "reopen" | "close";
  readonly ids: readonly number[];
  readonly answer: () => void;
  readonly fail: (message: string) => void;
}

/** A thread that answers when the test says so, and refuses to be asked two things at once. */
class PlayedThread implements WritingThread {
  readonly asked: Asked[] = [];
  readonly log: string[] = [];
  abandoned = 0;
  die: (fault: LedgerError) => void = () => {};

  open = () => this.#ask("open", []) as Promise<never> as Promise<SqliteContents>;
  commit = (writes: readonly Write[]) => this.#ask("commit", writes);
  reopen = (writes: readonly Write[]) => this.#ask("reopen", writes);
  close = () => this.#ask("close", []);
  abandon = () => {
    this.abandoned += 1;
  };

  /** Answers the one thing that is asked. */
  get now(): Asked {
    const [asked] = this.asked;
    if (!asked) throw new Error("nothing is asked of the thread");
    return asked;
  }

  #ask(what: Asked["what"], writes: readonly Write[]): Promise<void> {
    if (this.asked.length > 0) throw new Error(`${what} while ${this.now.what} is not answered`);
    const ids = writes.map((write) => (write.type === "put" ? write.row[0] : write.id));
    this.log.push(ids.length > 0 ? `${what} ${ids.join(",")}` : what);
    return new Promise((resolve, reject) => {
      const over = () => this.asked.shift();
      const answer = () => {
        over();
        resolve();
      };
      const fail = (message: string) => {
        over();
        reject(new LedgerError("unwritable", message));
      };
      this.asked.push({ what, ids, answer, fail });
    });
  }
}

interface SetUp {
  readonly commitSpacingMs?: number;
  readonly rewrite?: () => Rewrite;
  readonly onHealth?: () => void;
  readonly onCommit?: (commit: LedgerCommit) => void;
}

function setUp(options: SetUp = {}) {
  const clock = new FakeClock();
  const thread = new PlayedThread();
  const health: LedgerHealth[] = [];
  const results: string[] = [];
  const writer = new SqliteWriter({
    path: "/var/lib/ledger.db",
    clock,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 5_000,
    rewrite: () => ({ writes: [{ type: "drop", id: 99 }], onDone: () => results.push("rewritten") }),
    thread: (onDeath) => {
      thread.die = onDeath;
      return thread;
    },
    ...options,
    onHealth: (now) => {
      health.push(now);
      options.onHealth?.();
    },
  });
  const write = (id: number) =>
    writer.write({
      write: { type: "drop", id },
      onDone: () => results.push(`${id} done`),
      onFault: (fault) => results.push(`${id} fault: ${fault.message}`),
    });
  /** Takes what was seen so far. */
  const seen = () => results.splice(0);
  return { clock, thread, health, writer, write, seen };
}

describe("the queue of writes", () => {
  it("puts into one transaction whatever one turn of the event loop brings", async () => {
    const { thread, write, seen } = setUp();
    for (const id of [1, 2, 3]) write(id);
    await settle();
    expect(thread.log).toEqual(["commit 1,2,3"]);
    expect(seen()).toEqual([]);
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["1 done", "2 done", "3 done"]);
  });

  it("tells of each transaction once, how it ended and how long it took", async () => {
    const commits: LedgerCommit[] = [];
    const { clock, thread, write } = setUp({ onCommit: (commit) => commits.push(commit) });
    for (const id of [1, 2]) write(id);
    await settle();
    await clock.advance(7);
    thread.now.answer();
    await settle();
    write(3);
    await settle();
    await clock.advance(9);
    thread.now.fail("disk full");
    await settle();
    expect(commits).toEqual([
      { isDurable: true, durationMs: 7 },
      { isDurable: false, durationMs: 9 },
    ]);
  });

  it("collects the next transaction while one is under way", async () => {
    const { thread, write, seen } = setUp();
    write(1);
    await settle();
    write(2);
    await settle();
    write(3);
    expect(thread.log).toEqual(["commit 1"]);
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["1 done"]);
    expect(thread.log).toEqual(["commit 1", "commit 2,3"]);
  });

  it("writes at most a thousand changes at once", async () => {
    const { thread, write } = setUp();
    for (let id = 0; id < 1_001; id++) write(id);
    await settle();
    expect(thread.now.ids).toHaveLength(1_000);
    thread.now.answer();
    await settle();
    expect(thread.now.ids).toEqual([1_000]);
  });

  it("lets a lone write go at once, and keeps the next at its distance", async () => {
    const { clock, thread, write } = setUp({ commitSpacingMs: 5 });
    write(1);
    await settle();
    expect(thread.log).toEqual(["commit 1"]);
    thread.now.answer();
    write(2);
    await clock.advance(4);
    write(3);
    await settle();
    expect(thread.log).toEqual(["commit 1"]);
    await clock.advance(1);
    expect(thread.log).toEqual(["commit 1", "commit 2,3"]);
  });

  it("leaves no timer behind", async () => {
    const { clock, thread, write } = setUp({ commitSpacingMs: 5 });
    write(1);
    await settle();
    thread.now.answer();
    await settle();
    expect(clock.pending).toBe(0);
  });
});

describe("a transaction that fails", () => {
  it("fails its own writes only; what waits is written after everything was written anew", async () => {
    const { thread, write, seen, health } = setUp();
    write(1);
    await settle();
    write(2);
    thread.now.fail("disk full");
    await settle();
    expect(seen()).toEqual(["1 fault: disk full"]);
    expect(thread.log).toEqual(["commit 1", "reopen 99"]);
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["rewritten"]);
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["2 done"]);
    expect(thread.log.at(-1)).toBe("commit 2");
    expect(health.map(({ writable }) => writable)).toEqual([false, true]);
  });

  it("asks for what must be written anew only after it has told of the fault", async () => {
    const order: string[] = [];
    const { thread, writer } = setUp({
      rewrite: () => {
        order.push("rewrite");
        return { writes: [], onDone: () => {} };
      },
    });
    writer.write({ write: { type: "drop", id: 1 }, onDone: () => {}, onFault: () => order.push("fault") });
    await settle();
    thread.now.fail("disk full");
    await settle();
    expect(order).toEqual(["fault", "rewrite"]);
  });

  it("makes the ledger unwritable with the reason and the time, until it is fixed", async () => {
    const { clock, thread, write, writer, health } = setUp();
    const sinceMs = clock.now();
    write(1);
    await settle();
    thread.now.fail("disk full");
    await settle();
    expect(writer.health).toEqual({ writable: false, reason: "disk full", sinceMs });
    thread.now.fail("disk gone");
    await clock.advance(5_000);
    expect(writer.health).toEqual({ writable: false, reason: "disk gone", sinceMs });
    thread.now.answer();
    await settle();
    expect(writer.health).toEqual({ writable: true });
    expect(health).toEqual([{ writable: false, reason: "disk full", sinceMs }, { writable: true }]);
  });

  it("fails what waited when reopening fails, and what comes before the next attempt at once", async () => {
    const { clock, thread, write, seen } = setUp();
    write(1);
    await settle();
    write(2);
    thread.now.fail("disk full");
    await settle();
    write(3);
    thread.now.fail("still full");
    await settle();
    expect(seen()).toEqual(["1 fault: disk full", "2 fault: still full", "3 fault: still full"]);
    write(4);
    expect(seen()).toEqual(["4 fault: still full"]);
    await clock.advance(4_999);
    expect(thread.asked).toEqual([]);
    await clock.advance(1);
    expect(thread.log).toEqual(["commit 1", "reopen 99", "reopen 99"]);
    write(5);
    thread.now.answer();
    await settle();
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["rewritten", "5 done"]);
  });

  it("keeps reopening for as long as it takes, at its interval", async () => {
    const { clock, thread, write, writer } = setUp();
    write(1);
    await settle();
    thread.now.fail("disk full");
    await settle();
    for (let attempt = 0; attempt < 50; attempt++) {
      expect(thread.now.what).toBe("reopen");
      thread.now.fail("disk full");
      await clock.advance(5_000);
    }
    thread.now.answer();
    await settle();
    expect(writer.health.writable).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("survives a listener that throws", async () => {
    const { thread, write, writer, seen } = setUp({
      onHealth: () => {
        throw new Error("listener");
      },
    });
    write(1);
    await settle();
    thread.now.fail("disk full");
    await settle();
    thread.now.answer();
    await settle();
    expect(writer.health.writable).toBe(true);
    expect(seen()).toEqual(["1 fault: disk full", "rewritten"]);
  });
});

describe("a disk that does not answer", () => {
  it("fails what it was asked after the limit, and asks nothing more before the late answer", async () => {
    const { clock, thread, write, writer, seen } = setUp();
    write(1);
    await settle();
    write(2);
    await clock.advance(30_000);
    const reason = "the disk of the ledger /var/lib/ledger.db has not answered for 30000 ms";
    expect(seen()).toEqual([`1 fault: ${reason}`, `2 fault: ${reason}`]);
    expect(writer.health).toMatchObject({ writable: false, reason });
    await clock.advance(60_000);
    expect(thread.log).toEqual(["commit 1"]);
    write(3);
    expect(seen()).toEqual([`3 fault: ${reason}`]);
  });

  it.each(["answer", "fail"] as const)("is fixed as soon as the late %s is there", async (how) => {
    const { clock, thread, write, writer, seen } = setUp();
    write(1);
    await clock.advance(31_000);
    seen();
    thread.now[how]("late");
    await settle();
    expect(thread.log).toEqual(["commit 1", "reopen 99"]);
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["rewritten"]);
    expect(writer.health.writable).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("does not keep a close waiting for ever", async () => {
    const { clock, thread, write, writer } = setUp();
    write(1);
    await clock.advance(31_000);
    await writer.close();
    expect(thread.abandoned).toBe(1);
    thread.now.answer();
    await settle();
    expect(thread.log).toEqual(["commit 1"]);
    expect(clock.pending).toBe(0);
  });

  it("lets a start fail in time", async () => {
    const { clock, thread, writer } = setUp();
    const opening = expect(writer.open()).rejects.toMatchObject({ code: "unwritable" });
    await clock.advance(30_000);
    await opening;
    expect(thread.abandoned).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe("a thread that dies", () => {
  it("while idle is replaced at once", async () => {
    const { thread, writer, health, seen } = setUp();
    thread.die(new LedgerError("unwritable", "the thread died"));
    await settle();
    expect(writer.health).toMatchObject({ writable: false, reason: "the thread died" });
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["rewritten"]);
    expect(health).toHaveLength(2);
  });

  it("after a start that failed does not take the file behind everybody's back", async () => {
    const { thread, writer, health } = setUp();
    const opening = expect(writer.open()).rejects.toThrow("in use");
    thread.now.fail("in use");
    await settle();
    thread.die(new LedgerError("unwritable", "the thread died"));
    thread.now.answer();
    await opening;
    await settle();
    expect(thread.log).toEqual(["open", "close"]);
    expect(health).toEqual([]);
  });

  it("after the close is nobody's concern", async () => {
    const { thread, writer, health } = setUp();
    const closing = writer.close();
    await settle();
    thread.now.answer();
    await closing;
    thread.die(new LedgerError("unwritable", "the thread died"));
    await settle();
    expect(thread.log).toEqual(["close"]);
    expect(health).toEqual([]);
  });
});

describe("closing", () => {
  it("writes what waits, does not keep its distance for it, and then closes the file", async () => {
    const { thread, write, writer, seen } = setUp({ commitSpacingMs: 60_000 });
    write(1);
    await settle();
    write(2);
    const closing = writer.close();
    thread.now.answer();
    await settle();
    thread.now.answer();
    await settle();
    expect(seen()).toEqual(["1 done", "2 done"]);
    thread.now.answer();
    await closing;
    expect(thread.log).toEqual(["commit 1", "commit 2", "close"]);
  });

  it("takes no more writes", async () => {
    const { thread, write, writer, seen } = setUp();
    const closing = writer.close();
    write(1);
    expect(seen()).toEqual(["1 fault: the ledger is closed"]);
    await settle();
    thread.now.answer();
    await closing;
  });

  it("tries once more to fix what is broken, and leaves no timer behind", async () => {
    const { clock, thread, write, writer, seen } = setUp();
    write(1);
    await settle();
    thread.now.fail("disk full");
    await settle();
    thread.now.fail("disk full");
    await settle();
    const closing = writer.close();
    await settle();
    expect(thread.now.what).toBe("reopen");
    thread.now.answer();
    await settle();
    expect(seen()).toContain("rewritten");
    thread.now.answer();
    await closing;
    expect(clock.pending).toBe(0);
  });

  it("gives the thread up when the file cannot be closed well", async () => {
    const { clock, thread, writer } = setUp();
    const closing = writer.close();
    await settle();
    thread.now.fail("I/O error");
    await closing;
    expect(thread.abandoned).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Callbacks, type CallbacksOptions } from "../../../../src/handlers/http/callbacks.js";
import type { JobKey, Region } from "../../../../src/job/job.js";
import { aJob } from "../../../fixtures/handlers/call.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";

function given(overrides: Partial<CallbacksOptions> = {}) {
  const clock = new FakeClock();
  const callbacks = new Callbacks({
    baseUrl: () => "https://worker.example/base/",
    endedKept: 3,
    recordWaitMs: 5_000,
    clock,
    ...overrides,
  });
  const expected = (jobId: string, recorded?: Promise<void>) => {
    const expectation = callbacks.expect(keyOf(jobId), recorded);
    if (!expectation) throw new Error("no callback URL");
    return expectation;
  };
  const deliver = (jobId: string, bearer: string, body: unknown = { kind: "succeeded" }) =>
    callbacks.deliver({ jobId, bearer, body });
  return { clock, callbacks, expected, deliver };
}

function keyOf(jobId: string): JobKey {
  return aJob({ jobId }).key;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

describe("expect", () => {
  it("gives an address and a token of 32 random bytes, of which only the hash is kept", () => {
    const { callbacks, expected } = given();
    const { url, token, tokenHash } = expected("j1");
    expect(url).toBe("https://worker.example/base/jobs/j1/outcome");
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(tokenHash).toBe(hashOf(token));
    expect(expected("j2").token).not.toBe(token);
    expect(callbacks.waiting).toBe(2);
  });

  it("writes any job id as one path segment", () => {
    const jobId = "a/b?c#d %\n\u{1f680}";
    const { url } = given().expected(jobId);
    const [, segment] = /^https:\/\/worker\.example\/base\/jobs\/([^/]+)\/outcome$/.exec(url) ?? [];
    expect(decodeURIComponent(String(segment))).toBe(jobId);
  });

  it("can be reached for an id that no URL can hold as it is", async () => {
    const { expected, deliver } = given();
    const { url, token } = expected("lone \ud800 surrogate");
    const [, segment] = /jobs\/([^/]+)\/outcome$/.exec(url) ?? [];
    expect(await deliver(decodeURIComponent(String(segment)), token)).toBe("accepted");
  });

  it("gives nothing when there is no admin port", () => {
    const { callbacks } = given({ baseUrl: () => undefined });
    expect(callbacks.expect(keyOf("j1"))).toBeUndefined();
    expect(callbacks.waiting).toBe(0);
  });
});

describe("deliver", () => {
  it("hands the outcome to who waits for it", async () => {
    const { expected, deliver } = given();
    const { token, outcome } = expected("j1");
    const body = { kind: "succeeded", summary: "done" };
    expect(await deliver("j1", token, body)).toBe("accepted");
    expect(await outcome).toBe(body);
  });

  it("takes only the first outcome, and tells the second that it has one", async () => {
    const { expected, deliver } = given();
    const { token, outcome } = expected("j1");
    const both = await Promise.all([deliver("j1", token, "first"), deliver("j1", token, "second")]);
    expect(both).toEqual(["accepted", "already-delivered"]);
    expect(await outcome).toBe("first");
  });

  it("refuses a wrong token and goes on waiting", async () => {
    const { expected, deliver } = given();
    const { token, tokenHash } = expected("j1");
    for (const wrong of ["", "x", tokenHash, `${token} `, token.slice(0, -1), expected("j2").token]) {
      expect(await deliver("j1", wrong)).toBe("wrong-token");
    }
    expect(await deliver("j1", token)).toBe("accepted");
  });

  it("knows no job that nobody waits for", async () => {
    const { expected, deliver } = given();
    const { token } = expected("j1");
    for (const jobId of ["j2", "__proto__", "constructor", ""]) {
      expect(await deliver(jobId, token)).toBe("unknown-job");
    }
  });

  it("tells jobs of two Regions with the same id apart by their tokens", async () => {
    const { callbacks, expected, deliver } = given();
    const first = expected("same");
    const second = callbacks.expect({ ...keyOf("same"), region: "us-east-1" as Region });
    expect(await deliver("same", String(second?.token), "of the second")).toBe("accepted");
    expect(await second?.outcome).toBe("of the second");
    expect(await deliver("same", first.token, "of the first")).toBe("accepted");
    expect(await first.outcome).toBe("of the first");
  });

  it("is refused once nobody waits any more, and the outcome never shows up", async () => {
    const { callbacks, expected, deliver } = given();
    const { token, outcome, end } = expected("j1");
    expect(end()).toBe(true);
    expect(await deliver("j1", token)).toBe("unknown-job");
    expect(await deliver("j1", "wrong")).toBe("wrong-token");
    let hasSettled = false;
    void outcome.then(() => {
      hasSettled = true;
    });
    await settle();
    expect(hasSettled).toBe(false);
    expect(callbacks.waiting).toBe(0);
  });

  it("wins over an end that comes after it", async () => {
    const { expected, deliver } = given();
    const { token, end } = expected("j1");
    const delivered = deliver("j1", token);
    expect(end()).toBe(false);
    expect(end()).toBe(false);
    expect(await delivered).toBe("accepted");
    expect(await deliver("j1", token)).toBe("already-delivered");
  });

  it("forgets ended jobs, the oldest first, and never one that is waited for", async () => {
    const { callbacks, expected, deliver } = given();
    const waiting = expected("waiting");
    const ended = ["j1", "j2", "j3", "j4"].map((jobId) => ({ jobId, ...expected(jobId) }));
    for (const { jobId, token, end } of ended) {
      await deliver(jobId, token);
      end();
    }
    const again = await Promise.all(ended.map(({ jobId, token }) => deliver(jobId, token)));
    expect(again).toEqual(["unknown-job", "already-delivered", "already-delivered", "already-delivered"]);
    expect(callbacks.waiting).toBe(1);
    expect(await deliver("waiting", waiting.token)).toBe("accepted");
  });

  it("is accepted only when the outcome is recorded", async () => {
    const { clock, expected, deliver } = given();
    let record = () => {};
    const recorded = new Promise<void>((resolve) => {
      record = resolve;
    });
    const { token, outcome } = expected("j1", recorded);
    const answers: string[] = [];
    const delivered = deliver("j1", token, "it").then((answer) => answers.push(answer));
    expect(await outcome).toBe("it");
    await settle();
    expect(answers).toEqual([]);
    record();
    await delivered;
    expect(answers).toEqual(["accepted"]);
    expect(await deliver("j1", token)).toBe("already-delivered");
    expect(clock.pending).toBe(0);
  });

  it("says so when the outcome could not be recorded, and does not leave the rejection unhandled", async () => {
    const { expected, deliver } = given();
    const { token } = expected("j1", Promise.reject(new Error("disk full")));
    await settle();
    expect(await deliver("j1", token)).toBe("not-recorded");
  });

  it("waits for the record within a limit; a later repeat is told that it is there", async () => {
    const { clock, expected, deliver } = given();
    let record = () => {};
    const recorded = new Promise<void>((resolve) => {
      record = resolve;
    });
    const { token, end } = expected("j1", recorded);
    const delivered = deliver("j1", token);
    await clock.advance(5_000);
    expect(await delivered).toBe("not-recorded");
    record();
    end();
    expect(await deliver("j1", token)).toBe("already-delivered");
    expect(clock.pending).toBe(0);
  });
});

describe("deliver, in a fleet", () => {
  const [ours, others] = ["ours", "others"];
  type Held = readonly { readonly tokenHash: string | undefined }[];
  const heldBy = (tokenHash: string | undefined): Held => [{ tokenHash }];

  /** What becomes of a delivery to a process that has had the job, or never did. */
  it.each<readonly [string, "had" | "never", string, Held | undefined, string]>([
    ["whoever has the job waits for this token", "never", others, heldBy(hashOf(others)), "not-recorded"],
    ["whoever has the job has not said yet what it waits for", "never", others, heldBy(undefined), "not-recorded"],
    ["whoever has the job waits for another token", "never", others, heldBy(hashOf("x")), "unknown-job"],
    ["nobody has the job", "never", others, [], "unknown-job"],
    ["nobody can say who has the job", "never", others, undefined, "not-recorded"],
    ["another waits for the token that we gave out", "had", ours, heldBy("ours"), "not-recorded"],
    ["another began it anew with a token of its own", "had", ours, heldBy(hashOf("x")), "not-recorded"],
    ["another has it and waits for nothing yet", "had", ours, heldBy(undefined), "not-recorded"],
    ["another waits for a token that we never gave out", "had", others, heldBy(hashOf(others)), "not-recorded"],
    ["a stranger comes whose token nobody waits for", "had", others, heldBy(hashOf("x")), "wrong-token"],
    ["the job is over", "had", ours, [], "unknown-job"],
    ["the ledger cannot be read", "had", ours, undefined, "not-recorded"],
  ])("when %s (here: %s)", async (_when, history, bearer, held, expected_) => {
    let hash = "";
    const { expected, deliver } = given({
      elsewhere: async () => {
        if (!held) throw new Error("away");
        return held.map(({ tokenHash }) => ({ tokenHash: tokenHash === "ours" ? hash : tokenHash }));
      },
    });
    let token = "";
    if (history === "had") {
      const expectation = expected("j1");
      ({ token, tokenHash: hash } = expectation);
      expectation.end();
    }
    expect(await deliver("j1", bearer === ours ? token : bearer)).toBe(expected_);
  });
});

it.each<readonly [string, readonly object[], string]>([
  ["others have the job now", [{ tokenHash: "f".repeat(64) }], "not-recorded"],
  ["the job is over", [], "unknown-job"],
])("an outcome that came as the job was lost is told, when %s, what is left to do", async (_when, held, end) => {
  const { expected, deliver } = given({ elsewhere: async () => held as { tokenHash: string | undefined }[] });
  const recorded = Promise.withResolvers<void>();
  const { token, end: stopWaiting } = expected("j1", recorded.promise);
  const first = deliver("j1", token);
  stopWaiting();
  recorded.reject(new Error("lost"));
  expect(await first).toBe("not-recorded");
  expect(await deliver("j1", token)).toBe(end);
});

describe("resume", () => {
  it("goes on waiting with nothing but the hash", async () => {
    const { token, tokenHash } = given().expected("j1");
    const afterRestart = given();
    const { outcome } = afterRestart.callbacks.resume(keyOf("j1"), tokenHash);
    expect(await afterRestart.deliver("j1", "wrong")).toBe("wrong-token");
    expect(await afterRestart.deliver("j1", token, "late but here")).toBe("accepted");
    expect(await outcome).toBe("late but here");
  });

  it.each(["", "zz", "abcd", "not hex at all"])("lets nobody in by the broken hash %j", async (hash) => {
    const { callbacks, deliver } = given();
    callbacks.resume(keyOf("j1"), hash);
    expect(await deliver("j1", "")).toBe("wrong-token");
  });
});

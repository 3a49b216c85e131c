// The cache in front of a token store, by a clock of the test's own: ages, unknown clients, size, one look-up at a time,
// refused tokens, outages, hostile answers.
import { inspect } from "node:util";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { ClientId, ClientToken } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";
import { CachedTokens, type CachedTokensOptions } from "../../../src/tokens/cached-tokens.js";
import { lookupTimeoutMs } from "../../../src/tokens/lookups.js";
import { storeRetry } from "../../../src/tokens/store-health.js";
import { type TokenStore, type TokenStoreEvent, TokenStoreFault } from "../../../src/tokens/token-store.js";
import { TokenError } from "../../../src/tokens/tokens.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const client = (n: number) => `0a1b2c3d-0000-4000-8000-${n.toString(16).padStart(12, "0")}` as ClientId;
const [one, two, three] = [client(1), client(2), client(3)];

/** A store that a test tells what to say; by default it knows nobody. */
class FakeStore implements TokenStore {
  readonly name = "the fake store";
  readonly tokens = new Map<string, unknown>();
  readonly asked: ClientId[] = [];
  /** What every look-up does instead of answering. */
  instead: ((clientId: ClientId, signal: AbortSignal) => Promise<unknown>) | undefined;
  onAnswer: (answer: unknown) => void = () => {};
  isClosed = false;
  atOnce = 0;
  atOnceMax = 0;

  async find(clientId: ClientId, signal: AbortSignal): Promise<unknown> {
    this.asked.push(clientId);
    this.atOnceMax = Math.max(this.atOnceMax, ++this.atOnce);
    try {
      const answer = this.instead ? await this.instead(clientId, signal) : this.tokens.get(clientId);
      this.onAnswer(answer);
      return answer;
    } finally {
      this.atOnce -= 1;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const away = async () => {
  throw new TokenStoreFault("away", "cannot be reached (ECONNREFUSED)");
};

let clock: FakeClock;
let store: FakeStore;
let events: TokenStoreEvent[];
let tokens: CachedTokens;
const { signal } = new AbortController();

function open(options: Partial<CachedTokensOptions> = {}): CachedTokens {
  return new CachedTokens({
    store,
    clock,
    random: () => 0.5,
    maxAgeMs: 300_000,
    unknownMaxAgeMs: 10_000,
    maxEntries: 100,
    mask: (text) => text.replaceAll("hunter2", "[secret]"),
    onEvent: (event) => void events.push(event),
    ...options,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  store = new FakeStore();
  events = [];
  tokens = open();
});

const tokenOf = async (id: ClientId) => (await tokens.resolve(id, signal)).reveal();
/** The token, or how it failed. */
const seen = (id: ClientId) =>
  tokenOf(id).catch((error: unknown) => {
    if (error instanceof TokenError) return error.code;
    throw error;
  });

describe("the age of a token", () => {
  it("is looked up once while it is young, and again when it is too old", async () => {
    store.tokens.set(one, "first");
    expect(await tokenOf(one)).toBe("first");
    store.tokens.set(one, "second");
    await clock.advance(299_999);
    expect(await tokenOf(one)).toBe("first");
    expect(store.asked).toHaveLength(1);
    await clock.advance(1);
    expect(await tokenOf(one)).toBe("second");
    expect(store.asked).toHaveLength(2);
  });

  it("lets a client that was taken out become unknown when his token is too old", async () => {
    store.tokens.set(one, "first");
    await tokenOf(one);
    store.tokens.delete(one);
    await clock.advance(300_000);
    expect(await seen(one)).toBe("unknown-client");
  });

  it("waits a second at most for a newer token, and goes on with the old one", async () => {
    store.tokens.set(one, "first");
    await tokenOf(one);
    await clock.advance(300_000);
    const answer = Promise.withResolvers<unknown>();
    store.instead = () => answer.promise;
    const given = tokenOf(one);
    await clock.advance(1_000);
    expect(await given).toBe("first");
    answer.resolve("second");
    await settle();
    expect(await tokenOf(one)).toBe("second");
  });
});

describe("an unknown client", () => {
  it("is looked up again with a job of his after 2.5 s, so that a new customer works within 5 s", async () => {
    expect(await seen(one)).toBe("unknown-client");
    store.tokens.set(one, "first");
    await clock.advance(2_499);
    expect(await seen(one)).toBe("unknown-client");
    expect(store.asked).toHaveLength(1);
    await clock.advance(1);
    expect(await tokenOf(one)).toBe("first");
  });

  it("costs the store four look-ups in 10 s, however often his jobs are offered", async () => {
    for (let ms = 0; ms < 100_000; ms += 100) {
      expect(await seen(one)).toBe("unknown-client");
      await clock.advance(100);
    }
    expect(store.asked).toHaveLength(40);
  });

  it("stays unknown for `unknownMaxAge` while the store is away, and is waited for after that", async () => {
    await seen(one);
    store.instead = away;
    await clock.advance(9_999);
    expect(await seen(one)).toBe("unknown-client");
    await clock.advance(1);
    expect(await seen(one)).toBe("source-unavailable");
  });

  it.each(["", "no-uuid", "../../etc/passwd", `${one}/x`, "--help", "__proto__", "\0"])(
    "is whoever has the id %j, and nobody is asked",
    async (id) => {
      expect(await seen(id as ClientId)).toBe("unknown-client");
      expect(store.asked).toEqual([]);
    },
  );
});

describe("the size of the cache", () => {
  it("forgets who was not asked for longest", async () => {
    tokens = open({ maxEntries: 2 });
    for (const id of [one, two, three]) store.tokens.set(id, `of ${id}`);
    await tokenOf(one);
    await tokenOf(two);
    await tokenOf(one);
    await tokenOf(three);
    store.asked.length = 0;
    for (const id of [one, three, two]) await tokenOf(id);
    expect(store.asked).toEqual([two]);
  });

  it("is not taken up by unknown clients", async () => {
    tokens = open({ maxEntries: 2 });
    store.tokens.set(one, "first");
    await tokenOf(one);
    for (let n = 10; n < 20; n++) await seen(client(n));
    store.asked.length = 0;
    await tokenOf(one);
    expect(store.asked).toEqual([]);
  });
});

describe("look-ups", () => {
  it("are one at a time for each client, whoever asks", async () => {
    const answer = Promise.withResolvers<unknown>();
    store.instead = () => answer.promise;
    const given = Array.from({ length: 50 }, () => tokenOf(one));
    await settle();
    expect(store.asked).toEqual([one]);
    answer.resolve("first");
    expect(new Set(await Promise.all(given))).toEqual(new Set(["first"]));
  });

  it("are eight at a time for all clients, each of whom has his turn", async () => {
    const doors: (() => void)[] = [];
    store.instead = (id) => new Promise((resolve) => doors.push(() => resolve(`of ${id}`)));
    const given = Array.from({ length: 30 }, (_, n) => tokenOf(client(n)));
    for (let n = 0; n < 30; n++) {
      await settle();
      doors.shift()?.();
    }
    expect(await Promise.all(given)).toEqual(Array.from({ length: 30 }, (_, n) => `of ${client(n)}`));
    expect(store.atOnceMax).toBe(8);
  });

  it("end for whoever gave up, and go on for the others", async () => {
    const answer = Promise.withResolvers<unknown>();
    store.instead = () => answer.promise;
    const caller = new AbortController();
    const gaveUp = tokens.resolve(one, caller.signal);
    const other = tokenOf(one);
    await settle();
    caller.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: "source-unavailable" });
    answer.resolve("first");
    expect(await other).toBe("first");
  });

  it("have a limit of time, and tell the store when it is over", async () => {
    let told: AbortSignal | undefined;
    store.instead = (_, theirs) => {
      told = theirs;
      return new Promise(() => {});
    };
    const given = seen(one);
    await clock.advance(lookupTimeoutMs - 1);
    expect(told?.aborted).toBe(false);
    await clock.advance(1);
    expect(await given).toBe("source-unavailable");
    expect(told?.aborted).toBe(true);
  });

  it("leave no timer behind, and end with the cache", async () => {
    store.instead = () => new Promise(() => {});
    const given = seen(one);
    await settle();
    await tokens.close();
    expect(await given).toBe("source-unavailable");
    expect(store.isClosed).toBe(true);
    expect(clock.pending).toBe(0);
    expect(await seen(two)).toBe("source-unavailable");
  });
});

describe("a refused token", () => {
  it("is looked up afresh once, and the new one is given", async () => {
    store.tokens.set(one, "first");
    await tokenOf(one);
    store.tokens.set(one, "second");
    tokens.forget(one);
    expect(await tokenOf(one)).toBe("second");
    expect(await tokenOf(one)).toBe("second");
    expect(store.asked).toHaveLength(2);
  });

  it("is looked up every 2.5 s at most while the store keeps to it, however often it is refused", async () => {
    store.tokens.set(one, "wrong");
    for (let ms = 0; ms < 100_000; ms += 100) {
      expect(await tokenOf(one)).toBe("wrong");
      tokens.forget(one);
      await clock.advance(100);
    }
    expect(store.asked.length).toBeLessThanOrEqual(42);
    store.tokens.set(one, "right");
    await clock.advance(2_500);
    expect(await tokenOf(one)).toBe("right");
  });

  it("is not given again while the store is away", async () => {
    store.tokens.set(one, "first");
    await tokenOf(one);
    store.instead = away;
    tokens.forget(one);
    expect(await seen(one)).toBe("source-unavailable");
    store.instead = undefined;
    await clock.advance(storeRetry.maxDelayMs);
    expect(await tokenOf(one)).toBe("first");
  });

  it("is not answered by a look-up that began before the refusal", async () => {
    store.tokens.set(one, "first");
    await tokenOf(one);
    await clock.advance(300_000);
    const old = Promise.withResolvers<unknown>();
    store.instead = () => old.promise;
    const refreshing = tokenOf(one);
    await clock.advance(1_000);
    await refreshing;
    tokens.forget(one);
    const fresh = Promise.withResolvers<unknown>();
    store.instead = () => fresh.promise;
    const given = [tokenOf(one)];
    old.resolve("first");
    await settle();
    // Also to whoever comes when the old one has ended.
    given.push(tokenOf(one));
    await settle();
    fresh.resolve("second");
    expect(await Promise.all(given)).toEqual(["second", "second"]);
  });

  it("of somebody who is not known is nobody's", async () => {
    tokens.forget(one);
    tokens.forget("__proto__" as ClientId);
    expect(await seen(one)).toBe("unknown-client");
  });
});

describe("an outage", () => {
  /** Each client asks four times a second. */
  async function pass(ms: number, ids: readonly ClientId[]): Promise<readonly string[]> {
    const all = new Set<string>();
    for (let passed = 0; passed < ms; passed += 250) {
      for (const id of ids) all.add(await seen(id));
      await clock.advance(250);
    }
    return [...all];
  }
  const known = Array.from({ length: 20 }, (_, n) => client(100 + n));
  const strangers = Array.from({ length: 20 }, (_, n) => client(200 + n));

  it("of 10 minutes affects no known client, drops no unknown one, and is no hot loop", async () => {
    for (const id of known) store.tokens.set(id, `of ${id}`);
    for (const id of known) await tokenOf(id);
    store.instead = away;
    store.asked.length = 0;
    expect(await pass(600_000, strangers)).toEqual(["source-unavailable"]);
    expect(store.asked.length).toBeLessThan(600_000 / (storeRetry.maxDelayMs * 0.8) + 10);
    store.asked.length = 0;
    // Their tokens are long too old by now.
    const startedMs = clock.monotonic();
    for (const id of known) expect(await tokenOf(id)).toBe(`of ${id}`);
    expect(clock.monotonic()).toBe(startedMs);
    expect(store.asked.length).toBeLessThanOrEqual(1);
    expect(await pass(600_000, [...known, ...strangers])).toEqual([
      ...known.map((id) => `of ${id}`),
      "source-unavailable",
    ]);
    expect(store.asked.length).toBeLessThan(600_000 / (storeRetry.maxDelayMs * 0.8) + 10);
    expect(events).toEqual([{ type: "away", message: "cannot be reached (ECONNREFUSED)" }]);

    store.instead = undefined;
    store.tokens.set(strangers[0] ?? one, "first");
    await pass(2 * storeRetry.maxDelayMs, [...known, ...strangers]);
    expect(await seen(strangers[0] ?? one)).toBe("first");
    expect(await seen(strangers[1] ?? one)).toBe("unknown-client");
    expect(events.map(({ type }) => type)).toEqual(["away", "back"]);
  });

  it("in which the store hangs keeps nobody who is known for more than a second, and the others for 5 s", async () => {
    for (const id of known) store.tokens.set(id, `of ${id}`);
    for (const id of known) await tokenOf(id);
    await clock.advance(300_000);
    store.instead = () => new Promise(() => {});
    const given = known.map(seen);
    const others = strangers.map(seen);
    await clock.advance(1_000);
    expect(await Promise.all(given)).toEqual(known.map((id) => `of ${id}`));
    await clock.advance(lookupTimeoutMs);
    expect(new Set(await Promise.all(others))).toEqual(new Set(["source-unavailable"]));
    // Nobody waits while it is known.
    for (const id of known) expect(await tokenOf(id)).toBe(`of ${id}`);
    for (const id of strangers) expect(await seen(id)).toBe("source-unavailable");
  });

  it("is not what one client is whose look-ups alone fail: the others are served", async () => {
    store.instead = async (id) => (id === one ? away() : store.tokens.get(id));
    let waitedMs = 0;
    for (let n = 0; n < 200; n++) {
      const id = client(1_000 + n);
      store.tokens.set(id, "good");
      for (let tries = 0; (await seen(id)) !== "good"; tries++) {
        await seen(one);
        await clock.advance(100);
        waitedMs = Math.max(waitedMs, (tries + 1) * 100);
      }
      await seen(one);
      await clock.advance(300);
    }
    expect(waitedMs).toBeLessThanOrEqual(1_000);
  });

  it("tells what the store said last, masked, on one line, and shortened", async () => {
    store.instead = async () => {
      throw new Error(`no way:\n\u001b[31m hunter2 ${"x".repeat(5_000)}`);
    };
    const error = await tokens.resolve(one, signal).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "source-unavailable" });
    expect(inspect(error)).not.toContain("hunter2");
    expect((error as Error).message).toMatch(/the fake store failed: no way: {1,2}\[31m \[secret\] x+ …$/);
    expect((error as Error).message.length).toBeLessThan(500);
  });
});

describe("tokens that another source gave", () => {
  const first = new Secret("first" as ClientToken);

  it("are looked up before they are given", async () => {
    tokens.adopt([[one.toUpperCase() as ClientId, first]]);
    store.tokens.set(one, "second");
    expect(await tokenOf(one)).toBe("second");
    tokens.adopt([[two, first]]);
    expect(await seen(two)).toBe("unknown-client");
  });

  it("are given while the store is away, until they are refused", async () => {
    tokens.adopt([[one, first]]);
    store.instead = away;
    expect(await tokenOf(one)).toBe("first");
    tokens.forget(one);
    expect(await seen(one)).toBe("source-unavailable");
  });
});

describe("an answer that cannot be used", () => {
  const wrong: Readonly<Record<string, unknown>> = {
    "too long": "t".repeat(257),
    empty: "",
    "with a line break": "secret-token\n",
    "with a control character": "secret\u0000token",
    "with space around it": " secret-token",
    "a placeholder": "$(TOKEN)",
    "a number": 12_345_678,
    null: null,
    "an object": { token: "secret-token" },
    "a list": ["secret-token"],
  };

  it.each(Object.entries(wrong))("(%s) is its own client's trouble alone, and is not shown", async (_, answer) => {
    store.tokens.set(one, answer);
    store.tokens.set(two, "good");
    const error = await tokens.resolve(one, signal).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "source-unavailable" });
    expect(inspect(error)).not.toMatch(/secret|TOKEN|ttttt|12345678/);
    expect(await tokenOf(two)).toBe("good");
    await clock.advance(storeRetry.maxDelayMs);
    await seen(one);
    expect(events.map((event) => event.type)).toEqual(["unusable"]);
    store.tokens.set(one, "right");
    await clock.advance(storeRetry.maxDelayMs);
    expect(await tokenOf(one)).toBe("right");
  });

  it("never replaces a token that works", async () => {
    store.tokens.set(one, "good");
    await tokenOf(one);
    store.tokens.set(one, "t".repeat(257));
    await clock.advance(300_000);
    expect(await tokenOf(one)).toBe("good");
  });
});

it("never gives a refused token before the store said it once more, whatever happens in between", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("advance" as const), ms: fc.nat(400_000) }),
    fc.record({ do: fc.constantFrom("rotate", "remove", "refuse", "fail", "recover", "ask") }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      clock = new FakeClock();
      store = new FakeStore();
      tokens = open();
      let version = 0;
      const refused = new Set<string>();
      const saidOnceMore = new Set<unknown>();
      store.onAnswer = (answer) => void (refused.has(String(answer)) && saidOnceMore.add(answer));
      for (const each of steps) {
        if (each.do === "advance") await clock.advance(each.ms);
        else if (each.do === "rotate") store.tokens.set(one, `token ${++version}`);
        else if (each.do === "remove") store.tokens.delete(one);
        else if (each.do === "fail") store.instead = away;
        else if (each.do === "recover") store.instead = undefined;
        const given = await seen(one);
        if (refused.has(given)) expect(saidOnceMore).toContain(given);
        if (each.do === "refuse" && given.startsWith("token")) {
          refused.add(given);
          tokens.forget(one);
        }
      }
      await settle();
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 200 },
  );
});

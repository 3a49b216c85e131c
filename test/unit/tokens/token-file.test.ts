// The client token file while the daemon runs: every way to change a file is noticed, and none that goes wrong
// takes a working token away.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClientId } from "../../../src/job/job.js";
import { FileClientTokens, openFileTokens, type TokenFileEvent } from "../../../src/tokens/token-file.js";
import { readTokens } from "../../../src/tokens/token-reading.js";
import { fileAt, type TokenFile, type Version } from "../../../src/tokens/token-version.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const a = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const b = "0a1b2c3d-0000-4000-8000-00000000000b" as ClientId;
const { signal } = new AbortController();
const checkIntervalMs = 1_000;

let dir: string;
let path: string;
const opened: FileClientTokens[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
  path = join(dir, "tokens.yaml");
});
afterEach(async () => {
  for (const tokens of opened.splice(0)) await tokens.close();
  await rm(dir, { recursive: true });
});

async function opening(text: string, clock = new FakeClock()) {
  await writeFile(path, text, { mode: 0o600 });
  const events: TokenFileEvent[] = [];
  let onNext = (_event: TokenFileEvent) => {};
  const tokens = await openFileTokens({
    path,
    checkIntervalMs,
    clock,
    onEvent: (event) => {
      events.push(event);
      onNext(event);
    },
  });
  opened.push(tokens);
  return {
    tokens,
    events,
    clock,
    /** The next event after the timer's next look. */
    async nextLook(): Promise<TokenFileEvent> {
      const next = new Promise<TokenFileEvent>((resolve) => {
        onNext = resolve;
      });
      await clock.advance(checkIntervalMs);
      return next;
    },
    /** A look that somebody who misses a client causes. */
    async look(): Promise<void> {
      await tokens.resolve("missing" as ClientId, signal).catch(() => {});
    },
    async token(clientId: ClientId): Promise<string> {
      return (await tokens.resolve(clientId, signal)).reveal();
    },
  };
}

async function replace(text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

describe("openFileTokens", () => {
  it.each([
    ["does not exist", async () => {}, "it does not exist"],
    ["is a directory", async () => void (await mkdir(path)), "it is not a regular file"],
    ["is a pipe", async () => void spawnSync("mkfifo", [path]), "it is not a regular file"],
    [
      "is broken",
      async () => writeFile(path, `${a}: [hush-hush\n`),
      "line 2: the indentation is wrong, or a bracket is not closed; indent the keys of one map equally, with spaces",
    ],
    ["is no text", async () => writeFile(path, Buffer.from([0xff, 0xfe, 0x00])), "it is not UTF-8 text"],
    ["links to itself", async () => symlink(path, path), "ELOOP"],
    [
      "is larger than 10 MiB",
      async () => {
        await writeFile(path, "");
        await truncate(path, 10 * 1024 * 1024 + 1);
      },
      "it is larger than 10485760 bytes",
    ],
  ])("says why when the file %s", async (_, prepare, reason) => {
    await prepare();
    const options = { path, checkIntervalMs, clock: new FakeClock(), onEvent: () => {} };
    const error: unknown = await openFileTokens(options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "source-unavailable" });
    expect((error as Error).message).toContain(`the client token file ${path} cannot be used: ${reason}`);
    expect((error as Error).message).not.toContain("hush");
    expect(options.clock.pending).toBe(0);
  });

  it.each([
    [0o600, []],
    [0o640, []],
    [0o644, [{ type: "readable-by-all", mode: "0644" }]],
  ])("warns at mode %o only if everybody may read the file", async (mode, expected) => {
    await writeFile(path, "{}");
    await chmod(path, mode);
    const { events } = await opening("{}");
    expect(events).toEqual(expected);
  });

  it("leaves no timer behind when it is closed", async () => {
    const { tokens, clock, look, events } = await opening("{}");
    expect(clock.pending).toBe(1);
    await tokens.close();
    expect(clock.pending).toBe(0);
    await replace(`${a}: one`);
    await look();
    expect(events).toEqual([]);
  });
});

describe("a client token file that changes", () => {
  const changes: readonly [string, (text: string) => Promise<void>][] = [
    ["written in place", (text) => writeFile(path, text)],
    ["replaced by a rename", replace],
    [
      "deleted and written anew",
      async (text) => {
        await unlink(path);
        await writeFile(path, text, { mode: 0o600 });
      },
    ],
    [
      "replaced by one of the same size and time",
      async (text) => {
        const time = new Date(Date.now() - 60_000);
        await utimes(path, time, time);
        await writeFile(`${path}.new`, text, { mode: 0o600 });
        await utimes(`${path}.new`, time, time);
        await rename(`${path}.new`, path);
      },
    ],
  ];

  it.each(changes)("is read again by the timer when it is %s", async (_, change) => {
    const { nextLook, token } = await opening(`${a}: one\n`);
    await change(`${a}: two\n`);
    expect(await nextLook()).toEqual({ type: "reloaded", clients: 1 });
    expect(await token(a)).toBe("two");
    await change(`${a}: six\n`);
    expect(await nextLook()).toEqual({ type: "reloaded", clients: 1 });
    expect(await token(a)).toBe("six");
  });

  it("is read again when the symbolic links of a Kubernetes mount are switched", async () => {
    await mkdir(join(dir, "..v1"));
    await mkdir(join(dir, "..v2"));
    await writeFile(join(dir, "..v1", "tokens.yaml"), `${a}: one\n`, { mode: 0o600 });
    await writeFile(join(dir, "..v2", "tokens.yaml"), `${a}: two\n`, { mode: 0o600 });
    await symlink("..v1", join(dir, "..data"));
    await symlink(join("..data", "tokens.yaml"), path);
    const events: TokenFileEvent[] = [];
    const clock = new FakeClock();
    const tokens = await openFileTokens({ path, checkIntervalMs, clock, onEvent: (event) => events.push(event) });
    opened.push(tokens);
    expect((await tokens.resolve(a, signal)).reveal()).toBe("one");
    await symlink("..v2", join(dir, "..data_tmp"));
    await rename(join(dir, "..data_tmp"), join(dir, "..data"));
    await tokens.resolve(b, signal).catch(() => {});
    expect((await tokens.resolve(a, signal)).reveal()).toBe("two");
    expect(events).toEqual([{ type: "reloaded", clients: 1 }]);
  });

  it("is looked at once more before a client is called unknown", async () => {
    const { tokens, token, events } = await opening(`${a}: one\n`);
    await replace(`${a}: one\n${b}: two\n`);
    expect(await token(b)).toBe("two");
    expect(events).toEqual([{ type: "reloaded", clients: 2 }]);
    await replace(`${a}: one\n`);
    tokens.forget(b);
    await expect(tokens.resolve(b, signal)).rejects.toMatchObject({ code: "unknown-client" });
  });

  it("is looked at again after CodePipeline refused a token, before that token is given again", async () => {
    const { tokens, token } = await opening(`${a}: one\n${b}: two\n`);
    await replace(`${a}: new\n${b}: two\n`);
    expect(await token(a)).toBe("one");
    tokens.forget(a);
    expect(await token(a)).toBe("new");
  });

  it("tells nothing when it is touched or saved without a change", async () => {
    const { look, events } = await opening(`${a}: one\n`);
    await utimes(path, new Date(), new Date());
    await look();
    await replace(`${a}: one\n`);
    await look();
    expect(events).toEqual([]);
  });
});

const versionOf = (text: string, fingerprint: string): Version => ({
  bytes: Buffer.from(text),
  hash: text,
  fingerprint,
  mode: 0o600,
});

describe("looks at a client token file", () => {
  /** A file whose reads a test holds back and lets go; every look reads. */
  function heldFile() {
    const waiting: ((text: string) => void)[] = [];
    let reads = 0;
    const version = (text: string): Version => versionOf(text, text);
    return {
      waiting,
      reads: () => reads,
      version,
      file: {
        fingerprint: async () => `look ${reads}`,
        read: () => {
          reads++;
          return new Promise<Version>((resolve) => waiting.push((text) => resolve(version(text))));
        },
      } satisfies TokenFile,
    };
  }

  async function watching(file: TokenFile, version: Version, clock = new FakeClock()) {
    const events: TokenFileEvent[] = [];
    const onEvent = (event: TokenFileEvent) => events.push(event);
    const tokens = new FileClientTokens({
      path,
      checkIntervalMs,
      clock,
      onEvent,
      file,
      version,
      tokens: await readTokens(version.bytes),
    });
    opened.push(tokens);
    return { tokens, events, clock };
  }

  it("that began before somebody asked do not answer them; all who ask meanwhile share the next one", async () => {
    const { file, version, waiting, reads } = heldFile();
    const { tokens } = await watching(file, version("{}"));
    const early = tokens.resolve(a, signal).catch((error: unknown) => error);
    await settle();
    const later = [tokens.resolve(b, signal), tokens.resolve(b, signal), tokens.resolve(b, signal)];
    waiting.shift()?.("{}");
    expect(await early).toMatchObject({ code: "unknown-client" });
    await settle();
    expect(reads()).toBe(2);
    waiting.shift()?.(`${b}: two`);
    expect((await Promise.all(later)).map((token) => token.reveal())).toEqual(["two", "two", "two"]);
  });

  it("hold up nobody who has given up, nor those whose client is known", async () => {
    const { file, version } = heldFile();
    const { tokens } = await watching(file, version(`${a}: one`));
    const stop = new AbortController();
    const asked = tokens.resolve(b, stop.signal);
    await settle();
    expect((await tokens.resolve(a, signal)).reveal()).toBe("one");
    stop.abort(new Error("too late"));
    await expect(asked).rejects.toMatchObject({ code: "source-unavailable", cause: new Error("too late") });
    await expect(tokens.resolve(b, stop.signal)).rejects.toMatchObject({ code: "source-unavailable" });
  });

  /** A file whose times do not show what is written into it. */
  function coarseFile() {
    const state = { text: `${a}: one`, reads: 0 };
    const version = (): Version => versionOf(state.text, "the same");
    const read = async () => {
      state.reads += 1;
      return version();
    };
    return { state, version, file: { fingerprint: async () => "the same", read } };
  }

  it("read a version until it has stood for 2 s, since its times may not show the next change", async () => {
    const { state, version, file } = coarseFile();
    const { tokens, events, clock } = await watching(file, version());
    await clock.advance(checkIntervalMs);
    state.text = `${a}: two`;
    await clock.advance(checkIntervalMs);
    expect((await tokens.resolve(a, signal)).reveal()).toBe("two");
    expect(events).toEqual([{ type: "reloaded", clients: 1 }]);
    expect(state.reads).toBe(2);
    await clock.advance(50 * checkIntervalMs);
    expect(state.reads).toBe(2);
  });

  it.each([7_200_000, -7_200_000])("do so whatever the wall clock does: set by %i ms", async (step) => {
    const { state, version, file } = coarseFile();
    const { clock } = await watching(file, version());
    clock.step(step);
    await clock.advance(50 * checkIntervalMs);
    expect(state.reads).toBe(2);
  });

  it.each([
    ["in the future", 2_100],
    ["long ago", 1_980],
  ])("do not read a file that is dated %s again and again", async (_when, year) => {
    await writeFile(path, `${a}: one`, { mode: 0o600 });
    await utimes(path, new Date(Date.UTC(year)), new Date(Date.UTC(year)));
    const real = fileAt(path);
    let reads = 0;
    const file = {
      fingerprint: real.fingerprint,
      read: () => {
        reads += 1;
        return real.read();
      },
    };
    const { tokens, clock } = await watching(file, await real.read());
    for (let second = 0; second < 20; second++) {
      await clock.advance(checkIntervalMs);
      // Whoever misses a client is answered after a look.
      await tokens.resolve(b, signal).catch(() => {});
    }
    expect(reads).toBeLessThanOrEqual(4);
  });

  it("go on at their interval, one at a time", async () => {
    const { file, version, waiting, reads } = heldFile();
    const { clock } = await watching(file, version("{}"));
    await clock.advance(checkIntervalMs);
    expect([reads(), clock.pending]).toEqual([1, 0]);
    waiting.shift()?.("{}");
    await settle();
    expect(clock.pending).toBe(1);
    await clock.advance(checkIntervalMs);
    expect(reads()).toBe(2);
  });

  it("never take a mixture of two versions for one", async () => {
    const [first, second] = ["1", "2"].map((digit) => `# ${digit.repeat(1_000_000)}\n`) as [string, string];
    for (let turns = 0; turns < 25; turns++) {
      await writeFile(path, first);
      const reading = fileAt(path).read();
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(path, second);
      const text = Buffer.from((await reading).bytes).toString();
      expect(text === first || text === second).toBe(true);
    }
  });
});

describe("a client token file that goes wrong", () => {
  it("leaves the version before in force, and tells of each broken version once", async () => {
    const { look, nextLook, events, token } = await opening(`${a}: one\n`);
    await replace(`${a}: [hush-hush\n`);
    expect(await nextLook()).toMatchObject({ type: "broken" });
    await look();
    await look();
    expect(events).toHaveLength(1);
    expect(await token(a)).toBe("one");
    await replace(`${a}: {hush: hush}\n`);
    await look();
    expect(events.map(({ type }) => type)).toEqual(["broken", "broken"]);
    expect(JSON.stringify(events)).not.toContain("hush");
  });

  it("is in force again as soon as it is corrected, also when it is what it was before", async () => {
    const { look, events, token } = await opening(`${a}: one\n`);
    await replace("");
    await look();
    await replace(`${a}: one\n`);
    await look();
    await replace("");
    await look();
    await replace(`${a}: two\n`);
    expect(await token(b).catch(() => "unknown")).toBe("unknown");
    expect(await token(a)).toBe("two");
    expect(events.map(({ type }) => type)).toEqual(["broken", "reloaded", "broken", "reloaded"]);
  });

  it("is told as gone once, as back once, and serves what it held meanwhile", async () => {
    const { look, nextLook, events, token } = await opening(`${a}: one\n`);
    await unlink(path);
    expect(await nextLook()).toEqual({ type: "vanished" });
    await look();
    expect(await token(a)).toBe("one");
    await writeFile(path, `${a}: one\n`, { mode: 0o600 });
    await look();
    await look();
    expect(events).toEqual([{ type: "vanished" }, { type: "back" }]);
    await unlink(path);
    await look();
    await writeFile(path, `${a}: two\n`, { mode: 0o600 });
    await look();
    expect(events.map(({ type }) => type)).toEqual(["vanished", "back", "vanished", "back", "reloaded"]);
    expect(await token(a)).toBe("two");
  });

  it("is told as back and as broken when it comes back broken", async () => {
    const { look, events } = await opening(`${a}: one\n`);
    await replace("[");
    await look();
    await unlink(path);
    await look();
    await writeFile(path, "[", { mode: 0o600 });
    await look();
    expect(events.map(({ type }) => type)).toEqual(["broken", "vanished", "back", "broken"]);
  });

  it("does not call a client unknown while the file that may name it cannot be read", async () => {
    const { tokens } = await opening(`${a}: one\n`);
    await replace("[");
    await expect(tokens.resolve(b, signal)).rejects.toMatchObject({ code: "source-unavailable" });
    await unlink(path);
    await expect(tokens.resolve(b, signal)).rejects.toMatchObject({ code: "source-unavailable" });
  });

  it("survives that a directory takes its place", async () => {
    const { look, events, token } = await opening(`${a}: one\n`);
    await unlink(path);
    await mkdir(path);
    await look();
    await look();
    expect(events).toEqual([{ type: "broken", message: "it is not a regular file" }]);
    expect(await token(a)).toBe("one");
  });

  it("survives an observer that throws", async () => {
    await writeFile(path, `${a}: one\n`);
    const onEvent = () => {
      throw new Error("the observer's own affair");
    };
    const tokens = await openFileTokens({ path, checkIntervalMs, clock: new FakeClock(), onEvent });
    opened.push(tokens);
    await replace(`${b}: two\n`);
    expect((await tokens.resolve(b, signal)).reveal()).toBe("two");
  });
});

// What every source of client tokens promises.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClientId, ClientToken } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { StaticClientTokens } from "../../src/tokens/static.js";
import { openFileTokens } from "../../src/tokens/token-file.js";
import { type ClientTokens, TokenError } from "../../src/tokens/tokens.js";
import { FakeClock } from "../support/fake-clock.js";

const known = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const other = "0a1b2c3d-0000-4000-8000-00000000000b" as ClientId;
const stranger = "0a1b2c3d-0000-4000-8000-0000000000ff" as ClientId;
const secrets = { [known]: "token-of-the-first", [other]: 'token of the second: with #, " and ß' };

const sources: Readonly<Record<string, (dir: string) => Promise<ClientTokens>>> = {
  static: async () =>
    new StaticClientTokens({
      tokens: Object.fromEntries(Object.entries(secrets).map(([id, token]) => [id, new Secret(token as ClientToken)])),
    }),
  "file (JSON)": async (dir) => fileTokens(dir, "tokens.json", JSON.stringify(secrets)),
  "file (YAML)": async (dir) =>
    fileTokens(dir, "tokens.yaml", `${known}: token-of-the-first\n${other}: ${JSON.stringify(secrets[other])}\n`),
};

async function fileTokens(dir: string, name: string, text: string): Promise<ClientTokens> {
  const path = join(dir, name);
  await writeFile(path, text, { mode: 0o600 });
  return openFileTokens({ path, checkIntervalMs: 1_000, clock: new FakeClock(), onEvent: () => {} });
}

describe.each(Object.entries(sources))("client tokens from %s", (_, open) => {
  let dir: string;
  let tokens: ClientTokens;
  const { signal } = new AbortController();

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
    tokens = await open(dir);
  });
  afterEach(async () => {
    await tokens.close();
    await rm(dir, { recursive: true });
  });

  it("gives each client its own token", async () => {
    expect((await tokens.resolve(known, signal)).reveal()).toBe(secrets[known]);
    expect((await tokens.resolve(other, signal)).reveal()).toBe(secrets[other]);
  });

  it("gives the same token to all who ask at once", async () => {
    const given = await Promise.all(Array.from({ length: 20 }, () => tokens.resolve(known, signal)));
    expect(new Set(given.map((token) => token.reveal()))).toEqual(new Set([secrets[known]]));
  });

  it("takes a client id in either case", async () => {
    expect((await tokens.resolve(known.toUpperCase() as ClientId, signal)).reveal()).toBe(secrets[known]);
  });

  it.each([
    [stranger],
    ["" as ClientId],
    ["__proto__" as ClientId],
    ["constructor" as ClientId],
    ["toString" as ClientId],
  ])("says that it does not know %j, and names no token in doing so", async (clientId) => {
    const error: unknown = await tokens.resolve(clientId, signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ code: "unknown-client" });
    expect(inspect(error)).not.toContain("token-of");
  });

  it("shows no token, however it is printed", async () => {
    const token = await tokens.resolve(known, signal);
    for (const shown of [
      `${token}`,
      JSON.stringify({ token }),
      inspect({ token, tokens }, { depth: 9, showHidden: true }),
    ]) {
      expect(shown).not.toContain("token-of");
    }
  });

  it("gives a token again after it was told to forget it, and survives forgetting strangers", async () => {
    tokens.forget(known);
    tokens.forget(known);
    tokens.forget(stranger);
    expect((await tokens.resolve(known, signal)).reveal()).toBe(secrets[known]);
    await expect(tokens.resolve(stranger, signal)).rejects.toMatchObject({ code: "unknown-client" });
  });

  it("answers from what it has when the caller has given up", async () => {
    expect((await tokens.resolve(known, AbortSignal.abort())).reveal()).toBe(secrets[known]);
  });

  it("can be closed twice", async () => {
    await tokens.close();
    await tokens.close();
  });
});

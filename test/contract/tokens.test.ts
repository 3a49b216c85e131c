// What every source of client tokens promises.
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ClientId } from "../../src/job/job.js";
import { TokenError } from "../../src/tokens/tokens.js";
import { hasMoto, startMoto } from "../support/moto.js";
import { motoRigs, type OpenRig, type TokenRig, tokenRigs } from "../support/token-sources.js";

const known = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const other = "0a1b2c3d-0000-4000-8000-00000000000b" as ClientId;
const stranger = "0a1b2c3d-0000-4000-8000-0000000000ff" as ClientId;
const secrets = { [known]: "token-of-the-first", [other]: 'token of the second: with #, " and ß' };

const isMotoHere = hasMoto();
if (!isMotoHere) console.log("token sources are not run against moto: python3 has no moto with flask here");

let moto: Awaited<ReturnType<typeof startMoto>> | undefined;
beforeAll(async () => {
  if (isMotoHere) moto = await startMoto();
}, 40_000);
afterAll(() => moto?.close());

// Another reading of AWS's APIs than the fake's and dynalite's.
const overMoto = Object.entries(isMotoHere ? motoRigs : {}).map(([name, open]): [string, OpenRig] => [
  name,
  (tokens) => open(tokens, moto?.url ?? ""),
]);

describe.each([...Object.entries(tokenRigs), ...overMoto])("client tokens from %s", (_, open) => {
  let rig: TokenRig;
  const { signal } = new AbortController();
  const tokenOf = async (clientId: ClientId) => (await rig.tokens.resolve(clientId, signal)).reveal();
  /** The token, or how it failed. */
  const seen = (clientId: ClientId) =>
    tokenOf(clientId).catch((error: unknown) => {
      if (error instanceof TokenError) return error.code;
      throw error;
    });

  beforeEach(async () => {
    rig = await open(secrets);
  });
  afterEach(async () => {
    await rig.tokens.close();
    await rig.close();
  });

  it("gives each client its own token", async () => {
    expect(await tokenOf(known)).toBe(secrets[known]);
    expect(await tokenOf(other)).toBe(secrets[other]);
  });

  it("gives the same token to all who ask at once", async () => {
    const given = await Promise.all(Array.from({ length: 20 }, () => tokenOf(known)));
    expect(new Set(given)).toEqual(new Set([secrets[known]]));
  });

  it("takes a client id in either case", async () => {
    expect(await tokenOf(known.toUpperCase() as ClientId)).toBe(secrets[known]);
  });

  it("says that it does not know others, and names no token in doing so", async () => {
    for (const clientId of [stranger, "", "__proto__", "constructor", "toString", "../..", "--help"] as ClientId[]) {
      const error: unknown = await rig.tokens.resolve(clientId, signal).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TokenError);
      expect(error).toMatchObject({ code: "unknown-client" });
      expect(inspect(error)).not.toContain("token-of");
    }
  });

  it("shows no token, however it is printed", async () => {
    const token = await rig.tokens.resolve(known, signal);
    const { tokens } = rig;
    for (const shown of [
      `${token}`,
      JSON.stringify({ token }),
      inspect({ token, tokens }, { depth: 9, showHidden: true }),
    ]) {
      expect(shown).not.toContain("token-of");
    }
  });

  it("gives a token again after it was told to forget it, and survives forgetting strangers", async () => {
    rig.tokens.forget(known);
    expect(await tokenOf(known)).toBe(secrets[known]);
    rig.tokens.forget(known);
    rig.tokens.forget(known);
    rig.tokens.forget(stranger);
    expect(await tokenOf(known)).toBe(secrets[known]);
    expect(await seen(stranger)).toBe("unknown-client");
  });

  it("answers from what it has when the caller has given up", async () => {
    await tokenOf(known);
    expect((await rig.tokens.resolve(known, AbortSignal.abort())).reveal()).toBe(secrets[known]);
  });

  it("gives the new token after the old one was refused", async () => {
    if (!rig.set) return;
    expect(await tokenOf(known)).toBe(secrets[known]);
    await rig.set(known, "second-token");
    // One secret of all clients is read once a second at most.
    await rig.clock.advance(1_000);
    rig.tokens.forget(known);
    expect(await tokenOf(known)).toBe("second-token");
  });

  it("knows a client within 5 s after he was added, although his jobs were offered before", async () => {
    if (!rig.set) return;
    expect(await seen(stranger)).toBe("unknown-client");
    await rig.set(stranger, "new-token");
    await rig.clock.advance(4_000);
    expect(await tokenOf(stranger)).toBe("new-token");
  });

  it("goes on with known clients while its store is away, and says of others that it cannot tell", async () => {
    if (!rig.set || !rig.setDown) return;
    await tokenOf(known);
    await rig.setDown(true);
    await rig.clock.advance(1_000);
    expect(await seen(stranger)).toBe("source-unavailable");
    for (let minutes = 0; minutes < 20; minutes += 4) {
      await rig.clock.advance(4 * 60_000);
      expect(await tokenOf(known)).toBe(secrets[known]);
      expect(await seen(stranger)).toBe("source-unavailable");
    }
    await rig.setDown(false);
    await rig.set(stranger, "new-token");
    // The first look-up may be the known client's, for whom nobody waits.
    await rig.clock.advance(8_000);
    await expect.poll(() => seen(stranger)).toBe("new-token");
    expect(await tokenOf(known)).toBe(secrets[known]);
  });

  it("can be closed twice", async () => {
    await rig.tokens.close();
    await rig.tokens.close();
  });
});

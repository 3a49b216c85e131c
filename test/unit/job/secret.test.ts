// Every way that a value finds into a text by accident, tried on a Secret.
import { format, inspect } from "node:util";
import { deserialize, serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/job/secret.js";

const value = "tok-4f9c1e";
const secret = new Secret(value);
const holder = { clientToken: secret, list: [secret], map: new Map([["token", secret]]), set: new Set([secret]) };

const showings: readonly (readonly [string, () => string])[] = [
  ["toString", () => secret.toString()],
  ["String()", () => String(secret)],
  ["a template", () => `${secret}`],
  ["concatenation", () => `token: ${[secret, secret].join(",")}`],
  ["JSON", () => JSON.stringify(secret)],
  ["JSON of what holds it", () => JSON.stringify(holder)],
  ["inspect", () => inspect(secret)],
  ["inspect of what holds it, hidden members and all", () => inspect(holder, { showHidden: true, depth: 9 })],
  ["inspect that ignores custom inspection", () => inspect(secret, { customInspect: false, showHidden: true })],
  ["inspect with proxies and getters", () => inspect(holder, { getters: true, showProxy: true })],
  ["format %s", () => format("%s", secret)],
  ["format %o", () => format("%o", secret)],
  ["format %O", () => format("%O", holder)],
  ["format %j", () => format("%j", holder)],
  ["a spread", () => JSON.stringify({ ...secret })],
  ["Object.assign", () => JSON.stringify(Object.assign({}, secret))],
  ["Object.entries", () => JSON.stringify(Object.entries(secret))],
  ["its property names", () => JSON.stringify([...Reflect.ownKeys(secret)].map(String))],
  ["structuredClone", () => inspect(structuredClone(secret), { showHidden: true })],
  ["v8 serialization", () => inspect(deserialize(serialize(secret)), { showHidden: true })],
  ["v8 bytes", () => serialize(secret).toString("latin1")],
  ["an error message", () => inspect(new Error(`refused ${secret}`))],
  ["an error's cause", () => inspect(new Error("refused", { cause: secret }))],
  ["a URL", () => new URL(`https://example.com/?token=${secret}`).href],
];

describe("a secret", () => {
  it.each(showings)("does not show by %s", (_name, show) => {
    expect(show()).not.toContain(value);
  });

  it.each(showings.slice(0, 8))("says that something is there by %s", (_name, show) => {
    expect(show()).toContain("[secret]");
  });

  it("gives its value to reveal and to nothing else", () => {
    expect(secret.reveal()).toBe(value);
    expect(Number.isNaN(Number(secret))).toBe(true);
  });

  it("keeps any value, also one that is not a string", () => {
    const inner = { key: "k" };
    expect(new Secret(inner).reveal()).toBe(inner);
    expect(new Secret(undefined).reveal()).toBeUndefined();
    expect(JSON.stringify({ inner: new Secret(inner) })).toBe('{"inner":"[secret]"}');
  });

  it("cannot be read through a prototype or a borrowed method", () => {
    const forged = Object.create(secret) as Secret<string>;
    expect(() => forged.reveal()).toThrow(TypeError);
    expect(`${forged}`).toBe("[secret]");
  });
});

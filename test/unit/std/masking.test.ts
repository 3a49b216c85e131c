// Masker: no secret gets through in any spelling, nothing else is touched, and the memory has an end.
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { logEvents } from "../../../src/std/log-events.js";
import { Masker, secretMark } from "../../../src/std/masking.js";

function masked(secrets: readonly string[], text: string): string {
  const masker = new Masker();
  masker.keep(secrets);
  return masker.mask(text);
}

/** Characters that need escaping somewhere, and none of which the mark is made. */
const nasty = fc.constantFrom(..."abxyzABZ019+/=-_ &%\"\\'<>\n\t\u0001äß€😀~!*()");
const secretText = fc
  .array(nasty, { minLength: 6, maxLength: 40 })
  .map((parts) => parts.join(""))
  .filter((text) => text.trim().length >= 4);

describe("Masker", () => {
  it.each([
    ["in the middle", ["hunter22"], "pass hunter22 ok", "pass [secret] ok"],
    ["as the whole text", ["hunter22"], "hunter22", "[secret]"],
    ["at both ends", ["hunter22"], "hunter22 and hunter22", "[secret] and [secret]"],
    ["of four characters", ["abcd"], "xabcdx", "x[secret]x"],
    ["nested in another", ["token", "my-token-value"], "a my-token-value b token", "a [secret] b [secret]"],
    ["overlapping another", ["abcdef", "defghi"], "-abcdefghi-", "-[secret]-"],
    ["overlapping itself", ["ababab"], "-ababababab-", "-[secret]-"],
    ["touching another", ["abcd", "efgh"], "-abcdefgh-", "-[secret]-"],
    ["twice in a row", ["abcd"], "abcdabcd", "[secret]"],
    [
      "beginning as another does",
      ["IQoJb3Jp-one", "IQoJb3Jp-two"],
      "IQoJb3Jp-two IQoJb3Jp-six",
      "[secret] IQoJb3Jp-six",
    ],
    ["outside Latin-1", ["пароль密码"], "x пароль密码 y", "x [secret] y"],
    ["made of emoji", ["😀😁😂"], "x😀😁😂y", "x[secret]y"],
    ["with a lone surrogate", ["ab\ud800cd"], "x ab\ud800cd y", "x [secret] y"],
    ["with white space around it in its file", ["hunter22\n"], "pass hunter22 ok", "pass [secret] ok"],
  ])("masks a secret %s", (_, secrets, text, expected) => {
    expect(masked(secrets, text)).toBe(expected);
  });

  it.each([
    ["JSON", (s: string) => JSON.stringify({ a: s })],
    ["JSON in JSON", (s: string) => JSON.stringify({ a: JSON.stringify({ b: s }) })],
    ["JSON in JSON in JSON", (s: string) => JSON.stringify([JSON.stringify([JSON.stringify([s])])])],
    ["JSON by PHP", (s: string) => JSON.stringify(s).replaceAll("/", "\\/")],
    ["JSON by Python, logged", (s: string) => JSON.stringify(JSON.stringify(s).replace(/[^\0-\x7f]/g, escapeUnicode))],
    ["JSON by Go", (s: string) => JSON.stringify(s).replace(/[<>&]/g, escapeUnicode)],
    ["a query", (s: string) => `https://example.test/?q=${encodeURIComponent(s)}&r=1`],
    ["a query in lower case", (s: string) => encodeURIComponent(s).replace(/%../g, (hex) => hex.toLowerCase())],
    ["a form", (s: string) => new URLSearchParams({ q: s }).toString()],
    ["a path", (s: string) => encodeURI(s)],
    ["base64", (s: string) => Buffer.from(s).toString("base64")],
    ["base64url", (s: string) => Buffer.from(s).toString("base64url")],
    ["base64 behind a user name", (s: string) => `Basic ${Buffer.from(`me:${s}`).toString("base64")}`],
    ["base64 before and behind others", (s: string) => Buffer.from(`x${s}yz`).toString("base64url")],
  ])("masks a secret written as %s", (_, spell) => {
    for (const secret of [
      'p"a\\ss/w+ör<d>&=42?',
      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
      `${"Ab3+/".repeat(300)}==`,
      "a b c d e",
    ]) {
      const text = spell(secret);
      const out = masked([secret], text);
      expect(out).toContain(secretMark);
      expect(sharedRun(out, text)).not.toContain(text.slice(text.length / 2, text.length / 2 + 6));
    }
  });

  it("leaves nothing of a secret in base64, and everything of its neighbours", () => {
    const letters = Array.from({ length: 300 }, (_, at) => String.fromCharCode(33 + ((at * at * 7 + at) % 93))).join(
      "",
    );
    for (const length of [4, 5, 6, 7, 31, 95, 96, 97, 98, 99, 100, 130, 300]) {
      const secret = letters.slice(-length);
      for (const before of ["", "u", "us", "use", "user:"]) {
        for (const after of ["", "x", "xy", "xyz"]) {
          const text = Buffer.from(before + secret + after)
            .toString("base64")
            .replace(/=+$/, "");
          const hiddenFrom = Math.floor((before.length * 8) / 6);
          const hiddenTo = Math.ceil(((before.length + length) * 8) / 6);
          expect(masked([secret], text)).toBe(`${text.slice(0, hiddenFrom)}[secret]${text.slice(hiddenTo)}`);
        }
      }
    }
  });

  it("masks each longer line of a secret of several lines, and not the armour around a key", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
    expect(masked([key], "line: hkiG9w0BAQEFAASC.")).toBe("line: [secret].");
    expect(masked([key], "-----BEGIN PRIVATE KEY-----")).toBe("-----BEGIN PRIVATE KEY-----");
    expect(masked([key], `<${key}>`)).toBe("<[secret]>");
  });

  it.each([["abc"], [""], ["  a  "], ["        "]])("leaves alone what is too short to be a secret: %j", (value) => {
    expect(masked([value], `x ${value} y`)).toBe(`x ${value} y`);
  });

  it("changes nothing when it masks what is masked, whatever the secrets are called", () => {
    for (const secret of ["secret", "[secret]", "secr", "cret]"]) {
      const once = masked([secret, "hunter22"], "x hunter22 y");
      expect(once).toBe("x [secret] y");
      expect(masked([secret, "hunter22"], once)).toBe(once);
    }
    expect(masked(["secret"], "my secret")).toBe("my [secret]");
  });

  it("masks a secret of any length whole", () => {
    const secret = Array.from({ length: 20_000 }, (_, at) => String.fromCharCode(33 + ((at * 7919) % 90))).join("");
    const masker = new Masker();
    masker.keep([secret]);
    expect(masker.mask(`<${secret}>`)).toBe("<[secret]>");
    expect(masker.longestSecret()).toBeLessThan(100_000);
  });

  it("never shows a secret, among many that share their parts", () => {
    fc.assert(
      fc.property(
        fc.array(secretText, { minLength: 1, maxLength: 12 }),
        fc.array(nasty),
        fc.nat(),
        (secrets, filler, pick) => {
          const chosen = secrets[pick % secrets.length] ?? "";
          const out = masked(secrets, filler.join("") + chosen + filler.join(""));
          for (const secret of secrets) expect(out).not.toContain(secret);
        },
      ),
    );
  });

  it("touches nothing when no secret is there", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-f]{4,12}$/)), fc.stringMatching(/^[g-z ,.:]*$/), (secrets, text) => {
        expect(masked(secrets, text)).toBe(text);
      }),
    );
  });

  it("goes on masking a secret until its last holder lets go, and for a while after", () => {
    const masker = new Masker();
    const first = masker.keep(["hunter22"]);
    const second = masker.keep(["hunter22", "hunter22"]);
    first();
    first();
    expect(masker.mask("hunter22")).toBe("[secret]");
    second();
    expect(masker.mask("hunter22")).toBe("[secret]");
    for (let n = 0; n < 4_999; n++) masker.keep([`other-secret-${n}`])();
    expect(masker.mask("hunter22")).toBe("[secret]");
    for (let n = 0; n < 1_000; n++) masker.keep([`another-secret-${n}`])();
    expect(masker.mask("hunter22 other-secret-4998")).toBe("hunter22 [secret]");
  });

  it("does not forget a secret that is held, however many come and go", () => {
    const masker = new Masker();
    masker.keep(["hunter22"])();
    const release = masker.keep(["hunter22"]);
    for (let n = 0; n < 6_000; n++) masker.keep([`other-secret-${n}`])();
    expect(masker.mask("hunter22")).toBe("[secret]");
    release();
    expect(masker.mask("hunter22 other-secret-1500")).toBe("[secret] [secret]");
  });

  it("forgets completely what it forgets", () => {
    const masker = new Masker();
    const alike = Array.from({ length: 12_000 }, (_, n) => `IQoJb3JpZ2luX2Vj/${n.toString(36)}/IQoJb3JpZ2luX2Vj`);
    for (const value of alike) masker.keep([value])();
    const known = alike.filter((value) => masker.mask(value) === secretMark);
    expect(known).toEqual(alike.slice(-known.length));
    expect(known.length).toBeGreaterThanOrEqual(5_000);
    expect(known.length).toBeLessThan(5_500);
  });

  it("comes to an end with long secrets that are all alike, in a text that is like them all along", () => {
    // Compared one by one, these would take billions of steps.
    const masker = new Masker();
    masker.keep(Array.from({ length: 8 }, (_, n) => "x".repeat(3_000 + n)));
    expect(masker.mask("x".repeat(200_000))).toBe(secretMark);
    expect(masker.mask(`${"x".repeat(2_999)}y`.repeat(100))).not.toContain(secretMark);
  });

  it("masks what many secrets share until the last of them is forgotten", () => {
    const masker = new Masker();
    const shared = "a line that two secrets share";
    masker.keep([`${shared}\nfirst-first-first`])();
    const release = masker.keep([`${shared}\nsecond-second-second`]);
    for (let n = 0; n < 6_000; n++) masker.keep([`other-secret-${n}`])();
    expect(masker.mask(`${shared}, first-first-first`)).toBe("[secret], first-first-first");
    release();
    for (let n = 6_000; n < 12_000; n++) masker.keep([`other-secret-${n}`])();
    expect(masker.mask(shared)).toBe(shared);
  });

  it("remembers fewer released secrets when they are large", () => {
    const masker = new Masker();
    const large = Array.from({ length: 300 }, (_, n) => `${n}-`.repeat(12_000));
    for (const value of large) masker.keep([value])();
    expect(masker.mask(large.at(-1) ?? "")).toBe(secretMark);
    expect(masker.mask(large[0] ?? "")).not.toBe(secretMark);
  });

  it("knows the length of the longest secret", () => {
    const masker = new Masker();
    expect(masker.longestSecret()).toBe(0);
    masker.keep(["hunter22"]);
    expect(masker.longestSecret()).toBeGreaterThanOrEqual(Buffer.from("hunter22").toString("base64").length - 2);
    masker.keep(["x".repeat(1_000)]);
    expect(masker.longestSecret()).toBeGreaterThanOrEqual(1_333);
  });
});

function escapeUnicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** What of the text is still there, mark apart. */
function sharedRun(out: string, text: string): string {
  return out
    .split(secretMark)
    .filter((part) => text.includes(part))
    .join("|");
}

describe("secrets that are spelled out only when a text could hold them", () => {
  const alphanumeric = "ASIAQ7EXAMPLE4CREDNT";
  const key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY9";
  const spellings: Record<string, (secret: string) => string> = {
    "as it is": (secret) => secret,
    "in JSON": (secret) => JSON.stringify(JSON.stringify({ a: secret })),
    "in PHP's JSON": (secret) => JSON.stringify({ a: secret }).replaceAll("/", "\\/"),
    "in a URL": (secret) => `https://x/?k=${encodeURIComponent(secret)}`,
    "in base64": (secret) => Buffer.from(`user:${secret}`).toString("base64"),
    "in base64 behind one byte": (secret) => Buffer.from(`x${secret}y`).toString("base64"),
    "in base64url": (secret) => Buffer.from(secret).toString("base64url"),
  };
  it.each(Object.keys(spellings))("are masked %s", (name) => {
    for (const secret of [alphanumeric, key]) {
      const masker = new Masker();
      masker.mask("a line before it is known 00000000-0000-4000-8000-000000000001");
      const release = masker.keep([secret]);
      expect(masker.mask("00000000-0000-4000-8000-000000000001")).toBe("00000000-0000-4000-8000-000000000001");
      const text = `got ${spellings[name]?.(secret)} here`;
      expect(masker.mask(text)).toContain(secretMark);
      for (const spelled of [secret, encodeURIComponent(secret), secret.replaceAll("/", "\\/")]) {
        expect(masker.mask(text)).not.toContain(spelled);
      }
      release();
      expect(masker.mask(text)).toContain(secretMark);
    }
  });

  it("are masked wherever they stand in whatever text", () => {
    const between = fc.string({ unit: fc.constantFrom(...'aZ09+/=%.~-_ "\\:,{}ä€'), maxLength: 90 });
    const secret = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."abcXYZ0189"), minLength: 16, maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(..."abcXYZ0189+/=.~-_"), minLength: 40, maxLength: 90 }),
    );
    fc.assert(
      fc.property(between, secret, between, (before, value, after) => {
        const masker = new Masker();
        masker.keep([value]);
        expect(masker.mask(before + value + after)).not.toContain(value);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are not spelled out for what every line holds: events, fields, ids", () => {
    const masker = new Masker();
    masker.keep(["ASIA0123456789ABCDEF", alphanumeric, key]);
    // Every secret that is spelled out is spelled in base64, too.
    const spelled = vi.spyOn(Buffer, "from");
    onTestFinished(() => spelled.mockRestore());
    const ids = "00000000-0000-4000-8000-000000000001 us-east-1 2026-12-01T09:33:52.682Z";
    for (const [event, { fields }] of Object.entries(logEvents)) {
      masker.mask(JSON.stringify({ event, ids, ...Object.fromEntries(fields.map((name) => [name, ids])) }));
    }
    expect(spelled).not.toHaveBeenCalled();
    masker.mask("a run of 20 letters: abcdefghijklmnopqrst");
    expect(spelled).toHaveBeenCalled();
  });

  it("are forgotten in their turn, spelled out or not", () => {
    const masker = new Masker();
    for (let index = 0; index < 12_000; index++) masker.keep([`ABCDEFGHIJKLMNOP${index}`])();
    expect(masker.mask("ABCDEFGHIJKLMNOP0 ")).toBe("ABCDEFGHIJKLMNOP0 ");
    expect(masker.mask("ABCDEFGHIJKLMNOP11999 ")).toBe(`${secretMark} `);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlainTextStream, plainText } from "../../../src/job/plain-text.js";

describe("plainText", () => {
  it.each([
    ["colours", "\u001b[1;31merror\u001b[0m: no", "error: no"],
    ["cursor moves", "a\u001b[2K\u001b[1Gb", "ab"],
    ["a window title up to BEL", "\u001b]0;owned\u0007text", "text"],
    ["a link up to ST", "\u001b]8;;http://x\u001b\\click\u001b]8;;\u001b\\", "click"],
    ["a character set choice", "\u001b(Bplain", "plain"],
    ["control characters", "a\u0000b\u0008c\u007fd\u009be", "abcde"],
    ["marks that turn the direction", "safe\u202eevil\u2066", "safeevil"],
    ["a lone escape", "50\u001b", "50"],
  ])("takes out %s", (_what, text, expected) => {
    expect(plainText(text)).toBe(expected);
  });

  it("keeps tabs, line ends and every other script", () => {
    const text = "a\tb\nc\r\nd — grüße 日本 🚀";
    expect(plainText(text)).toBe(text);
  });

  it("gives text in which no escape is left, whatever came in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0x20ff })), (codes) => {
        expect(plainText(String.fromCharCode(...codes))).not.toMatch(/[^\P{Cc}\t\n\r]/u);
      }),
    );
  });
});

describe("PlainTextStream", () => {
  it("gives the same however the text is cut into chunks", () => {
    const piece = fc.constantFrom(
      "\u001b",
      "[",
      "]",
      "31",
      "m",
      ";",
      "\u0007",
      "\\",
      "text",
      "\n",
      "\r",
      "(",
      "B",
      "P",
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 12 }), (chunks) => {
        const stream = new PlainTextStream();
        const written = chunks.map((chunk) => stream.write(chunk.join(""))).join("") + stream.end();
        expect(written).toBe(plainText(chunks.flat().join("")));
      }),
      { numRuns: 1_000 },
    );
  });

  it("holds back no more than an escape sequence can be long", () => {
    const stream = new PlainTextStream();
    const shown = stream.write(`\u001b]0;${"x".repeat(5_000)}`);
    expect(shown).toContain("x".repeat(5_000));
  });
});

// MaskedLines: the same lines however the bytes were chunked, and no secret in any of them, whole or in part.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MaskedLines, Masker } from "../../../src/std/masking.js";

interface Stream {
  readonly secrets?: readonly string[];
  readonly maxLineLength?: number;
}

function linesOf(chunks: readonly (Buffer | string)[], { secrets = [], maxLineLength = 100 }: Stream = {}): string[] {
  const masker = new Masker();
  masker.keep(secrets);
  const lines: string[] = [];
  const stream = new MaskedLines({
    mask: (text) => masker.mask(text),
    longestSecret: () => masker.longestSecret(),
    maxLineLength,
    onLine: (line) => lines.push(line),
  });
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return lines;
}

function chunked(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n]));
}

describe("MaskedLines", () => {
  it.each([
    ["one line", "a\n", ["a"]],
    ["a line without an end", "a\nb", ["a", "b"]],
    ["an empty line", "a\n\nb\n", ["a", "", "b"]],
    ["lines of Windows", "a\r\nb\r\n\r\n", ["a", "b", ""]],
    ["a progress bar", "\r10%\r50%\r100%\ndone\n", ["10%", "50%", "100%", "done"]],
    ["a progress bar of Windows", "10%\r20%\r\n", ["10%", "20%"]],
    ["returns in a row", "a\r\r\rb\n", ["a", "b"]],
    ["nothing", "", []],
    ["only a return", "\r", []],
    ["bytes that are no UTF-8", Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a]), ["a\ufffd\ufffdb"]],
    ["a character that breaks off", Buffer.from([0x61, 0xe2, 0x82]), ["a\ufffd"]],
  ])("splits %s", (_, text, expected) => {
    const bytes = Buffer.from(text);
    expect(linesOf([bytes])).toEqual(expected);
    expect(linesOf([...bytes].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  it("lets a line out as soon as its end has come", () => {
    const lines: string[] = [];
    const stream = new MaskedLines({
      mask: (text) => text,
      longestSecret: () => 0,
      maxLineLength: 10,
      onLine: (line) => lines.push(line),
    });
    stream.write("50%\r");
    expect(lines).toEqual(["50%"]);
    stream.write("\n60");
    expect(lines).toEqual(["50%"]);
    stream.end();
    stream.end();
    stream.write("late\n");
    expect(lines).toEqual(["50%", "60"]);
  });

  it("cuts a long line in several, loses nothing of it and splits no character", () => {
    const text = "0123456789".repeat(40) + "😀".repeat(60);
    const lines = linesOf([`${text}\nnext\n`], { maxLineLength: 33 });
    expect(lines.join("")).toBe(`${text}next`);
    expect(lines.every((line) => line.length <= 33 && line.isWellFormed())).toBe(true);
  });

  it("shows no part of a secret that lies across a cut", () => {
    const secret = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY";
    for (let before = 0; before < 140; before++) {
      const text = `${".".repeat(before)}${secret}${".".repeat(140)}`;
      const lines = linesOf([text], { secrets: [secret], maxLineLength: 40 });
      expect(lines.join("")).toBe(`${".".repeat(before)}[secret]${".".repeat(140)}`);
    }
  });

  it("cuts nothing before it has seen every secret that may lie across the cut", () => {
    const secrets = ["abcdefghijklmnopqrstuvwxyz0123", "3ABCDEFGHIJKLMNOPQRSTUVWXYZ456"];
    const text = `${secrets[0]}${secrets[1]?.slice(1)}${".".repeat(200)}`;
    const lines = linesOf([...text], { secrets, maxLineLength: 10 });
    expect(lines).toEqual(["[secret] … [the rest of this line is left out]"]);
    expect(linesOf([text], { secrets, maxLineLength: 10 })).toEqual(lines);
    expect(linesOf([...text], { secrets, maxLineLength: 25 }).join("")).toBe(`[secret]${".".repeat(200)}`);
  });

  it("cuts an endless row of secrets between them", () => {
    const secret = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY";
    const halves = Array.from({ length: 2_000 }, () => [secret.slice(0, 15), secret.slice(15)]).flat();
    const lines = linesOf([...halves, "\nnext\n"], { secrets: [secret], maxLineLength: 100 });
    expect(new Set(lines)).toEqual(new Set(["[secret]", "next"]));
  });

  it("leaves out the rest of a line that can be cut nowhere, and says so", () => {
    // Without a period: repeated, it can be cut only where it ends, and no such place is tried.
    const secret = Array.from({ length: 500 }, (_, at) => ((at * at * 7919 + 13) % 1_000_003).toString(36).slice(-1));
    const text = secret.join("").repeat(20);
    const lines = linesOf([text, text, "\nnext\n"], { secrets: [secret.join("")] });
    expect(lines).toEqual(["[secret] … [the rest of this line is left out]", "next"]);
  });

  it("gives the same masked lines under any chunking, and never a secret", () => {
    // Letters of which neither the mark nor the note about left-out text is made of in such runs.
    const secret = fc.stringMatching(/^[XYZ0-9/+é😀]{4,40}$/u);
    const piece = fc.oneof(
      fc.stringMatching(/^[XYZ0-9/+é😀 ]{0,12}$/u),
      fc.constantFrom("\n", "\r", "\r\n", "€", "\n\n"),
    );
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof({ weight: 2, arbitrary: piece }, { weight: 1, arbitrary: fc.nat(3) }), { maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.integer({ min: 4, max: 60 }),
        (secrets, parts, cuts, maxLineLength) => {
          const text = parts.map((part) => (typeof part === "number" ? secrets[part % secrets.length] : part)).join("");
          const bytes = Buffer.from(text);
          const whole = linesOf([bytes], { secrets, maxLineLength });
          expect(linesOf(chunked(bytes, cuts), { secrets, maxLineLength })).toEqual(whole);
          expect(linesOf([text], { secrets, maxLineLength })).toEqual(whole);
          for (const line of whole) for (const value of secrets) expect(line).not.toContain(value);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("shows outside secrets exactly what one look at the whole line would show", () => {
    const word = fc.oneof(
      fc.constant("SECRET-ONE"),
      fc.constant("SECRET-ONE-AND-MORE"),
      fc.stringMatching(/^[a-z ]{0,30}$/),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.integer({ min: 10, max: 80 }), (words, maxLineLength) => {
        const secrets = ["SECRET-ONE", "SECRET-ONE-AND-MORE"];
        const shown = linesOf([words.join("")], { secrets, maxLineLength }).join("");
        if (shown.includes("left out")) return;
        const masker = new Masker();
        masker.keep(secrets);
        // A cut between two secrets that touch leaves a mark on either side of it.
        const squeezed = (text: string) => text.replace(/(\[secret\])+/g, "[secret]");
        expect(squeezed(shown)).toBe(squeezed(masker.mask(words.join(""))));
      }),
    );
  });
});

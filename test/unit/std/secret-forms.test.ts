// What the forms of a secret say of themselves is true, of every spelling and of any secret.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formsOf, partsOf } from "../../../src/std/secret-forms.js";

const anyText = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 4, maxLength: 60 }),
  fc.string({ unit: "binary", minLength: 90, maxLength: 150 }),
  fc.stringMatching(/^[A-Za-z0-9+/=]{97,120}$/),
  fc
    .array(fc.constantFrom("😀", "a", '"', "\\", "/", "<", "é", "\ud800", "\n", "\u0001"), {
      minLength: 97,
      maxLength: 120,
    })
    .map((parts) => parts.join("")),
);

describe("formsOf", () => {
  it("ends each form with its tail, within its length", () => {
    fc.assert(
      fc.property(anyText, (part) => {
        for (const form of formsOf(part)) {
          expect(form.text().endsWith(form.tail)).toBe(true);
          expect(form.text().length).toBeLessThanOrEqual(form.maxLength);
          expect(form.tail.length).toBeGreaterThanOrEqual(4);
        }
      }),
    );
  });

  it("has every spelling of a long secret that it has of a short one", () => {
    const short = "a\"b\\c/d<e>&é😀 f'g";
    const long = short.repeat(8);
    const spelled = (part: string) => formsOf(part).map((form) => form.text());
    for (const spell of [
      (text: string) => text,
      (text: string) => JSON.stringify(text).slice(1, -1),
      (text: string) => JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1),
      encodeURIComponent,
      encodeURI,
      (text: string) => new URLSearchParams({ q: text }).toString().slice(2).replaceAll("*", "%2A"),
    ]) {
      expect(spelled(short)).toContain(spell(short));
      expect(spelled(long)).toContain(spell(long));
    }
  });
});

describe("partsOf", () => {
  it("covers a value of any length with parts of bounded length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 20_000 }), (length) => {
        const value = Array.from({ length }, (_, at) => `${at}😀`)
          .join("")
          .slice(0, length);
        let covered = 0;
        for (const part of partsOf(value)) {
          expect(part.length).toBeLessThanOrEqual(4_096);
          expect(part.isWellFormed() || !value.isWellFormed()).toBe(true);
          const at = value.indexOf(part, Math.max(0, covered - part.length));
          expect(at).toBeLessThanOrEqual(covered);
          covered = at + part.length;
        }
        expect(covered).toBe(length);
      }),
      { numRuns: 30 },
    );
  });
});

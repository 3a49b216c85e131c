// Names: as bytes and as text, as one place or two, whichever hash there is.
import crypto from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { entryPath, Places } from "../../../src/artifacts/entry-names.js";
import { bytesOf, isText, textOf } from "../../../src/artifacts/entry-text.js";
import { tellsNamesApart } from "../../../src/artifacts/unpack/name-probe.js";
import { replaced } from "../../support/replaced.js";

const putBack = replaced(crypto, "hash", (real) => {
  const hash = (algorithm: string, ...rest: [never, never]) => {
    // As OpenSSL says it in FIPS mode.
    if (algorithm === "md5") throw new Error("error:0308010C:digital envelope routines::unsupported");
    return real(algorithm, ...rest);
  };
  return hash as typeof real;
});
afterAll(putBack);

it("any bytes come back from their text", () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.string().map((text) => new Uint8Array(Buffer.from(text))),
  );
  fc.assert(
    fc.property(bytes, (array) => {
      const name = Buffer.from(array);
      expect(Buffer.from(bytesOf(textOf(name))).equals(name)).toBe(true);
    }),
  );
  expect([isText(textOf(Buffer.from("caf\u00e9"))), isText(textOf(Buffer.of(0xe9)))]).toEqual([true, false]);
});

describe("places", () => {
  it("are told apart byte by byte where the disk does, also without MD5", () => {
    const places = new Places({ entriesMax: 100, isExact: true });
    const names = ["a", "A", "a.", "\u00e9", "e\u0301", textOf(Buffer.of(0xe9)), textOf(Buffer.of(0xe8)), "\ufffd"];
    expect(names.map((name) => places.take(name, "file"))).toEqual(names.map(() => false));
    expect(places.count).toBe(names.length);
    expect(places.take("a", "file")).toBe(true);
    expect(() => places.take("a", "link")).toThrow("appears twice");
    expect(() => places.take("a/b", "file")).toThrow("as a folder and as something else");
  });

  it.each([
    ["a", "A"],
    ["a", "a."],
    ["b/c", "B/d"],
    ["b", "b /d"],
    ["\u00e9", "e\u0301"],
    ["stra\u00dfe", "STRASSE"],
    ["\u017fecret", "secret"],
  ])("are one where the disk takes names for the same: %s and %s", (one, two) => {
    const places = new Places({ entriesMax: 100, isExact: false });
    places.take(one, "file");
    expect(() => places.take(two, "file")).toThrow("and this worker's disk cannot tell them apart; rename it");
    expect(places.take(one, "file")).toBe(true);
  });
});

it("a disk is asked whether it tells names apart, and keeps nothing of it", () => {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-names-"));
  // Linux's file systems do, those of macOS and Windows do not; a folder can be made either way.
  if (process.platform === "linux") expect(tellsNamesApart(folder)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

it("a name of a zip is judged by more readers than one of a tar", () => {
  expect(entryPath("/a//./b/", "zip")).toBe("a/b");
  expect(entryPath("a\\b\r", "tar")).toBe("a\\b\r");
  expect(() => entryPath("a\\b", "zip")).toThrow("which bsdtar takes for a slash");
  expect(() => entryPath("a\r", "zip")).toThrow("which unzip drops");
  expect(() => entryPath(textOf(Buffer.of(0xe9)), "zip")).toThrow("not UTF-8");
  for (const format of ["zip", "tar"] as const) {
    for (const name of ["../a", "a/..", "C:/a", "..\\a", "a\\..\\b", "\\\\host\\a", "a\0b"]) {
      expect(() => entryPath(name, format)).toThrow(/its entry /);
    }
  }
});

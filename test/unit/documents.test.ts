// Promise: every file and folder that the documents at the top, in docs/ and in .github/ name exists. Links are checked by
// docs/links.test.ts.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const isThere = (...path: readonly string[]) => globSync(join(root, ...path)).length > 0;

describe("ARCHITECTURE.md", () => {
  it("names only files that exist, from the top, from src, or beside the one named before", () => {
    let folder = "";
    const named = [...textOf("ARCHITECTURE.md").matchAll(/(?<![\w/.*-])(?:[\w.*-]+\/)*[\w.*-]+\.(?:ts|mjs|md)\b/g)];
    expect(named.length).toBeGreaterThan(80);
    const missing = named.flatMap(([path]) => {
      const place = ["", "src", folder].find((each) => isThere(each, path));
      if (place !== undefined) folder = dirname(join(place, path));
      return place === undefined ? [path] : [];
    });
    expect(missing).toEqual([]);
  });

  it("names only folders and programs that exist", () => {
    const named = [...textOf("ARCHITECTURE.md").matchAll(/`([\w.*-]+(?:\/[\w.*-]*)+)`/g)].map(([, path = ""]) => path);
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((path) => !isThere(path) && !isThere("src", path))).toEqual([]);
  });
});

const pages = ["README.md", ...globSync(["docs/**/*.md", ".github/*.md"], { cwd: root })];

it.each(["CHANGELOG.md", "llms.txt", ...pages])("%s names only files that exist", (document) => {
  const named = [...textOf(document).matchAll(/`((?:config|docs|scripts|src|test)\/[^`\s]*|[A-Z]+\.md)`/g)];
  expect(named.flatMap(([, path = ""]) => (isThere(path) ? [] : [path]))).toEqual([]);
});

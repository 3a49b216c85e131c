// Promise: every relative link of every document leads to a file and a heading that are there, the index of docs/ has
// every page, and whoever installed the package has what README.md and docs/ link to.
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { documents, type Page, pageAt, pageOf, root } from "../../support/documents.js";

const isRelative = (link: string) => !/^[a-z][a-z+.-]*:/i.test(link);

/** Where a link of a document leads: a path from the top, and an anchor or nothing. */
function targetOf(link: string, document: string) {
  const [path = "", anchor = ""] = link.split("#");
  const file = path === "" ? document : relative(root, join(root, dirname(document), decodeURIComponent(path)));
  return { file, anchor: decodeURIComponent(anchor) };
}

/** The links that lead nowhere. */
function brokenLinks({ links, anchors }: Page, document: string): readonly string[] {
  return links.filter(isRelative).filter((link) => {
    if (link.startsWith("#")) return !anchors.has(decodeURIComponent(link.slice(1)));
    const { file, anchor } = targetOf(link, document);
    if (file.startsWith("..") || !existsSync(join(root, file))) return true;
    if (anchor === "") return false;
    return !file.endsWith(".md") || !pageAt(file).anchors.has(anchor);
  });
}

describe("links", () => {
  it.each(documents)("of %s lead somewhere", (document) => {
    expect(brokenLinks(pageAt(document), document)).toEqual([]);
  });

  it("that lead nowhere are found, in sentences, tables, lists and quotes", () => {
    const text = `# It's \`a\` heading, twice\n[ok](#its-a-heading-twice) [no](#it-s-a-heading)\n
# It's \`a\` heading, twice\n[ok](#its-a-heading-twice-1) [no](#its-a-heading-twice-2)\n
| [no](none.md) | [ok](../README.md#do-i-need-it) |\n|---|---|\n| [no](../README.md#nothing) | [ok](https://a.example/x) |\n
- [no](../../outside.md)\n\n> [no](security.md/x) and [ok][reference]\n\n[reference]: security.md\n\n\`[code](code.md)\`\n`;
    expect(brokenLinks(pageOf(text, "docs/made-up.md"), "docs/made-up.md")).toEqual([
      "#it-s-a-heading",
      "#its-a-heading-twice-2",
      "none.md",
      "../README.md#nothing",
      "../../outside.md",
      "security.md/x",
    ]);
  });

  it("of the index of docs/ and of the decisions lead to every page", () => {
    const linked = (index: string) => pageAt(index).links.map((link) => targetOf(link, index).file);
    const all = [...linked("docs/README.md"), ...linked("docs/decisions/README.md")];
    const pages = globSync("docs/**/*.md", { cwd: root }).filter((page) => page !== "docs/README.md");
    expect(pages.filter((page) => !all.includes(page))).toEqual([]);
  });

  it("of README.md and docs/ lead to what is in the package, but for what is only in a clone", () => {
    const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { files: readonly string[] };
    const packed = [...files, "README.md", "LICENSE", "package.json"];
    const isPacked = (file: string) => packed.some((each) => file === each || file.startsWith(`${each}/`));
    const isOfClone = (file: string) => /^(src|test|scripts|\.ci|\.github\/workflows)\//.test(file);
    const away = documents
      .filter((document) => document === "README.md" || document.startsWith("docs/"))
      .flatMap((document) =>
        pageAt(document)
          .links.filter(isRelative)
          .map((link) => targetOf(link, document).file),
      );
    expect(away.length).toBeGreaterThan(50);
    expect([...new Set(away)].filter((file) => !isPacked(file) && !isOfClone(file))).toEqual([]);
  });
});

it("README.md is a door: under 200 lines", () => {
  expect(readFileSync(join(root, "README.md"), "utf8").split("\n").length).toBeLessThan(200);
  expect(statSync(join(root, "README.md")).size).toBeLessThan(12_000);
});

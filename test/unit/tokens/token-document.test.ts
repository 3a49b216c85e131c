// parseTokenDocument: YAML and JSON alike, every mistake found, and not a word of the file in any message.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseTokenDocument, TokenDocumentError } from "../../../src/tokens/token-document.js";

const a = "0a1b2c3d-0000-4000-8000-00000000000a";
const b = "0a1b2c3d-0000-4000-8000-00000000000b";

async function tokensOf(text: string): Promise<Record<string, string>> {
  const tokens = await parseTokenDocument(text);
  return Object.fromEntries([...tokens].map(([id, token]) => [id, token.reveal()]));
}

describe("parseTokenDocument", () => {
  it.each([
    ["plain YAML", `${a}: one\n${b}: two\n`, { [a]: "one", [b]: "two" }],
    ["JSON", JSON.stringify({ [a]: "one", [b]: "two" }, null, 2), { [a]: "one", [b]: "two" }],
    ["no clients", "{}", {}],
    ["comments, blank lines and line ends of Windows", `# ours\r\n\r\n${a}: one\r\n  # end`, { [a]: "one" }],
    ["quoted ids", `"${a}": one\n'${b}': two\n`, { [a]: "one", [b]: "two" }],
    ["a # within a token", `${a}: one#1\n${b}: "two #2" # ours\n`, { [a]: "one#1", [b]: "two #2" }],
    ["a comment behind a token", `${a}: one # ours\n`, { [a]: "one" }],
    ["both kinds of quotes", `${a}: "o'n#e"\n${b}: 't"wo'\n`, { [a]: "o'n#e", [b]: 't"wo' }],
    ["escapes", `${a}: "o\\u006ee"\n${b}: 't''wo'\n`, { [a]: "one", [b]: "t'wo" }],
    ["a document marker", `---\n${a}: one\n`, { [a]: "one" }],
    ["flow style", `{${a}: one, "${b}": 'two'}`, { [a]: "one", [b]: "two" }],
    ["upper case ids", `${a.toUpperCase()}: one\n`, { [a]: "one" }],
    ["tokens that look like something else", `${a}: 0123\n${b}: true\n`, { [a]: "0123", [b]: "true" }],
    ["tokens that look like numbers and nothing", `${a}: 1e5\n${b}: ~\n`, { [a]: "1e5", [b]: "~" }],
    ["the longest token", `${a}: ${"x".repeat(256)}`, { [a]: "x".repeat(256) }],
  ])("reads %s", async (_, text, expected) => {
    expect(await tokensOf(text)).toEqual(expected);
  });

  it.each([
    ["an empty file", "", "it is empty; write {} if there are no clients"],
    ["only white space", " \n\n", "it is empty; write {} if there are no clients"],
    ["only comments", "# nothing yet\n", "it is not a map of client ids to tokens"],
    ["a list", `- ${a}\n`, "it is not a map of client ids to tokens"],
    ["a text", "hush-hush", "it is not a map of client ids to tokens"],
    ["broken YAML", `${a}: one\n${b}: [hush-hush\n`, /^line \d: .*a bracket is not closed; /],
    ["broken JSON", `{"${a}": "hush-hush"\n"${b}": "hush-hush"}`, /^line 2: a character is missing: .*; add it$/],
    ["cut JSON", `{"${a}": "hush-h`, /^line 1: a character is missing: .*; add it$/],
    ["two documents", `${a}: hush-hush\n---\n${b}: hush-hush\n`, /^line 2: a second document starts here/],
    ["swapped columns", "hush-hush: 0a1b\n", "entry 1: its key is not a client id (a UUID)"],
    ["a merge key", `<<: {${a}: hush-hush}\n`, "entry 1: its key is not a client id (a UUID)"],
    ["a prototype", `{"__proto__": {"${a}": "hush-hush"}}`, "entry 1: its key is not a client id (a UUID)"],
    ["an id twice in YAML", `${a}: hush-hush\n${a}: other\n`, "entry 2: its client id is a duplicate"],
    ["an id twice in two cases", `${a}: hush-hush\n${a.toUpperCase()}: x\n`, "entry 2: its client id is a duplicate"],
    ["an id twice in JSON", `{"${a}": "hush-hush", "${a}" : "other"}`, "entry 2: its client id is a duplicate"],
    ["no token", `${a}:\n`, "entry 1: its token is empty"],
    ["an empty token", `${a}: ""\n`, "entry 1: its token is empty"],
    ["a number in JSON", `{"${a}": 12345}`, "entry 1: its token is not a text"],
    ["nothing in JSON", `{"${a}": null}`, "entry 1: its token is not a text"],
    ["a map for a token", `${a}: {hush: hush}\n`, "entry 1: its token is not a text"],
    ["an alias", `${a}: &t hush-hush\n${b}: *t\n`, "it uses aliases; write each token out"],
    ["too long a token", `${a}: ${"hush".repeat(65)}`, "entry 1: its token has 260 characters, the limit is 256"],
    ["a token with space around it", `${a}: " hush-hush"`, /white space/],
    ["a token with a line end", `${a}: |\n  hush-hush\n`, /white space/],
    [
      "a token that nobody filled in",
      `${a}: one\n${b}: "${"$"}{HUSH}"\n`,
      "entry 2: its token is a placeholder, and placeholders are not expanded",
    ],
    ["a token with a control character", `{"${a}": "hush\\u0000hush"}`, /control characters/],
  ])("refuses %s without quoting it", async (_, text, message) => {
    const error: unknown = await parseTokenDocument(text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenDocumentError);
    const shown = (error as Error).message;
    if (typeof message === "string") expect(shown).toBe(message);
    else expect(shown).toMatch(message);
    expect(shown + String((error as Error).stack)).not.toContain("hush-h");
  });

  it("tells the first few mistakes and how many more there are", async () => {
    const text = Array.from({ length: 40 }, (_, n) => `client-${n}: hush-hush`).join("\n");
    await expect(parseTokenDocument(text)).rejects.toThrow(/^entry 1: .*; entry 5: [^;]*; and 35 more$/);
  });

  it("reads the plainest lines exactly as a YAML reader does", async () => {
    const token = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9+/=_.~-]{1,20}$/),
      fc.stringMatching(/^"[^"\\\n\r]{0,8}"$/),
      fc.stringMatching(/^'[^'\n\r]{0,8}'$/),
      fc.stringMatching(/^[ -~]{1,12}$/),
    );
    const lines = fc.uniqueArray(fc.tuple(fc.uuid(), token), { selector: ([id]) => id, minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lines, async (entries) => {
        const text = entries.map(([id, value]) => `${id}: ${value}`).join("\n");
        const ours = await tokensOf(text).catch(() => undefined);
        if (ours === undefined) return;
        expect(ours).toEqual(parse(text, { schema: "failsafe", logLevel: "silent" }));
      }),
      { numRuns: 300 },
    );
  });

  it("reads as many clients as a file can hold", async () => {
    const count = 100_000;
    const id = (n: number) => `0a1b2c3d-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
    const text = Array.from({ length: count }, (_, n) => `${id(n)}: token-${n}\n`).join("");
    expect((await parseTokenDocument(text)).size).toBe(count);
  });
});

// A large client token file is taken apart in a thread, with the same result and without holding up the loop.
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseTokenDocument, TokenDocumentError } from "../../../src/tokens/token-document.js";
import { readTokens } from "../../../src/tokens/token-reading.js";

const clients = Array.from({ length: 20_000 }, (_, at) => [randomUUID(), `token-${at}`] as const);
const lines = clients.map(([id, token]) => `${id}: ${token}`).join("\n");

describe("readTokens", () => {
  it.each([
    ["plain lines", lines],
    ["a document marker first", `---\n${lines}`],
    ["JSON", JSON.stringify(Object.fromEntries(clients))],
    ["YAML that is not plain", `{${lines.replaceAll("\n", ",\n")}}`],
  ])("reads %s, many clients, as well as a few", async (_, text) => {
    const tokens = await readTokens(Buffer.from(text));
    expect([...tokens].map(([id, token]) => [id, token.reveal()])).toEqual(clients);
  });

  it("lets the loop turn meanwhile", async () => {
    const yaml = Buffer.from(`{${lines.replaceAll("\n", ",\n")}}`);
    const startedMs = performance.now();
    let [seenMs, longestMs, isOver] = [startedMs, 0, false];
    const turn = () => {
      longestMs = Math.max(longestMs, performance.now() - seenMs);
      seenMs = performance.now();
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    await readTokens(yaml);
    isOver = true;
    // In one piece it would be all of it.
    expect(longestMs).toBeLessThan((performance.now() - startedMs) / 2);
  });

  it.each([
    ["a mistake", `${lines}\nnobody: x\n`, "entry 20001: its key is not a client id (a UUID)"],
    ["broken YAML", `${lines}\n[hush-hush\n`, /^line 20001: /],
    ["bytes that are no text", `${lines}\n\xff`, "it is not UTF-8 text"],
  ])("says what is wrong with a large file: %s", async (_, text, message) => {
    const error: unknown = await readTokens(Buffer.from(text, "latin1")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenDocumentError);
    expect((error as Error).message).toMatch(message);
  });

  it("says the same of a small file", async () => {
    await expect(readTokens(Buffer.from([0xff]))).rejects.toThrow("it is not UTF-8 text");
    await expect(readTokens(Buffer.from(""))).rejects.toThrow("it is empty");
    await expect(parseTokenDocument("")).rejects.toThrow("it is empty");
  });
});

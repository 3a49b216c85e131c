// What is in a client token file: `{clientId: token}` as YAML or JSON, checked. No message ever quotes the
// file: what looks like a client id may be a token in the wrong place.
import type { ClientId, ClientToken } from "../job/job.js";
import { Secret } from "../job/secret.js";
import { strangeText, syntaxWords } from "../std/broken-yaml.js";
import { isClientId, tokenMistake } from "./token-value.js";

export type TokenMap = ReadonlyMap<ClientId, Secret<ClientToken>>;

/** The file cannot be used; the message says where and why, without a word of its content. */
export class TokenDocumentError extends Error {}

/** One line of plain YAML, which means the same to every reader; nearly all files consist of such lines. */
const plainLine =
  /^(["']?)([0-9A-Fa-f-]{36})\1:[ \t]+(?:"([^"\\]*)"|'([^']*)'|([A-Za-z0-9][A-Za-z0-9+/=_.~-]*))[ \t]*(?:[ \t]#.*)?$/;
/** Most mistakes shown at once; a file of the wrong kind has thousands. */
const shownMax = 5;

type Entry = readonly [id: unknown, token: unknown];

/** The tokens by client id, in lower case. Throws TokenDocumentError. */
export async function parseTokenDocument(text: string): Promise<TokenMap> {
  if (text.trim() === "") throw new TokenDocumentError("it is empty; write {} if there are no clients");
  return checked(jsonEntries(text) ?? plainEntries(text) ?? (await yamlEntries(text)));
}

/** `undefined`: no JSON, or JSON in which two members have one name, of which JSON.parse shows only the last. */
function jsonEntries(text: string): Entry[] | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const entries = Object.entries(JSON.parse(text) as object);
    const names = text.match(/"[0-9A-Fa-f-]{36}"\s*:/g)?.length ?? 0;
    return names > entries.length ? undefined : entries;
  } catch {
    // YAML tells the line; JSON.parse would quote it.
    return undefined;
  }
}

/** A hundred times as fast as the YAML reader, which would hold up the daemon for seconds on a large file. */
function plainEntries(text: string): Entry[] | undefined {
  const entries: Entry[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line) || (entries.length === 0 && /^---\s*$/.test(line))) continue;
    const [, , id, doubleQuoted, singleQuoted, plain] = plainLine.exec(line) ?? [];
    const token = doubleQuoted ?? singleQuoted ?? plain;
    if (id === undefined || token === undefined) return undefined;
    entries.push([id, token]);
  }
  return entries.length > 0 ? entries : undefined;
}

async function yamlEntries(text: string): Promise<Entry[]> {
  const strange = strangeText(text);
  if (strange) throw new TokenDocumentError(`it ${strange.what}; ${strange.remedy}`);
  const { isAlias, isMap, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  // failsafe: every scalar is a text, so that a token of digits stays what it is. Unique keys are checked below,
  // since the reader's own check takes time by the square.
  const options = { schema: "failsafe", uniqueKeys: false, prettyErrors: false, lineCounter: lines } as const;
  const document = parseDocument(text, options);
  const [error] = document.errors;
  if (error !== undefined) {
    const [what, remedy] = syntaxWords(error.code);
    throw new TokenDocumentError(`line ${lines.linePos(error.pos[0]).line}: ${what}; ${remedy}`);
  }
  if (!isMap(document.contents)) throw new TokenDocumentError("it is not a map of client ids to tokens");
  return document.contents.items.map(({ key, value }) => {
    if (isAlias(key) || isAlias(value)) throw new TokenDocumentError("it uses aliases; write each token out");
    return [isScalar(key) ? key.value : undefined, isScalar(value) ? value.value : value];
  });
}

function checked(entries: readonly Entry[]): TokenMap {
  const tokens = new Map<ClientId, Secret<ClientToken>>();
  const mistakes: string[] = [];
  for (const [at, [id, token]] of entries.entries()) {
    const clientId = typeof id === "string" ? id.toLowerCase() : "";
    const mistake = entryMistake(clientId, token, tokens);
    if (mistake !== undefined) mistakes.push(`entry ${at + 1}: ${mistake}`);
    else tokens.set(clientId as ClientId, new Secret(token as ClientToken));
  }
  if (mistakes.length === 0) return tokens;
  const more = mistakes.length > shownMax ? [`and ${mistakes.length - shownMax} more`] : [];
  throw new TokenDocumentError([...mistakes.slice(0, shownMax), ...more].join("; "));
}

function entryMistake(clientId: string, token: unknown, earlier: TokenMap): string | undefined {
  if (!isClientId(clientId)) return "its key is not a client id (a UUID)";
  if (earlier.has(clientId as ClientId)) return "its client id is a duplicate";
  const mistake = tokenMistake(token);
  return mistake && `its token ${mistake}`;
}

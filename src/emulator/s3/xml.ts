// The little XML that S3 speaks: documents out, and the list of parts in. A reader for exactly that list, within limits;
// no entity but the five of XML, no document type.
import { S3Error } from "./s3-error.js";

/** A value of an element: text, numbers, elements within, or several of the same name. */
export type XmlValue = string | number | boolean | undefined | XmlTree | readonly XmlTree[];
export interface XmlTree {
  readonly [name: string]: XmlValue;
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** A document with one root element. `undefined` elements are left out. */
export function xml(root: string, tree: XmlTree, isNamespaced = true): string {
  const attribute = isNamespaced ? ` xmlns="${namespace}"` : "";
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${inner(tree)}</${root}>`;
}

function inner(tree: XmlTree): string {
  return Object.entries(tree)
    .flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((each) => element(name, each)) : [element(name, value as XmlValue)],
    )
    .join("");
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  const content = typeof value === "object" ? inner(value as XmlTree) : escaped(String(value));
  return `<${name}>${content}</${name}>`;
}

function escaped(text: string): string {
  // Control characters have no place in XML 1.0, not even as references.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are meant
  const printable = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "?");
  return printable.replaceAll(/[<>&"'\r]/g, (character) => entities[character] ?? "");
}

const entities: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
  "'": "&apos;",
  "\r": "&#13;",
};

/** One part as CompleteMultipartUpload names it. */
export interface NamedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** By header name, such as `x-amz-checksum-crc32`. */
  readonly checksums: Readonly<Record<string, string>>;
}

const partsMax = 10_000;

/** The parts of a CompleteMultipartUpload document, in its order. Throws S3Error. */
export function namedParts(document: string): readonly NamedPart[] {
  const root =
    /^\s*(?:<\?xml[^>]*\?>)?\s*<CompleteMultipartUpload(?:\s[^>]*)?>([\s\S]*)<\/CompleteMultipartUpload>\s*$/;
  const body = root.exec(document)?.[1];
  if (body === undefined) throw new S3Error("MalformedXML");
  const parts = [...body.matchAll(/<Part>([\s\S]*?)<\/Part>/g)].map(([, part = ""]) => namedPart(part));
  const rest = body.replaceAll(/<Part>[\s\S]*?<\/Part>/g, "").trim();
  if (parts.length === 0 || parts.length > partsMax || rest !== "") throw new S3Error("MalformedXML");
  return parts;
}

function namedPart(text: string): NamedPart {
  const members = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/<(\w+)>([^<]*)<\/\1>/g))
    members.set(name, unescaped(value).trim());
  const number = members.get("PartNumber") ?? "";
  const etag = members.get("ETag");
  if (!/^\d{1,5}$/.test(number) || etag === undefined) throw new S3Error("MalformedXML");
  const checksums = [...members]
    .filter(([name]) => /^Checksum(?:CRC32|CRC32C|CRC64NVME|SHA1|SHA256)$/.test(name))
    .map(([name, value]) => [name.replace("Checksum", "x-amz-checksum-").toLowerCase(), value] as const);
  return { partNumber: Number(number), etag: etag.replaceAll('"', ""), checksums: Object.fromEntries(checksums) };
}

function unescaped(text: string): string {
  return text.replaceAll(/&(lt|gt|amp|quot|apos|#34|#39);/g, (_, name: string) => characters[name] ?? "");
}

const characters: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
  "#34": '"',
  "#39": "'",
};

// One header block of a tar, and the pax records before it, read strictly: what two readers could understand in two
// ways is refused. Pure; knows neither files nor folders.
import { textOf } from "../entry-text.js";
import { ArchiveRefused, DamageFound, shown } from "../refusal.js";
import type { SparsePiece } from "./tar-sparse.js";

export const blockBytes = 512;

export interface TarHeader {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly linkTarget: string;
}

/** Whether these first bytes of a file are a tar's: the checksum fits, with the magic or without it (v7). */
export function isTarHeader(block: Buffer): boolean {
  return block.length >= blockBytes && block[0] !== 0 && hasChecksum(block);
}

/** The header as it is, extensions not applied. Throws ArchiveRefused. */
export function tarHeader(block: Buffer): TarHeader {
  if (!hasChecksum(block)) throw new DamageFound("it is a tar with a damaged header; pack it again");
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = text(block, 345, 155);
  const ownName = text(block, 0, 100);
  const name = !isPosix || prefix === "" ? ownName : `${prefix}/${ownName}`;
  const type = String.fromCharCode(block[156] ?? 0);
  if (!isPosix && prefix !== "" && !"LKS".includes(type)) {
    const why = "has something in its header that Python takes for a folder's name";
    throw new ArchiveRefused(
      `its entry ${shown(name)} ${why}; pack it without --listed-incremental, or as --format=pax`,
    );
  }
  return {
    name,
    type,
    size: number(block, 124, 12, name),
    mode: number(block, 100, 8, name),
    linkTarget: text(block, 157, 100),
  };
}

/** The map that GNU's old sparse header (type S) holds: its first pieces, and whether a block of more follows. */
export function oldSparseHeader(block: Buffer, name: string) {
  return { ...sparsePieces(block, 386, 4, name), realBytes: number(block, 483, 12, name) };
}

/** A block of more pieces after a header of type S. */
export function moreSparsePieces(block: Buffer, name: string) {
  return sparsePieces(block, 0, 21, name);
}

function sparsePieces(block: Buffer, start: number, most: number, name: string) {
  const pieces: SparsePiece[] = [];
  for (let at = start; at < start + most * 24 && block[at] !== 0; at += 24) {
    pieces.push({ offset: number(block, at, 12, name), bytes: number(block, at + 12, 12, name) });
  }
  return { pieces, isContinued: block[start + most * 24] !== 0 };
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** The checksum counts its own field as blanks; old writers summed signed bytes. */
function hasChecksum(block: Buffer): boolean {
  const said = /^[ 0]*([0-7]{1,7})[ \0]/.exec(block.toString("latin1", 148, 157))?.[1];
  if (said === undefined) return false;
  let unsigned = 8 * 0x20;
  let signed = 8 * 0x20;
  for (let at = 0; at < blockBytes; at++) {
    if (at === 148) at = 156;
    const byte = block[at] ?? 0;
    unsigned += byte;
    signed += byte > 0x7f ? byte - 0x100 : byte;
  }
  const sum = Number.parseInt(said, 8);
  return sum === unsigned || sum === signed;
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return textOf(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits, or base 256 for what they cannot hold. */
function number(block: Buffer, at: number, length: number, name: string): number {
  const field = block.subarray(at, at + length);
  const wrong = () => new ArchiveRefused(`its entry ${shown(name)} has an impossible number in its header`);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw wrong();
    return value;
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(field.toString("latin1"))?.[1];
  if (digits === undefined) throw wrong();
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** What a pax header says of the next entry; what we do not use is left out. */
export interface PaxFields {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  /** `GNU.sparse.*` without the beginning. */
  readonly sparse?: ReadonlyMap<string, string>;
  /** The offsets and sizes of the oldest form, which repeats their two keys. */
  readonly sparseNumbers?: readonly string[];
}

const sparseKey = "GNU.sparse.";

/** Records of the form `LENGTH KEY=VALUE\n`. Throws ArchiveRefused. */
export function paxFields(content: Buffer): PaxFields {
  const damaged = () => new DamageFound("it is a tar with a damaged pax header; pack it again");
  const found: { path?: string; linkpath?: string; size?: number } = {};
  const sparse = new Map<string, string>();
  const sparseNumbers: string[] = [];
  for (let at = 0; at < content.length; ) {
    const digits = /^([1-9][0-9]{0,8}) /.exec(content.toString("latin1", at, at + 11))?.[1];
    if (digits === undefined) throw damaged();
    const end = at + Number(digits);
    const equals = content.indexOf("=", at);
    if (end > content.length || content[end - 1] !== 0x0a || equals < 0 || equals >= end) throw damaged();
    const key = content.toString("utf8", at + digits.length + 1, equals);
    const value = content.subarray(equals + 1, end - 1);
    at = end;
    if (key === "path") found.path = textOf(value);
    if (key === "linkpath") found.linkpath = textOf(value);
    if (key === `${sparseKey}offset` || key === `${sparseKey}numbytes`) sparseNumbers.push(value.toString("latin1"));
    else if (key.startsWith(sparseKey)) sparse.set(key.slice(sparseKey.length), textOf(value));
    if (key === "SCHILY.realsize" || key === "SUN.holesdata") {
      throw new ArchiveRefused("it has sparse files in star's format, which Python cannot read; pack it with GNU tar");
    }
    if (key !== "size") continue;
    if (!/^[0-9]{1,15}$/.test(value.toString("latin1"))) throw damaged();
    found.size = Number(value.toString("latin1"));
  }
  return { ...found, ...(sparse.size > 0 && { sparse }), ...(sparseNumbers.length > 0 && { sparseNumbers }) };
}

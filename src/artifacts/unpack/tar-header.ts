// One header block of a tar, and the pax records before it, read strictly: what two readers could understand in two
// ways is refused. Pure; knows neither files nor folders.
import { ArchiveRefused, DamageFound, shown } from "../refusal.js";

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

/** The header as it stands, extensions not applied. Throws ArchiveRefused. */
export function tarHeader(block: Buffer): TarHeader {
  if (!hasChecksum(block)) throw new DamageFound("it is a tar with a damaged header; pack it anew");
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const ownName = text(block, 0, 100);
  const name = prefix === "" ? ownName : `${prefix}/${ownName}`;
  return {
    name,
    type: String.fromCharCode(block[156] ?? 0),
    size: number(block, 124, 12, name),
    mode: number(block, 100, 8, name),
    linkTarget: text(block, 157, 100),
  };
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
  return (end < 0 ? field : field.subarray(0, end)).toString("utf8");
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
}

/** Records of the form `LENGTH KEY=VALUE\n`. Throws ArchiveRefused. */
export function paxFields(content: Buffer): PaxFields {
  const damaged = () => new DamageFound("it is a tar with a damaged pax header; pack it anew");
  const found: { path?: string; linkpath?: string; size?: number } = {};
  for (let at = 0; at < content.length; ) {
    const digits = /^([1-9][0-9]{0,8}) /.exec(content.toString("latin1", at, at + 11))?.[1];
    if (digits === undefined) throw damaged();
    const end = at + Number(digits);
    const equals = content.indexOf("=", at);
    if (end > content.length || content[end - 1] !== 0x0a || equals < 0 || equals >= end) throw damaged();
    const key = content.toString("utf8", at + digits.length + 1, equals);
    const value = content.toString("utf8", equals + 1, end - 1);
    at = end;
    if (key.startsWith("GNU.sparse.")) throw new ArchiveRefused("it has sparse files in it; pack without --sparse");
    if (key === "path") found.path = value;
    if (key === "linkpath") found.linkpath = value;
    if (key !== "size") continue;
    if (!/^[0-9]{1,15}$/.test(value)) throw damaged();
    found.size = Number(value);
  }
  return found;
}

// Where the data of a sparse file belongs, in each of the four forms that GNU tar has had; bsdtar, and so macOS's tar,
// writes the last one without being asked. Pure: it knows neither files nor folders.
import { DamageFound, shown } from "../refusal.js";
import { sparsePiecesMax } from "./unpack-limits.js";

/** Data at its place; between them are zeros. */
export interface SparsePiece {
  readonly offset: number;
  readonly bytes: number;
}

export interface SparseMap {
  readonly pieces: readonly SparsePiece[];
  /** The file's size with its holes. */
  readonly realBytes: number;
}

/** Throws DamageFound when the pieces overlap, reach beyond the file, or are not all of the data. */
export function checkedMap(name: string, map: SparseMap, dataBytes: number): SparseMap {
  let end = 0;
  let data = 0;
  for (const { offset, bytes } of map.pieces) {
    if (offset < end) throw damagedMap(name);
    end = offset + bytes;
    data += bytes;
  }
  if (end > map.realBytes || data !== dataBytes || !Number.isSafeInteger(map.realBytes)) throw damagedMap(name);
  return map;
}

/** A list of offsets and sizes in turn. */
export function piecesOf(name: string, numbers: readonly string[]): SparsePiece[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * sparsePiecesMax) throw damagedMap(name);
  const values = numbers.map((digits) => wholeNumber(name, digits));
  return Array.from({ length: values.length / 2 }, (_, n) => ({
    offset: values[2 * n] ?? 0,
    bytes: values[2 * n + 1] ?? 0,
  }));
}

export function wholeNumber(name: string, digits: string): number {
  if (!/^[0-9]{1,15}$/.test(digits)) throw damagedMap(name);
  return Number(digits);
}

export function damagedMap(name: string): DamageFound {
  return new DamageFound(`its sparse entry ${shown(name)} has a damaged map; pack it again`);
}

const blockBytes = 512;

/** The map in front of the data (form 1.0): a count, then offsets and sizes, a line each, up to the end of a block. */
export async function leadingMap(
  name: string,
  nextBlock: () => Promise<Buffer>,
): Promise<{ readonly pieces: SparsePiece[]; readonly mapBytes: number }> {
  const lines: string[] = [];
  let rest = "";
  let mapBytes = 0;
  let wanted = 1;
  while (lines.length < wanted) {
    const block = await nextBlock();
    if (block.length < blockBytes) throw damagedMap(name);
    mapBytes += blockBytes;
    const parts = (rest + block.toString("latin1")).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > blockBytes * 2) throw damagedMap(name);
    for (const part of parts) {
      if (lines.length === wanted) break;
      lines.push(part);
      if (lines.length > 1) continue;
      const count = wholeNumber(name, part);
      if (count > sparsePiecesMax) throw damagedMap(name);
      wanted = 1 + 2 * count;
    }
  }
  return { pieces: piecesOf(name, lines.slice(1)), mapBytes };
}

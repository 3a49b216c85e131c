// A scratch folder with an unpacker, as the artifact store uses it, and a look at what came out.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startUnpackWorker } from "../../src/artifacts/unpack/thread.js";
import { type UnpackCall, Unpacker } from "../../src/artifacts/unpack/unpack.js";
import type { UnpackLimits } from "../../src/artifacts/unpack/unpack-limits.js";
import type { Unpacked } from "../../src/artifacts/unpack/unpack-request.js";
import { systemClock } from "../../src/std/clock.js";
import { otherLimits } from "./artifact-limits.js";

export const roomyLimits: UnpackLimits = {
  maxArchiveBytes: 2 ** 30,
  maxExtractedBytes: 2 ** 30,
  maxEntries: 20_000,
  ...otherLimits,
};

export class UnpackRig {
  readonly folder = mkdtempSync(join(tmpdir(), "partnerd-unpack-"));
  readonly unpacker = new Unpacker({
    clock: systemClock,
    threadsMax: 3,
    threadIdleMs: 60_000,
    threadEndMs: 5_000,
    start: startUnpackWorker,
  });
  #calls = 0;

  /** A call for these bytes, in a place of its own. */
  call(bytes: Buffer, over: Partial<UnpackCall> = {}): UnpackCall {
    this.#calls++;
    const file = join(this.folder, `raw-${this.#calls}`);
    writeFileSync(file, bytes);
    return {
      artifact: "SourceOutput",
      file,
      into: join(this.folder, `out-${this.#calls}`),
      plainName: "SourceOutput",
      limits: roomyLimits,
      signal: new AbortController().signal,
      ...over,
    };
  }

  async unpack(bytes: Buffer, over: Partial<UnpackCall> = {}): Promise<{ unpacked: Unpacked; tree: Tree }> {
    const call = this.call(bytes, over);
    const unpacked = await this.unpacker.unpack(call);
    return { unpacked, tree: treeOf(call.into) };
  }

  async close(): Promise<void> {
    await this.unpacker.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Every path with what is there: a file's text, a link's target after `-> `, `/` for a folder. */
export type Tree = Readonly<Record<string, string>>;

export function treeOf(folder: string, within = ""): Tree {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(folder, within)).sort()) {
    const path = join(within, name);
    const full = join(folder, path);
    const stat = lstatSync(full);
    if (stat.isSymbolicLink()) found[path] = `-> ${readlinkSync(full)}`;
    else if (stat.isDirectory()) Object.assign(found, { [path]: "/" }, treeOf(folder, path));
    else found[path] = readFileSync(full, "latin1");
  }
  return found;
}

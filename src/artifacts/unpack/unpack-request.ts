// What the near side and the unpacking thread say to each other.
import type { LeftOut } from "../links.js";
import type { Refusal } from "../refusal.js";
import type { Progress } from "./growing-file.js";
import type { UnpackLimits } from "./unpack-limits.js";

/** Which file becomes which folder. */
export interface UnpackOrder {
  /** The artifact's name, for the texts of failures. */
  readonly artifact: string;
  /** Absolute path of the raw object. It must exist; it may still be growing. It is read and never changed. */
  readonly file: string;
  /** Absolute path of the folder to make. It must not exist; its parent must, on the file system of `file`. */
  readonly into: string;
  /** What a plain file is called in the folder: one name without slashes. */
  readonly plainName: string;
  /** The object's final size (Content-Length), when it is known before the end; else it is looked up at the end. */
  readonly size?: number;
  readonly limits: UnpackLimits;
}

/** What the thread is asked. */
export interface UnpackRequest extends UnpackOrder {
  readonly progress: Progress;
}

/** What a file turned out to be, by its bytes and never by its name. */
export type ArtifactKind = "zip" | "tar" | "tar.gz" | "tar.zst" | "file";

/** The result. */
export interface Unpacked {
  readonly kind: ArtifactKind;
  /** Files, links and folders, those included that only a path implied. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly bytes: number;
  /** Links that were not made (`artifacts.badLinks: skip`), when there are any. */
  readonly leftOut?: LeftOut;
}

/** What it answers: the folder is there, or why not, or that it stopped on request. */
export type UnpackAnswer =
  | { readonly type: "unpacked"; readonly unpacked: Unpacked }
  | ({ readonly type: "refused" } & Refusal)
  | { readonly type: "given-up" };

/** Where a folder is until it is complete. */
export function unfinishedPath(into: string): string {
  return `${into}.unpacking`;
}

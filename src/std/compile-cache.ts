// Code that was compiled once is compiled no more: V8's cache, in a folder beside the code itself, so that nobody can
// write it who could not write the code. In the system's folder for temporary files, where Node would put it, everybody can.
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";

/** Reads and writes the cache from now on, where it can: a folder that cannot be written is no error. */
export function useCompileCache(): void {
  nodeModule.enableCompileCache(fileURLToPath(new URL("../../.compile-cache", import.meta.url)));
}

// Puts a function of ours in the place of one of Node's own, for everybody in this process who imported it or will: files
// share their modules with the files before them, which a mock of a module would not reach.
import { syncBuiltinESMExports } from "node:module";

/** `module` is the default export of a module of Node's. Undone by the returned function. */
export function replaced<T extends object, K extends keyof T>(
  module: T,
  name: K,
  by: (real: T[K]) => T[K],
): () => void {
  const real = module[name];
  const put = (value: T[K]) => {
    module[name] = value;
    syncBuiltinESMExports();
  };
  put(by(real));
  return () => put(real);
}

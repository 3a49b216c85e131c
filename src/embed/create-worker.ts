// Makes a worker in somebody else's process. Loads nothing of the daemon before one is wanted: handlers import this package
// too, for its helpers alone.
import type { PartnerdWorker, WorkerConfig, WorkerOptions } from "./partnerd-worker.js";

/**
 * Makes a worker from a configuration, which is checked at once: an object, or the path of a file. A file is read as
 * `partnerd run -c FILE` reads it, with the variables PARTNERD_… over it; an object stands alone. Relative names of
 * files start at the file's folder, or at the working directory. Throws WorkerConfigError with every mistake.
 */
export async function createWorker(
  config: WorkerConfig | string,
  options: WorkerOptions = {},
): Promise<PartnerdWorker> {
  const { openWorker } = await import("./embedded-worker.js");
  return openWorker(config, options);
}

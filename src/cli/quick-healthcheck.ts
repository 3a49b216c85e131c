// `partnerd healthcheck` without the command line's library: a container runs it every few seconds, and that library and
// the descriptions of all commands are a fifth of what it costs (20 of 95 ms of CPU).
import type { LoadOptions } from "../config/find-files.js";
import type { Io } from "./io.js";

/** What is asked, and of which daemon. */
export interface Probe {
  readonly files: readonly string[];
  readonly path: "/livez" | "/readyz";
}

/** The probe that these words ask for; undefined: they are another command, or only cli.ts can say what they mean. */
export function probeOf(argv: readonly string[]): Probe | undefined {
  const [command, ...words] = argv;
  if (command !== "healthcheck") return undefined;
  const files: string[] = [];
  let path: Probe["path"] = "/livez";
  while (words.length > 0) {
    const word = words.shift();
    const file = word === "-c" || word === "--config" ? (words.shift() ?? "") : undefined;
    if (word === "--ready") path = "/readyz";
    // An empty name, or one that may be a flag, is a mistake that cli.ts explains.
    else if (file === undefined || file.trim() === "" || file.startsWith("-")) return undefined;
    else files.push(file);
  }
  return { files, path };
}

/** The exit code of a probe. */
export async function runProbe({ files, path }: Probe, io: Io): Promise<number> {
  const { healthcheck } = await import("./healthcheck.js");
  const options: LoadOptions = { files, environment: io.environment, directory: io.directory, overrides: [] };
  return healthcheck(options, path, io);
}

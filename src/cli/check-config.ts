// `partnerd check-config`: every mistake of a configuration at once, handlers loaded and files looked at; or one line
// that says what it stands for.
import type { Config } from "../config/config.js";
import { checkFiles } from "../config/files.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { describeMistake } from "../config/mistakes.js";
import { exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";

/** Builds what the configuration names, handlers and token source, and says what is wrong with it. */
export type CheckParts = (config: Config, areFilesThere: boolean) => Promise<readonly string[]>;

/** The exit code: 0 or 78. Throws ConfigError when the configuration itself is wrong. */
export async function checkConfig(
  options: LoadOptions,
  io: Io,
  checkParts: CheckParts = buildsParts(io),
): Promise<number> {
  const loaded = await loadConfig(options);
  const { config, settings, warnings } = loaded;
  const files = await checkFiles(config, settings);
  for (const warning of [...warnings, ...files.warnings]) io.err(`warning: ${describeMistake(warning)}\n`);
  const wrong = files.mistakes.map(describeMistake);
  const mistakes = [...wrong, ...(await checkParts(config, wrong.length === 0))];
  for (const mistake of mistakes) io.err(`${mistake}\n`);
  if (mistakes.length > 0) return exitCodes.configuration;
  io.out(`ok: ${summary(config)}\n`);
  return exitCodes.ok;
}

/** What a configuration stands for, in one line. */
function summary(config: Config): string {
  const regions = new Set(config.actionTypes.flatMap((type) => type.regions));
  const all = Object.keys(config.accounts ?? {}).length || 1;
  const accounts = (type: Config["actionTypes"][number]) => type.accounts?.length ?? all;
  const loops = config.actionTypes.reduce(
    (sum, type) => sum + type.regions.length * accounts(type) * (type.queryParams?.length ?? 1),
    0,
  );
  const { ledger, admin } = config;
  const where = config.accounts ? `${count(Object.keys(config.accounts).length, "account")} and ` : "";
  return [
    `${count(config.actionTypes.length, "action type")} in ${where}${count(regions.size, "Region")} (${count(loops, "poller")})`,
    count(Object.keys(config.handlers).length, "handler"),
    `up to ${count(config.worker.maxConcurrentJobs, "job")} at once`,
    `ledger ${ledgerPlace(ledger)}`,
    admin.port === 0 ? "no admin port" : `admin port ${admin.host}:${admin.port}`,
  ].join(", ");
}

function ledgerPlace(ledger: Config["ledger"]): string {
  switch (ledger.store) {
    case "memory":
      return "in memory";
    case "sqlite":
      return ledger.path;
    case "dynamodb":
      return `in the DynamoDB table ${ledger.table}`;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function buildsParts({ environment, err }: Io): CheckParts {
  return async (config, areFilesThere) => {
    const [builds, { createLog }, { Masker }, { systemClock }] = await Promise.all([
      import("../doctor/builds.js"),
      import("../std/log.js"),
      import("../std/masking.js"),
      import("../std/clock.js"),
    ]);
    const masker = new Masker();
    const log = createLog({ level: "error", format: "pretty", masker, destination: { write: err } });
    const options = { config, log, masker, clock: systemClock, environment };
    const tokens = areFilesThere ? await builds.checkTokens(options) : [];
    return [...tokens, ...(await builds.checkHandlers(options)), ...(await builds.checkLedgerClient(options))];
  };
}

// Environment variables and flags: what they reach, and what they must never be taken for.
import { describe, expect, it } from "vitest";
import { schema } from "../../../src/config/schema.js";
import { settingsOf } from "../../../src/config/setting.js";
import { commandVariables } from "../../../src/std/own-variables.js";
import { least, load, mistakesOf, optionsFor, warningsOf } from "./support.js";

/** The lines that this variable is answered with. */
function mistakes(environment: Record<string, string>): Promise<readonly string[]> {
  return mistakesOf(optionsFor(least, { environment }));
}

describe("an environment variable", () => {
  it("is named after its key, for every key that has one", () => {
    for (const [path, { env }] of settingsOf(schema)) {
      const name = path.replaceAll(".", "_").replaceAll(/[A-Z]/g, "_$&").toUpperCase();
      const isCollection = ["accounts", "actionTypes", "handlers", "clientTokens.tokens"].includes(path);
      expect(env, path).toBe(isCollection ? undefined : `PARTNERD_${name}`);
    }
  });

  it.each([
    ["PARTNERD_POLLING_MIN_INTERVAL", "2s", { polling: { minIntervalMs: 2_000 } }],
    ["PARTNERD_WORKER_MAX_CONCURRENT_JOBS", "7", { worker: { maxConcurrentJobs: 7 } }],
    ["PARTNERD_RETRY_REPORT_FACTOR", "1.5", { retry: { report: { factor: 1.5 } } }],
    ["PARTNERD_RETRY_DETAILS_MAX_ELAPSED", "none", { retry: { details: { maxElapsedMs: Number.POSITIVE_INFINITY } } }],
    ["PARTNERD_ARTIFACTS_MAX_ARCHIVE_BYTES", "1MiB", { artifacts: { maxArchiveBytes: 1_048_576 } }],
    ["PARTNERD_REGIONS", "us-west-2, eu-west-1", { actionTypes: [{ regions: ["us-west-2", "eu-west-1"] }] }],
    ["PARTNERD_LEDGER_STORE", "memory", { ledger: { store: "memory" } }],
    ["PARTNERD_AWS_ENDPOINT", "http://127.0.0.1:4599", { aws: { endpoint: "http://127.0.0.1:4599" } }],
  ])("%s=%s sets its key", async (name, text, expected) => {
    expect((await load(least, { environment: { [name]: text } })).config).toMatchObject(expected);
  });

  it.each([
    [
      "PARTNERD_POLLING_MIN_INTERVAL",
      "10",
      `polling.minInterval is "10", a number without a unit; write 10s (units: ms, s, m, h)`,
    ],
    [
      "PARTNERD_WORKER_MAX_CONCURRENT_JOBS",
      "10s",
      `worker.maxConcurrentJobs is "10s", not a whole number; write a whole number from 1 to 10000`,
    ],
    ["PARTNERD_WORKER_MAX_CONCURRENT_JOBS", "0x10", `worker.maxConcurrentJobs is the string "0x10"; write 16`],
    ["PARTNERD_ADMIN_PORT", "", undefined],
    ["PARTNERD_ALLOW_UNKNOWN_REGIONS", "1", `allowUnknownRegions is "1", not true or false; write true`],
    ["PARTNERD_REGIONS", "us-east-1,", "regions[1] is empty; write a value, or remove the key"],
    [
      "PARTNERD_REGIONS",
      "us-esat-1",
      `regions[0] is "us-esat-1", not a known Region; did you mean "us-east-1"? A new Region needs allowUnknownRegions: true`,
    ],
    [
      "PARTNERD_LOG_LEVEL",
      "INFO",
      `log.level is "INFO", not a known value; write info (choose debug, info, warn or error)`,
    ],
  ])("%s=%s is answered by its name", async (name, text, mistake) => {
    expect(await mistakes({ [name]: text })).toEqual(mistake === undefined ? [] : [`${name}: ${mistake}`]);
  });

  it("of a secret has a form that names a file, and only one of the two may be set", async () => {
    expect(await mistakes({ PARTNERD_ADMIN_TOKEN: "aaaaaaaaaaaaaaaa", PARTNERD_ADMIN_TOKEN_FILE: "./token" })).toEqual([
      "PARTNERD_ADMIN_TOKEN_FILE: PARTNERD_ADMIN_TOKEN is set as well; keep one of them",
    ]);
    expect(await mistakes({ PARTNERD_ADMIN_TOKEN_FILE: "./none" })).toEqual([
      `PARTNERD_ADMIN_TOKEN_FILE: admin.tokenFile: the file "./none" does not exist; check its name, and the folder it is relative to`,
    ]);
    expect((await mistakes({ PARTNERD_ADMIN_TOKEN: "hunter2" })).join()).not.toContain("hunter2");
  });

  it("that nobody knows is a warning, with the likeliest name", async () => {
    const environment = { PARTNERD_LOG_LEVL: "debug", PARTNERD_XYZ: "1", PARTNERD_EMPTY: "", OTHER: "x" };
    expect(await warningsOf(least, { environment })).toEqual([
      "PARTNERD_LOG_LEVL: is not a variable that partnerd knows; did you mean PARTNERD_LOG_LEVEL?",
      "PARTNERD_XYZ: is not a variable that partnerd knows; remove it",
    ]);
  });

  it("that partnerd gives its own commands is none of its configuration", async () => {
    const environment = Object.fromEntries(["PARTNERD_CONFIG", ...commandVariables].map((name) => [name, "x"]));
    expect(await warningsOf(least, { environment })).toEqual([]);
  });

  it("that Kubernetes sets for a Service of ours does no harm", async () => {
    const environment = {
      PARTNERD_SERVICE_HOST: "10.0.0.7",
      PARTNERD_SERVICE_PORT: "9464",
      PARTNERD_PORT: "tcp://10.0.0.7:9464",
      PARTNERD_PORT_9464_TCP_ADDR: "10.0.0.7",
      PARTNERD_ADMIN_PORT: "tcp://10.0.0.7:9464",
      PARTNERD_ADMIN_SERVICE_PORT_METRICS: "9464",
    };
    const { config, warnings } = await load(least, { environment });
    expect(config.admin.port).toBe(9_464);
    expect(warnings.map(({ where }) => where)).toEqual(["PARTNERD_ADMIN_PORT"]);
  });
});

describe("a flag", () => {
  const set = (key: string, text: string) =>
    mistakesOf(optionsFor(least, { overrides: [{ flag: "--set", key, text }] }));

  it("wins over the environment", async () => {
    const { config } = await load(least, {
      environment: { PARTNERD_ADMIN_PORT: "1000" },
      overrides: [{ flag: "--set", key: "admin.port", text: "2000" }],
    });
    expect(config.admin.port).toBe(2_000);
  });

  it.each([
    ["polling.minInterval", "9", `polling.minInterval is "9", a number without a unit; write 9s (units: ms, s, m, h)`],
    ["polling.minIntervall", "9s", `the key "polling.minIntervall" is unknown; did you mean polling.minInterval?`],
    [
      "__proto__.polluted",
      "9s",
      `the key "__proto__.polluted" is unknown; \`partnerd print-config\` shows every key; write it as in polling.minInterval=2s`,
    ],
    ["polling", "9s", `the key "polling" is unknown; it has keys of its own: polling.minInterval, polling.maxInterval`],
    [
      "admin.token",
      "hunter2-hunter2",
      "admin.token is a secret, and every user can see a command line; set PARTNERD_ADMIN_TOKEN or PARTNERD_ADMIN_TOKEN_FILE",
    ],
    ["log.level", "", 'log.level is "", not a known value; choose debug, info, warn or error'],
    ["ledger.path", "", "ledger.path is empty; write a value, or remove the key"],
    ["actionTypes", "x", "actionTypes is not a list; start each action type with a dash"],
  ])("%s=%s is refused", async (key, text, mistake) => {
    expect(await set(key, text)).toEqual([`--set: ${mistake}`]);
  });
});

// What a right configuration becomes: layers over one another, paths, defaults that depend on others, warnings.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/config/load.js";
import { describePlace } from "../../../src/config/mistakes.js";
import { Secret } from "../../../src/job/secret.js";
import { folder, least, load, mistakesOf, optionsFor, warningsOf, webhookSecret } from "./support.js";

const clientId = "11111111-1111-4111-8111-111111111111";

describe("a configuration", () => {
  it("is complete with nothing but what must be said", async () => {
    const { config, warnings } = await load(least);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      actionTypes: [
        {
          provider: "Acme",
          regions: ["us-east-1"],
          maxConcurrentJobs: 50,
          jobTimeoutMs: 1_800_000,
          afterCrash: "fail",
          secretProperties: [],
        },
      ],
      clientTokens: { source: "static", tokens: {} },
      worker: { maxConcurrentJobs: 50 },
      polling: { minIntervalMs: 1_000, maxIntervalMs: 15_000 },
      ledger: { store: "sqlite" },
      artifacts: {
        workDir: join(tmpdir(), "partnerd"),
        maxArchiveBytes: 2 ** 31,
        maxExtractedBytes: 2 ** 33,
        maxEntries: 200_000,
        minFreeBytes: 256 * 1024 ** 2,
        requestTimeoutMs: 300_000,
      },
      shutdown: { drainTimeoutMs: 25_000, cancelGraceMs: 5_000, reportTimeoutMs: 20_000 },
      admin: { host: "127.0.0.1", port: 9464 },
      log: { level: "info", format: "json" },
      aws: { appId: "partnerd", connectionTimeoutMs: 3_000, socketTimeoutMs: 10_000, requestTimeoutMs: 15_000 },
      retry: {
        poll: { minDelayMs: 1_000, maxDelayMs: 15_000, factor: 4, maxElapsedMs: Number.POSITIVE_INFINITY },
        throttledPoll: { minDelayMs: 2_000, maxDelayMs: 30_000, factor: 3 },
        details: { minDelayMs: 200, maxDelayMs: 5_000, factor: 2, maxElapsedMs: 30_000 },
        acknowledge: { minDelayMs: 200, maxDelayMs: 10_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY },
        report: { minDelayMs: 500, maxDelayMs: 30_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY },
        handler: { minDelayMs: 500, maxDelayMs: 30_000, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY },
        clientCooldownMs: 60_000,
      },
    });
    expect(Object.keys(config.admin)).toEqual(["host", "port"]);
    expect(Object.keys(config.aws)).not.toContain("endpoint");
    expect(Object.keys(config.actionTypes[0] ?? {})).not.toContain("queryParam");
  });

  it("cannot be changed any more, at any depth", async () => {
    const { config } = await load(least);
    const frozen = (value: object): boolean =>
      Object.isFrozen(value) &&
      Object.values(value).every((part) => typeof part !== "object" || part === null || frozen(part));
    expect(frozen(config)).toBe(true);
  });

  it("keeps every secret wrapped", async () => {
    const { config } = await load(
      `regions: [us-east-1]
actionTypes: [{ provider: Acme, category: Test, owner: ThirdParty, version: "1", handler: h }]
handlers: { h: { kind: http, url: "http://h/", secret: ${webhookSecret} } }
clientTokens: { tokens: { ${clientId}: hunter2 } }
admin: { token: hunter2-hunter2-hunter2 }`,
    );
    expect(JSON.stringify(config)).not.toMatch(/hunter2|whsec_/);
    expect(config.admin.token?.reveal()).toBe("hunter2-hunter2-hunter2");
    const { clientTokens, handlers } = config;
    expect(
      clientTokens.source === "static" && Object.values(clientTokens.tokens).map((token) => token.reveal()),
    ).toEqual(["hunter2"]);
    expect(handlers["h"]?.kind === "http" && handlers["h"].secret?.reveal()).toBe(webhookSecret);
  });

  it("has no handler that nobody wrote, whatever its name", async () => {
    const { config } = await load(least);
    expect(config.handlers["constructor"]).toBeUndefined();
    expect(Reflect.getPrototypeOf(config.handlers)).toBeNull();
  });

  it("takes a handler with the name of something every object has", async () => {
    const { config } = await load(
      least.replace("handler: h", "handler: constructor").replace("{ h:", "{ constructor:"),
    );
    expect(config.handlers["constructor"]).toMatchObject({ kind: "module" });
  });

  it("takes sections that are there but empty", async () => {
    const { config } = await load(`polling:\nlog: {}\naws: { endpoint: null }\nclientTokens:\n${least}`);
    expect(config.polling.minIntervalMs).toBe(1_000);
    expect(config.aws.endpoint).toBeUndefined();
  });

  it("is the same in JSON", async () => {
    const json = {
      regions: ["us-east-1"],
      actionTypes: [
        {
          provider: "Acme",
          category: "Test",
          owner: "Custom",
          version: "1",
          handler: "h",
          queryParam: { Project: "x" },
        },
      ],
      handlers: { h: { kind: "command", command: ["./h.sh", "-v"], env: { LEVEL: "2" } } },
      retry: { report: { factor: 1.5 } },
    };
    const directory = folder({ "a.json": JSON.stringify(json, null, "\t") });
    const { config } = await loadConfig({ files: ["a.json"], environment: {}, directory, overrides: [] });
    expect(config.actionTypes[0]?.queryParams).toEqual([{ Project: "x" }]);
    expect(config.handlers["h"]).toEqual({
      kind: "command",
      command: [join(directory, "h.sh"), "-v"],
      env: { LEVEL: "2" },
      breaker: { failures: 5, windowMs: 60_000 },
    });
    expect(config.retry.report).toMatchObject({ factor: 1.5, maxElapsedMs: Number.POSITIVE_INFINITY });
  });

  it("takes an empty queryParam for none, as PollForJobs does", async () => {
    const { config } = await load(least.replace("handler: h", "handler: h, queryParam: {}"));
    expect(config.actionTypes[0]?.queryParams).toBeUndefined();
  });

  it("takes one queryParam for a list of one", async () => {
    const [one, several] = await Promise.all(
      ["queryParam: { Project: shop }", "queryParams: [{ Project: shop }]"].map((key) =>
        load(least.replace("handler: h", `handler: h, ${key}`)),
      ),
    );
    expect(one?.config.actionTypes).toEqual(several?.config.actionTypes);
    expect(one?.config.actionTypes[0]).toMatchObject({ queryParams: [{ Project: "shop" }] });
    expect(one?.config.actionTypes[0]).not.toHaveProperty("queryParam");
  });
});

describe("defaults that depend on others", () => {
  it("let an action type have the worker's jobs and the top's Regions", async () => {
    const { config } = await load(
      `worker: { maxConcurrentJobs: 7 }\n${least.replace("[us-east-1]", "[us-east-1, cn-north-1]")}`,
    );
    expect(config.actionTypes[0]).toMatchObject({ maxConcurrentJobs: 7, regions: ["us-east-1", "cn-north-1"] });
  });

  it.each([
    ["20ms", 1_000],
    ["500ms", 1_000],
    ["2s", 2_000],
    ["1m", 60_000],
  ])(
    "keep the rest after a failed poll above its lower limit when polls are at most %s apart",
    async (max, expected) => {
      const min = max === "20ms" ? "50ms" : max;
      const { config } = await load(`polling: { minInterval: 50ms, maxInterval: ${min} }\n${least}`);
      expect(config.retry.poll.maxDelayMs).toBe(expected);
    },
  );

  it("take the Region of the environment when the configuration names none", async () => {
    const text = least.replace("regions: [us-east-1]\n", "");
    const regions = async (environment: Record<string, string>) =>
      (await load(text, { environment })).config.actionTypes[0]?.regions;
    expect(await regions({ AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "us-west-2" })).toEqual(["eu-west-1"]);
    expect(await regions({ AWS_DEFAULT_REGION: "us-west-2" })).toEqual(["us-west-2"]);
    expect(await mistakesOf(optionsFor(text))).toEqual([
      "partnerd.yaml:1: actionTypes[0] has no Region; set regions, at the top level or here",
    ]);
    expect(await mistakesOf(optionsFor(text, { environment: { AWS_REGION: "eu-wset-1" } }))).toEqual([
      expect.stringMatching(/^AWS_REGION: regions\[0\] is "eu-wset-1", not a known Region/),
    ]);
  });
});

describe("layers", () => {
  it("lie flags over environment over later files over earlier ones over defaults", async () => {
    const files = {
      "1.yaml": `${least}polling: { minInterval: 2s, maxInterval: 20s }\nshutdown: { drainTimeout: 1s, cancelGrace: 1s }\nlog: { level: warn, format: pretty }`,
      "2.yaml": "polling: { minInterval: 3s }\nshutdown: { drainTimeout: 2s }\nlog: { level: error }",
    };
    const { config, settings } = await loadConfig({
      files: ["1.yaml", "2.yaml"],
      directory: folder(files),
      environment: { PARTNERD_SHUTDOWN_DRAIN_TIMEOUT: "3s", PARTNERD_LOG_LEVEL: "info" },
      overrides: [{ flag: "--log-level", key: "log.level", text: "debug" }],
    });
    expect(config.polling).toEqual({ minIntervalMs: 3_000, maxIntervalMs: 20_000 });
    expect(config.shutdown).toEqual({ drainTimeoutMs: 3_000, cancelGraceMs: 1_000, reportTimeoutMs: 20_000 });
    expect(config.log).toEqual({ level: "debug", format: "pretty" });
    const sources = [
      "polling.minInterval",
      "polling.maxInterval",
      "shutdown.drainTimeout",
      "shutdown.reportTimeout",
      "log.level",
    ];
    expect(sources.map((path) => describePlace(settings.place(path)))).toEqual([
      "2.yaml:1",
      "1.yaml:4",
      "PARTNERD_SHUTDOWN_DRAIN_TIMEOUT",
      "",
      "--log-level",
    ]);
  });

  async function merged(first: string, second: string) {
    const directory = folder({ "1.yaml": first, "2.yaml": second });
    return (await loadConfig({ files: ["1.yaml", "2.yaml"], directory, environment: {}, overrides: [] })).config;
  }

  it("replace lists, and merge maps key by key", async () => {
    const config = await merged(
      `${least.replace("handler: h", "handler: b")}`.replace(
        "{ h:",
        "{ b: { kind: command, command: [make], env: { A: a, B: b } }, h:",
      ),
      "regions: [eu-west-1]\nhandlers: { b: { command: [ninja, all], env: { B: c, C: d } } }",
    );
    expect(config.actionTypes[0]?.regions).toEqual(["eu-west-1"]);
    expect(config.handlers["b"]).toEqual({
      kind: "command",
      command: ["ninja", "all"],
      env: { A: "a", B: "c", C: "d" },
      breaker: { failures: 5, windowMs: 60_000 },
    });
    expect(Object.keys(config.handlers)).toEqual(["b", "h"]);
  });

  it("replace a handler that changes its kind, and a token source that changes", async () => {
    const config = await merged(
      `${least}clientTokens: { source: file, path: ./tokens.yaml }`,
      `handlers: { h: { kind: http, url: "http://h/" } }\nclientTokens: { source: static, tokens: { ${clientId}: x } }`,
    );
    expect(config.handlers["h"]).toMatchObject({ kind: "http", url: "http://h/" });
    expect(config.clientTokens.source).toBe("static");
  });

  it("lose nothing by an empty section in a later file", async () => {
    const config = await merged(`${least}polling: { minInterval: 2s }`, "polling:\nhandlers:\nlog:");
    expect(config.polling.minIntervalMs).toBe(2_000);
  });

  it("let a secret's file replace the secret, and the other way round", async () => {
    const files = {
      "1.yaml": `${least}admin: { token: aaaaaaaaaaaaaaaa }`,
      "2.yaml": "admin: { tokenFile: ./token }",
      "3.yaml": "admin: { token: cccccccccccccccc }",
      token: "bbbbbbbbbbbbbbbb\n",
    };
    const directory = folder(files);
    const token = async (...names: string[]) =>
      (await loadConfig({ files: names, directory, environment: {}, overrides: [] })).config.admin.token?.reveal();
    expect(await token("1.yaml", "2.yaml")).toBe("bbbbbbbbbbbbbbbb");
    expect(await token("1.yaml", "2.yaml", "3.yaml")).toBe("cccccccccccccccc");
  });
});

describe("paths", () => {
  it("start at the file that names them, and at the working directory for everything else", async () => {
    const directory = folder();
    for (const name of ["a", "b"]) mkdirSync(join(directory, name));
    writeFileSync(
      join(directory, "a/1.yaml"),
      `${least}ledger: { path: ./x.db }\nclientTokens: { source: file, path: t.yaml }`,
    );
    writeFileSync(
      join(directory, "b/2.yaml"),
      "handlers: { h: { path: ../h.js }, c: { kind: command, command: [bin/run, ./in] } }",
    );
    const files = ["a/1.yaml", join(directory, "b/2.yaml")];
    const environment = { PARTNERD_ARTIFACTS_WORK_DIR: "work" };
    const { config } = await loadConfig({ files, directory, environment, overrides: [] });
    expect(config.ledger).toMatchObject({ store: "sqlite", path: join(directory, "a/x.db") });
    expect(config.clientTokens).toEqual({ source: "file", path: join(directory, "a/t.yaml") });
    expect(config.handlers["h"]).toMatchObject({ path: join(directory, "h.js") });
    expect(config.handlers["c"]).toMatchObject({ command: [join(directory, "b/bin/run"), "./in"] });
    expect(config.artifacts.workDir).toBe(join(directory, "work"));
  });

  it("let a program without a slash be looked for in PATH", async () => {
    const { config } = await load(
      least.replace("{ kind: module, path: ./h.js }", "{ kind: command, command: [make, -s] }"),
    );
    expect(config.handlers["h"]).toMatchObject({ command: ["make", "-s"] });
  });

  it("put the default ledger where the daemon is started", async () => {
    const directory = folder({ "c.yaml": least });
    const elsewhere = folder();
    const { config } = await loadConfig({
      files: [join(directory, "c.yaml")],
      directory: elsewhere,
      environment: {},
      overrides: [],
    });
    expect(config.ledger).toMatchObject({ store: "sqlite", path: join(elsewhere, "partnerd.db") });
  });
});

describe("the file that is read", () => {
  it("is PARTNERD_CONFIG, then partnerd.yaml here, when no flag names one", async () => {
    const directory = folder({ "partnerd.yaml": least, "other.yaml": least });
    const read = async (environment: Record<string, string>, files: readonly string[] = []) =>
      (await loadConfig({ files, directory, environment, overrides: [] })).files;
    expect(await read({})).toEqual(["partnerd.yaml"]);
    expect(await read({ PARTNERD_CONFIG: "other.yaml" })).toEqual(["other.yaml"]);
    expect(await read({ PARTNERD_CONFIG: "" })).toEqual(["partnerd.yaml"]);
    expect(await read({ PARTNERD_CONFIG: "none.yaml" }, ["other.yaml"])).toEqual(["other.yaml"]);
  });

  it("is missed in one line when there is none", async () => {
    const lines = await mistakesOf({ files: [], directory: folder(), environment: {}, overrides: [] });
    expect(lines).toEqual([
      expect.stringMatching(/^no configuration found: .*; `partnerd init` writes one to start from$/),
    ]);
  });
});

describe("the secrets of a rotation", () => {
  const other = `whsec_${Buffer.alloc(24, 8).toString("base64")}`;
  const withHandler = (keys: string) =>
    least.replace("{ kind: module, path: ./h.js }", `{ kind: http, url: 'http://h/'${keys} }`);

  it.each<[string, string, readonly string[]]>([
    ["none", "", []],
    ["none in a list", ", secrets: [], secretFiles: []", []],
    ["in a list", `, secrets: [${other}, ${webhookSecret}]`, [other, webhookSecret]],
    ["in files", ", secretFiles: [./other, ./secret]", [other, webhookSecret]],
    ["everywhere", `, secret: ${webhookSecret}, secrets: [${other}], secretFiles: [./secret]`, [other, webhookSecret]],
  ])("are read: %s", async (_what, keys, expected) => {
    const files = { other: `${other}\n`, secret: `${webhookSecret}\r\n` };
    const { config } = await load(withHandler(keys), { files });
    const handler = config.handlers["h"];
    expect(handler?.kind === "http" && (handler.secrets ?? []).map((secret) => secret.reveal())).toEqual(expected);
    expect(handler?.kind === "http" && handler.secret?.reveal()).toBe(
      keys.includes("secret:") ? webhookSecret : undefined,
    );
  });

  it.each([
    [`, secrets: ${other}`, /handlers\.h\.secrets is not a list; write \[first, second\]/],
    [", secrets: [whsec_aGk=]", /handlers\.h\.secrets\[0\] holds 2 bytes/],
    [`, secrets: [${other}, ${other}]`, /handlers\.h\.secrets\[1\] repeats item 0/],
    [", secretFiles: [./missing]", /handlers\.h\.secretFiles\[0\]: the file ".\/missing"/],
    [", secretFiles: [./wrong]", /handlers\.h\.secretFiles\[0\] is not `whsec_` and base64/],
    [", secretFiles: ./wrong", /handlers\.h\.secretFiles is not a list/],
    [", secretFiles: [7]", /handlers\.h\.secretFiles\[0\] is a number, not a path/],
    [", secretsFile: ./wrong", /the key handlers\.h\.secretsFile is unknown; did you mean secretFiles\?|secrets/],
  ])("are a mistake that shows none of them: %s", async (keys, expected) => {
    const lines = await mistakesOf(optionsFor(withHandler(keys), { files: { wrong: "hunter2hunter2" } }));
    expect(lines).toEqual([expect.stringMatching(expected)]);
    expect(lines.join()).not.toMatch(/hunter2|whsec_[A-Za-z0-9+/]/);
  });
});

describe("secrets in files", () => {
  it("are read without the line break that editors add", async () => {
    const files = { secret: `${webhookSecret}\r\n`, token: "aaaaaaaaaaaaaaaa" };
    const text = least.replace(
      "{ kind: module, path: ./h.js }",
      "{ kind: http, url: 'http://h/', secretFile: ./secret }",
    );
    const { config } = await load(`admin: { host: 0.0.0.0 }\n${text}`, {
      files,
      environment: { PARTNERD_ADMIN_TOKEN_FILE: "token" },
    });
    expect(config.handlers["h"]).toMatchObject({ secret: new Secret(webhookSecret) });
    expect(config.handlers["h"]?.kind === "http" && config.handlers["h"].secret?.reveal()).toBe(webhookSecret);
    expect(config.admin.token?.reveal()).toBe("aaaaaaaaaaaaaaaa");
  });

  it.each([
    ["", "has 0 characters; write 16 to 512"],
    ["short", "has 5 characters; write 16 to 512"],
    ["aaaaaaaa\naaaaaaaa", "has several lines; keep one of them"],
    ["aaaaaaaaaaaaaaaa\n\n", "starts or ends with white space or a second line break; remove it"],
    [" aaaaaaaaaaaaaaaa", "starts or ends with white space or a second line break; remove it"],
    ['"aaaaaaaaaaaaaaaa"', "is in quotes; remove them"],
    ["aaaaaaaa aaaaaaaa", "does not look like a bearer token; check that all of it was copied"],
    ["x".repeat(70_000), "is larger than 65536 bytes; is it the right file?"],
  ])("are checked like any other (%#)", async (token, mistake) => {
    const lines = await mistakesOf(optionsFor(`admin: { tokenFile: ./token }\n${least}`, { files: { token } }));
    expect(lines).toEqual([expect.stringMatching(/^partnerd\.yaml:1: admin\.tokenFile: .*"\.\/token".* /)]);
    expect(lines[0]?.endsWith(mistake)).toBe(true);
  });
});

describe("warnings", () => {
  it.each([
    [
      "a handler that nobody uses",
      least.replace("{ h:", "{ g: { kind: module, path: g.js }, h:"),
      ["partnerd.yaml:3: no action type uses the handler g; remove it, or name it in an action type"],
    ],
    [
      "more jobs than the worker takes",
      least.replace("handler: h", "handler: h, maxConcurrentJobs: 60"),
      [
        "partnerd.yaml:2: actionTypes[0].maxConcurrentJobs (60) is over worker.maxConcurrentJobs (50) and has no effect; raise worker.maxConcurrentJobs, or lower actionTypes[0].maxConcurrentJobs",
      ],
    ],
    [
      "more jobs of one customer than the worker takes of him",
      `worker: { maxConcurrentJobsPerClient: 5 }\n${least.replace("handler: h", "handler: h, maxConcurrentJobsPerClient: 6")}`,
      [
        "partnerd.yaml:3: actionTypes[0].maxConcurrentJobsPerClient (6) is over worker.maxConcurrentJobsPerClient (5) and has no effect; raise worker.maxConcurrentJobsPerClient, or lower actionTypes[0].maxConcurrentJobsPerClient",
      ],
    ],
    [
      "a timeout that another one hides",
      `aws: { socketTimeout: 20s }\n${least}`,
      [
        "partnerd.yaml:1: aws.socketTimeout (20s) is over aws.requestTimeout (15s) and has no effect; raise aws.requestTimeout, or lower aws.socketTimeout",
      ],
    ],
    [
      "a third-party job over an hour",
      `clientTokens: { source: file, path: t }\n${least.replace("Custom", "ThirdParty").replace("handler: h", "handler: h, jobTimeout: 2h")}`,
      [
        "partnerd.yaml:3: actionTypes[0].jobTimeout is over 1h, after which CodePipeline times out third-party actions unless AWS raised your quota; use continuations for longer work",
      ],
    ],
  ])("tell of %s", async (_, text, warnings) => {
    expect(await warningsOf(text)).toEqual(warnings);
  });
});

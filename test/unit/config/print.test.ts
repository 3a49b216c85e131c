// The effective configuration as it is shown, and the table for docs/configuration.md.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkFiles } from "../../../src/config/files.js";
import { loadConfig } from "../../../src/config/load.js";
import { printConfig } from "../../../src/config/print.js";
import { schema } from "../../../src/config/schema.js";
import { settingsOf } from "../../../src/config/setting.js";
import { configurationTable } from "../../../src/config/settings-table.js";
import { folder, least, load, webhookSecret } from "./support.js";

const rich = `regions: [us-east-1, eu-west-1]
actionTypes:
  - { provider: Acme-Scan, category: Test, owner: ThirdParty, version: "1", handler: scan.v2, secretProperties: [ApiKey] }
  - { provider: Acme-Build, category: Build, owner: Custom, version: "01", handler: build, queryParam: { Project: "7" }, jobTimeout: 90s }
  - { provider: Acme-Test, category: Test, owner: Custom, version: "1", handler: build, queryParams: [{ Project: a }, { Project: b }] }
handlers:
  scan.v2: { kind: http, url: "http://127.0.0.1:9000/jobs", requestTimeout: 1500ms }
  build: { kind: command, command: [./build.sh, "--level", "2", "null", "#x"], env: { LEVEL: "2", YES: "true" } }
clientTokens: { source: file, path: ./tokens.yaml }
accounts: { default: {}, shop: { roleArn: "arn:aws:iam::111111111111:role/p", externalId: "a:b" }, blog: { profile: blog } }
polling: { minInterval: 100ms }
retry: { details: { maxElapsed: none } }
`;

describe("printConfig", () => {
  it("prints what reads back as the same configuration, from anywhere", async () => {
    for (const text of [least, rich]) {
      const loaded = await load(text);
      const directory = folder({ "printed.yaml": printConfig(loaded) });
      const again = await loadConfig({ files: ["printed.yaml"], environment: {}, directory, overrides: [] });
      expect(again.config).toEqual(loaded.config);
    }
  });

  it("says of each value where it came from", async () => {
    const text = printConfig(
      await load(rich, {
        environment: { PARTNERD_LOG_LEVEL: "debug" },
        overrides: [{ flag: "--set", key: "admin.port", text: "0" }],
      }),
    );
    expect(text).toContain("level: debug # PARTNERD_LOG_LEVEL\n");
    expect(text).toContain("port: 0 # --set\n");
    expect(text).toContain("minInterval: 100ms # partnerd.yaml:11\n");
    expect(text).toContain("maxInterval: 15s # default\n");
    expect(text).toContain("requestTimeout: 1500ms # partnerd.yaml:7\n");
    const values = text.split("\n").filter((line) => /: \S/.test(line));
    expect(values.filter((line) => !/ # (default|partnerd\.yaml:\d+|PARTNERD_LOG_LEVEL|--set)$/.test(line))).toEqual(
      [],
    );
  });

  it("masks what is secret, or may be", async () => {
    const text = printConfig(
      await load(
        `regions: [us-east-1]
actionTypes:
  - { provider: A, category: Test, owner: ThirdParty, version: "1", handler: h }
  - { provider: B, category: Test, owner: ThirdParty, version: "1", handler: c }
  - { provider: C, category: Test, owner: ThirdParty, version: "1", handler: d }
handlers:
  h: { kind: http, url: "http://h/jobs?key=hunter2", secret: ${webhookSecret} }
  c: { kind: command, command: [make, --api-token=hunter2, --level=2], env: { API_KEY: hunter2, DB_PASSWORD: hunter2, LEVEL: "2" } }
  d: { kind: command, command: [make, "postgres://u:hunter2@h/", "--header=Authorization: Bearer hunter2"], env: { DB: "postgres://u:hunter2@h/" } }
clientTokens: { tokens: { 11111111-1111-4111-8111-111111111111: hunter2 } }
admin: { token: hunter2-hunter2-hunter2 }
`,
      ),
    );
    expect(text).not.toMatch(/hunter2|whsec_/);
    expect(text).toContain("--level=2");
    expect(text).toContain('[ make, "postgres://u:[secret]@h/", "--header=Authorization: [secret]" ]');
    expect(text).toContain('DB: "postgres://u:[secret]@h/"');
    expect(text).toContain('LEVEL: "2"');
    expect(text).toContain('11111111-1111-4111-8111-111111111111: "[secret]"');
    expect(text).toContain("http://h/jobs?[secret]");
  });

  it("masks each secret of a rotation, wherever it was written", async () => {
    const other = `whsec_${Buffer.alloc(24, 8).toString("base64")}`;
    const handler = `{ kind: http, url: "http://h/", secrets: [${webhookSecret}], secretFiles: [./old] }`;
    const text = printConfig(
      await load(least.replace("{ kind: module, path: ./h.js }", handler), { files: { old: other } }),
    );
    expect(text).not.toContain("whsec_");
    expect(text).toContain('secrets: [ "[secret]" ] # partnerd.yaml:3');
    expect(text).toContain('secretFiles: [ "[secret]" ] # partnerd.yaml:3');
  });
});

describe("the schema", () => {
  it("has defaults that are right themselves, and a sentence for each key", () => {
    for (const [key, setting] of settingsOf(schema)) {
      if (setting.default !== null) expect(setting.kind.problems(setting.default), key).toEqual([]);
      expect(setting.doc, key).toMatch(/^[A-Z`].*\.$/s);
    }
  });
});

describe("configurationTable", () => {
  it("has a row of five cells for every key", () => {
    const [head, line, ...rows] = configurationTable().trimEnd().split("\n");
    expect([head, line]).toEqual(["| Key | Value | Default | Variable | |", "|---|---|---|---|---|"]);
    for (const row of rows) expect(row.split(/(?<!\\)\|/), row).toHaveLength(7);
    for (const [path] of settingsOf(schema)) expect(rows.some((row) => row.startsWith(`| \`${path}\` |`))).toBe(true);
    expect(rows).toContain(
      "| `polling.minInterval` | duration | `1s` | `PARTNERD_POLLING_MIN_INTERVAL` | Interval between polls while jobs arrive. |",
    );
    expect(rows.filter((row) => row.startsWith("| `handlers.NAME."))).toHaveLength(15);
    expect(rows.filter((row) => row.startsWith("| `actionTypes[]."))).toHaveLength(17);
    expect(rows.filter((row) => row.startsWith("| `accounts.NAME."))).toHaveLength(4);
  });
});

describe("config/example.yaml", () => {
  it("is right, has no warnings, and names files that exist", async () => {
    const file = fileURLToPath(new URL("../../../config/example.yaml", import.meta.url));
    const { config, settings, warnings } = await loadConfig({
      files: [file],
      environment: {},
      directory: "/",
      overrides: [],
    });
    expect(warnings).toEqual([]);
    expect((await checkFiles(config, settings)).mistakes).toEqual([]);
    expect(
      Object.values(config.handlers)
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(["command", "http", "module"]);
  });
});

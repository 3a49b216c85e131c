// Warnings of services that cannot deliver, of what goes in clear, and of secrets that every user can read.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkFiles } from "../../../src/config/files.js";
import { loadConfig } from "../../../src/config/load.js";
import { folder, least, warningsOf, webhookSecret } from "./support.js";

const service = (url: string, admin = "") =>
  `${least.replace("{ kind: module, path: ./h.js }", `{ kind: http, url: "${url}" }`)}${admin && `admin: { ${admin} }\n`}`;
const token = "token: a-token-of-many-letters";

describe("a service on another machine is warned of when it cannot deliver a later outcome", () => {
  it.each([
    ["the admin port is on loopback", ""],
    ["the admin port is open, but the callback's URL is loopback's", `host: 0.0.0.0, ${token}`],
    ["so is the public URL", "publicUrl: 'http://127.0.0.1:9464'"],
  ])("%s", async (_, admin) => {
    for (const host of ["scan.example.com", "10.0.0.5", "scan", "[fd00::5]"]) {
      expect(await warningsOf(service(`https://${host}:9000/`, admin))).toEqual([
        expect.stringMatching(/^partnerd\.yaml:3: handlers\.h\.url is on another machine \(.*; set admin\.publicUrl/),
      ]);
    }
  });

  it.each([
    ["it is on this machine", "http://127.0.0.1:9000/", ""],
    ["it is on this machine, by name", "http://localhost:9000/", ""],
    ["it is on this machine, by IPv6", "http://[::1]:9000/", ""],
    ["a public URL is set", "https://scan.example.com/", `publicUrl: 'https://jobs.example.com', ${token}`],
    ["the port listens at its own address", "https://10.0.0.5/", `host: 10.0.0.4, ${token}`],
    ["there is no admin port, as the service is told", "https://scan.example.com/", "port: 0"],
  ])("and not when %s", async (_, url, admin) => {
    expect(await warningsOf(service(url, admin))).toEqual([]);
  });
});

describe("plain http to another machine is warned of", () => {
  const open = `host: 10.0.0.4, ${token}`;
  it.each([
    ["handlers.h.url", service("http://scan.example.com:9000/", open)],
    ["handlers.h.url", service("HTTP://10.0.0.5/", open)],
    ["admin.publicUrl", `${least}admin: { publicUrl: 'http://jobs.example.com', ${token} }\n`],
    ["aws.endpoint", `${least}aws: { endpoint: 'http://10.0.0.5:4599' }\n`],
    ["artifacts.endpoint", `${least}artifacts: { endpoint: 'http://[fd00::5]' }\n`],
    ["clientTokens.url", `${least}clientTokens: { source: http, url: 'http://tokens.example.com/{clientId}' }\n`],
    ["ledger.endpoint", `${least}ledger: { store: dynamodb, endpoint: 'http://db.example.com' }\n`],
  ])("in %s", async (path, text) => {
    expect(await warningsOf(text)).toEqual([expect.stringMatching(new RegExp(`: ${path} uses plain http to`))]);
  });

  it.each(["https://scan.example.com/", "http://127.0.0.1:9000/", "http://scan:9000/"])("not to %s", async (url) => {
    expect(await warningsOf(service(url, open))).toEqual([]);
  });
});

describe("a file with secrets that every user can read is warned of", () => {
  /** A configuration in folders that everybody may enter, with files of these modes. */
  async function warnings(text: string, modes: Readonly<Record<string, number>>, folderMode = 0o755) {
    const base = folder();
    const directory = join(base, "etc");
    mkdirSync(directory);
    const contents: Readonly<Record<string, string>> = {
      "partnerd.yaml": text,
      secret: webhookSecret,
      "tokens.yaml": "{}",
    };
    for (const [name, content] of Object.entries(contents)) {
      writeFileSync(join(directory, name), content);
      chmodSync(join(directory, name), modes[name] ?? 0o600);
    }
    chmodSync(base, 0o755);
    chmodSync(directory, folderMode);
    const loaded = await loadConfig({ files: ["partnerd.yaml"], environment: {}, directory, overrides: [] });
    const files = await checkFiles(loaded.config, loaded.settings);
    return [...loaded.warnings, ...files.warnings].map(({ what }) => what.replace(directory, ""));
  }

  const http = (keys: string) =>
    least.replace("{ kind: module, path: ./h.js }", `{ kind: http, url: "http://[::1]/", ${keys} }`);
  it.each([
    [
      "a secret's file",
      http("secretFile: ./secret"),
      "secret",
      /secretFile: every user can read the file ".\/secret" \(0644\)/,
    ],
    ["one of several", http("secretFiles: [./secret]"), "secret", /secretFiles\[0\]: every user can read/],
    [
      "the client token file",
      `${least}clientTokens: { source: file, path: tokens.yaml }\n`,
      "tokens.yaml",
      /token file/,
    ],
    [
      "the configuration",
      http(`secret: ${webhookSecret}`),
      "partnerd.yaml",
      /handlers\.h\.secret is a secret, and every/,
    ],
    ["the configuration, for a token", `${least}admin: { ${token} }\n`, "partnerd.yaml", /admin\.token is a secret/],
  ])("%s", async (_, text, name, says) => {
    expect(await warnings(text, { [name]: 0o644 })).toEqual([expect.stringMatching(says)]);
    for (const mode of [0o600, 0o640]) expect(await warnings(text, { [name]: mode })).toEqual([]);
    expect(await warnings(text, { [name]: 0o644 }, 0o700)).toEqual([]);
  });

  it("but not a configuration without secrets", async () => {
    expect(await warnings(http("secretFile: ./secret"), { "partnerd.yaml": 0o644 })).toEqual([]);
  });
});

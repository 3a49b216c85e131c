// Promise: the unit that users copy agrees with the program: its limits, exit codes, variables and folders.
// `.ci/systemd` runs it under a real systemd, which also judges its words and its exposure.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { loadConfig } from "../../src/config/load.js";

const lines = readFileSync(new URL("../../config/partnerd.service", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^[A-Z]/.test(line))
  .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
const all = (name: string) => lines.filter(([key]) => key === name).map(([, value]) => value);
const only = (name: string) => {
  expect(all(name), name).toHaveLength(1);
  return all(name)[0] ?? "";
};
const seconds = (name: string) => Number(/^(\d+)s$/.exec(only(name))?.[1]);

/** The variables it sets, with its folders as systemd would name them. */
const environment = Object.fromEntries(
  all("Environment").map((each) => {
    const [name = "", value = ""] = each.split("=");
    return [
      name,
      value.replace("%S", "/var/lib").replace("%C", "/var/cache").replace("%d", "/run/credentials/partnerd"),
    ];
  }),
);

const configured = () =>
  loadConfig({
    files: [new URL("../../config/example.yaml", import.meta.url).pathname],
    // The credential is there only under systemd.
    environment: Object.fromEntries(Object.entries(environment).filter(([name]) => !name.endsWith("_FILE"))),
    directory: "/var/lib/partnerd",
    overrides: [],
  });

it("sets only variables that partnerd knows, in folders that it has", async () => {
  const { PARTNERD_ADMIN_TOKEN_FILE: tokenFile, ...others } = environment;
  const { config, warnings } = await configured();
  expect(warnings.filter(({ what }) => what.includes("PARTNERD_"))).toEqual([]);
  expect(Object.keys(others).filter((name) => name.startsWith("PARTNERD_"))).toHaveLength(3);
  expect(config.artifacts.workDir).toBe("/var/cache/partnerd/work");
  expect(config.clientTokens).toEqual({ source: "file", path: "/run/credentials/partnerd/client-tokens.yaml" });
  const credentials = all("LoadCredential").map((each) => `/run/credentials/partnerd/${each.split(":")[0]}`);
  expect(credentials).toEqual(["/run/credentials/partnerd/client-tokens.yaml", tokenFile]);
  expect([only("StateDirectory"), only("CacheDirectory"), only("WorkingDirectory")]).toEqual([
    "partnerd",
    "partnerd",
    "%S/partnerd",
  ]);
});

it("waits longer than a start, a drain and three signs of life take", async () => {
  const { shutdown, systemd } = (await configured()).config;
  const drainMs = shutdown.drainTimeoutMs + shutdown.cancelGraceMs + shutdown.reportTimeoutMs;
  expect(seconds("TimeoutStopSec") * 1_000).toBeGreaterThan(drainMs);
  expect(seconds("TimeoutStartSec") * 1_000).toBeGreaterThan(systemd.readyWaitMs);
  expect(seconds("WatchdogSec")).toBeGreaterThanOrEqual(30);
});

it("never restarts what would only fail again, and never gives up the rest", () => {
  const { usage, configuration } = exitCodes;
  expect(only("RestartPreventExitStatus")).toBe(`${usage} ${configuration}`);
  expect([only("Restart"), only("StartLimitIntervalSec")]).toEqual(["always", "0"]);
});

it("lets its commands notify, drains by one signal, and leaves V8 its memory", () => {
  expect([only("Type"), only("NotifyAccess"), only("KillMode")]).toEqual(["notify", "all", "mixed"]);
  expect(only("ExecStart")).toMatch(/^node --max-semi-space-size=16 \/opt\/partnerd\/dist\/main\.js run -c /);
  expect(all("MemoryDenyWriteExecute")).toEqual([]);
  expect(only("CapabilityBoundingSet")).toBe("");
});

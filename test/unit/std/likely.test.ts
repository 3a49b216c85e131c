// What a message tells somebody to write: the value that was meant, as it is accepted.
import { describe, expect, it } from "vitest";
import { likelyHost, likelyNumber, likelyUrl, likelyWord } from "../../../src/std/likely.js";
import { least, load, mistakesOf, optionsFor } from "../config/support.js";

describe("the value that was meant", () => {
  it.each([
    ["0x10", 16],
    ["1e3", 1_000],
    ["8080.0", 8_080],
    ["10,000", 10_000],
    [" 10_000 ", 10_000],
    ["10s", undefined],
    ["", undefined],
    ["1,2", undefined],
  ])("of the number %j is %s", (written, number) => expect(likelyNumber(written)).toBe(number));

  it.each([
    ["third-party", "ThirdParty"],
    ["THIRD_PARTY", "ThirdParty"],
    ["custom", "Custom"],
    ["Costum", "Custom"],
    ["AWS", undefined],
  ])("of the word %j is %s", (written, word) => expect(likelyWord(written, ["ThirdParty", "Custom"])).toBe(word));

  it.each([
    ["*", "0.0.0.0"],
    ["127.0.0.1:9464", "127.0.0.1"],
    ["[::1]:9464", "::1"],
    ["[::1]", "::1"],
    ["http://localhost:1/", "localhost"],
    ["example.com", undefined],
  ])("of the address %j is %s", (written, host) => expect(likelyHost(written)).toBe(host));

  it.each([
    ["localhost:9000/jobs", "http://localhost:9000/jobs"],
    ["scan.internal", "http://scan.internal"],
    ["user:hunter2@host", undefined],
    ["//host", undefined],
  ])("of the URL %j is %s", (written, url) => expect(likelyUrl(written)).toBe(url));
});

/** A configuration with one wrong value, and with what its message says to write. */
describe("what a message says to write", () => {
  const type = (key: string, value: string) =>
    least.replace(", handler: h", key === "version" ? ", handler: h" : `, handler: h, ${key}: ${value}`);
  it.each([
    ["version", (value: string) => least.replace('version: "1"', `version: ${value}`), "0x1", '"0x1"'],
    ["version", (value: string) => least.replace('version: "1"', `version: ${value}`), "1e2", '"1e2"'],
    ["version", (value: string) => least.replace('version: "1"', `version: ${value}`), "true", '"true"'],
    ["provider", (value: string) => least.replace("Acme", value), "007", '"007"'],
    ["category", (value: string) => least.replace("Test", value), "test", "Test"],
    ["owner", (value: string) => least.replace("Custom", value), "custom", "Custom"],
    ["jobTimeout", (value: string) => type("jobTimeout", value), "1h30m", "90m"],
    ["afterCrash", (value: string) => type("afterCrash", value), "Fail", "fail"],
    ["maxConcurrentJobs", (value: string) => type("maxConcurrentJobs", value), '"0x10"', "16"],
    ["host", (value: string) => `${least}admin: { host: ${value} }`, '"127.0.0.1:9464"', '"127.0.0.1"'],
    ["allowUnknownRegions", (value: string) => `${least}allowUnknownRegions: ${value}`, "yes", "true"],
    ["maxArchiveBytes", (value: string) => `${least}artifacts: { maxArchiveBytes: ${value} }`, "1.5GB", "1536MiB"],
  ])("for %s is accepted", async (_, text, wrong, right) => {
    const lines = await mistakesOf(optionsFor(text(wrong)));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`; write (\\w+: )?${right}( \\(|$)`));
    await expect(load(text(right))).resolves.toBeDefined();
  });

  it("for a version with a dot is the text, and that CodePipeline takes no dot", async () => {
    const lines = await mistakesOf(optionsFor(least.replace('"1"', "1.0")));
    expect(lines).toEqual([
      'partnerd.yaml:2: actionTypes[0].version is 1.0, not a string; write version: "1.0"; and then write letters, digits, - and _ only',
    ]);
  });

  it.each([
    ["PARTNERD_ADMIN_PORT", "0x10", "16"],
    ["PARTNERD_ADMIN_PORT", "9,464", "9464"],
    ["PARTNERD_LOG_LEVEL", "INFO", "info"],
    ["PARTNERD_ALLOW_UNKNOWN_REGIONS", "1", "true"],
    ["PARTNERD_POLLING_MAX_INTERVAL", "PT1M", "1m"],
    ["PARTNERD_AWS_ENDPOINT", "localhost:4599", '"http://localhost:4599"'],
  ])("for %s=%s is accepted", async (name, wrong, right) => {
    const [line] = await mistakesOf(optionsFor(least, { environment: { [name]: wrong } }));
    expect(line).toMatch(new RegExp(`^${name}: .*; write ${right}( \\(|$)`));
    await expect(load(least, { environment: { [name]: right.replaceAll('"', "") } })).resolves.toBeDefined();
  });

  it.each([
    ["foo", /`partnerd print-config` shows every key/],
    ["minInterval", /did you mean polling\.minInterval\?/],
    ["polling", /it has keys of its own: polling\.minInterval, polling\.maxInterval/],
    ["handlers.h.url", /be set in a file/],
    ["actionTypes[0].jobTimeout", /be set in a file/],
    ["admin.prot", /did you mean admin\.port\?/],
  ])("for --set %s=1 leads to a key", async (key, says) => {
    const [line] = await mistakesOf(optionsFor(least, { overrides: [{ flag: "--set", key, text: "1" }] }));
    expect(line).toMatch(says);
  });
});

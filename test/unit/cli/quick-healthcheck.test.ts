import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { runCli } from "../../../src/cli/cli.js";
import { probeOf, runProbe } from "../../../src/cli/quick-healthcheck.js";
import { folder, least } from "../config/support.js";
import { keepingIo } from "./io.js";

describe("the quick health check", () => {
  it.each([
    [["healthcheck"], { files: [], path: "/livez" }],
    [["healthcheck", "--ready"], { files: [], path: "/readyz" }],
    [
      ["healthcheck", "-c", "a.yaml", "--ready", "--config", "b.yaml"],
      { files: ["a.yaml", "b.yaml"], path: "/readyz" },
    ],
  ])("reads %j", (argv, probe) => {
    expect(probeOf(argv)).toEqual(probe);
  });

  it.each([
    [[]],
    [["run"]],
    [["jobs", "healthcheck"]],
    [["healthcheck", "--help"]],
    [["healthcheck", "-c"]],
    [["healthcheck", "-c", ""]],
    [["healthcheck", "-c", "--ready"]],
    [["healthcheck", "--config=a.yaml"]],
    [["healthcheck", "--set", "admin.port=81"]],
    [["healthcheck", "a.yaml"]],
    [["healthcheck", "--", "--ready"]],
  ])("leaves %j to the command line's own rules", (argv) => {
    expect(probeOf(argv)).toBeUndefined();
  });

  it.each([
    [[], 200],
    [["--ready"], 503],
  ])("says what the command with %j says", async (flags, status) => {
    const server = createServer((request, response) => response.writeHead(request.url === "/readyz" ? 503 : 200).end());
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const directory = folder({
      "partnerd.yaml": `${least}admin: { port: ${(server.address() as AddressInfo).port} }\n`,
    });
    const argv = ["healthcheck", "-c", "partnerd.yaml", ...flags];
    const probe = probeOf(argv);
    if (!probe) throw new Error("no probe");
    const [quick, whole] = [keepingIo(directory), keepingIo(directory)];
    expect(await runProbe(probe, quick.io)).toBe(await runCli(argv, whole.io));
    expect(quick.kept).toEqual(whole.kept);
    expect(quick.kept.out + quick.kept.err).toContain(`answered ${status}`);
  });
});

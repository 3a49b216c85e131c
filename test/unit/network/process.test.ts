// What holds for a process as a whole: the CAs that it believes, and that no connection keeps it from its end.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startProxy } from "../../support/proxy.js";
import { ok, startRawServer } from "../../support/raw-server.js";
import { sourceHook } from "../../support/source-hook.js";
import { testCa } from "../../support/tls-front.js";

const child = fileURLToPath(new URL("../../support/http-child.ts", import.meta.url));

/** What the child writes; it is killed, and the test fails, when it does not end by itself. */
async function asked(url: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const argv = ["--experimental-strip-types", "--no-warnings", "--import", sourceHook, child, url];
  const env = { PATH: process.env["PATH"], ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env, timeout: 25_000, killSignal: "SIGKILL" });
  return stdout.trim();
}

describe("a process", () => {
  it("believes the CAs of NODE_EXTRA_CA_CERTS, also behind a proxy, and ends with its connections open", async () => {
    const service = await startRawServer((socket) => void socket.write(ok("x")), { isTls: true });
    const proxy = await startProxy(() => service.port);
    const url = `https://127.0.0.1:${service.port}/`;
    const behind = { NODE_EXTRA_CA_CERTS: testCa, HTTPS_PROXY: proxy.url };
    const answers = await Promise.all([
      asked(url, { NODE_EXTRA_CA_CERTS: testCa }),
      asked("https://codepipeline.us-east-1.amazonaws.com/", behind),
      asked("https://scan.elsewhere/", behind),
      asked(url, {}),
    ]);
    expect(answers.slice(0, 3)).toEqual(["200", "200", "ERR_TLS_CERT_ALTNAME_INVALID"]);
    expect(answers[3]).toMatch(/^(UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET)/);
    expect(service.heads).toHaveLength(2);
  });
});

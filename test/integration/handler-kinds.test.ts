// Promise: a handler of any kind may do whatever it likes; its job gets one truthful outcome and no other job notices.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import type { HandlerConfig } from "../../src/config/config.js";
import type { JobView } from "../../src/emulator/emulated-job.js";
import { Secret } from "../../src/job/secret.js";
import { type Behaviour, type Service, startService } from "../fixtures/handlers/service.js";
import { moduleHandler } from "../support/module-handler.js";
import {
  defaultRetry,
  freePort,
  type Rig,
  type RigOptions,
  scriptedHandler,
  startRig,
  thirdParty,
} from "../support/rig.js";

const shutdown = { drainTimeoutMs: 10_000, cancelGraceMs: 100, reportTimeoutMs: 5_000 };
const healthyType = { ...thirdParty, provider: "Acme-Healthy" };
const secret = 'p"ss\\w0rd-of-the-customer';

/** One daemon with the handler in question and a healthy one beside it. */
async function startBeside(
  handler: HandlerConfig,
  options: Omit<RigOptions, "actionTypes"> & { jobTimeoutMs?: number } = {},
) {
  const { jobTimeoutMs = 20_000, ...rest } = options;
  return startRig({
    ...rest,
    actionTypes: [
      { ...thirdParty, handler: "tried", jobTimeoutMs, secretProperties: ["ApiKey"] },
      { ...healthyType, handler: "scripted" },
    ],
    config: {
      shutdown,
      handlers: { tried: handler, scripted: moduleHandler(scriptedHandler) },
      ...rest.config,
    },
  });
}

/** Works one job of the handler in question, between healthy ones of which none may be harmed. */
async function works(rig: Rig, configuration: Record<string, string> = {}): Promise<JobView> {
  const healthy = rig.emulator.addJobs({ actionType: healthyType, count: 5 });
  const id = rig.emulator.addJob({ actionType: thirdParty, configuration: { ApiKey: secret, ...configuration } });
  const later = rig.emulator.addJobs({ actionType: healthyType, count: 5 });
  const job = await rig.emulator.waitForJob(id, "over");
  for (const each of [...healthy, ...later]) {
    expect((await rig.emulator.waitForJob(each, "over")).status).toBe("Succeeded");
  }
  await rig.event("job-reported", (event) => event.key.jobId === id);
  expect(job.results).toHaveLength(1);
  expect(rig.emulator.violations()).toEqual([]);
  return job;
}

/** Type and message of a job's failure. */
function failureOf(job: JobView): { type: string; message: string } {
  expect(job.status).toBe("Failed");
  const document = job.result?.document as { failureDetails: { type: string; message: string } } | undefined;
  return document?.failureDetails ?? { type: "none", message: "" };
}

/** `gone`, or the kernel's letter for what the process does; Z is dead as well, where init is slow to bury. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  } catch {
    return "gone";
  }
}

/** What the log says of the job. */
function said(rig: Rig, job: JobView): readonly string[] {
  return rig.logs.filter((line) => line["jobId"] === job.id).map((line) => String(line["msg"]));
}

describe("a command handler", () => {
  const command = (script: string): HandlerConfig => ({
    kind: "command",
    command: ["sh", "-c", script],
    env: { LEVEL: "2" },
  });
  const outcome = (document: unknown) =>
    `cat > /dev/null; printf '%s' '${JSON.stringify(document)}' > "$PARTNERD_OUTCOME"`;

  it("succeeds with its outcome document", async () => {
    await using rig = await startBeside(
      command(outcome({ kind: "succeeded", summary: "built", externalExecutionId: "b-7" })),
    );
    expect((await works(rig)).result?.document).toEqual({
      executionDetails: { summary: "built", externalExecutionId: "b-7" },
    });
  });

  it("succeeds by exit 0 alone, without reading its job", async () => {
    await using rig = await startBeside(command("exit 0"));
    expect((await works(rig)).status).toBe("Succeeded");
  });

  it("continues, and is given its token back", async () => {
    const script = `case "$PARTNERD_CONTINUATION_TOKEN" in
      "") ${outcome({ kind: "continued", continuationToken: "step-2", percentComplete: 50 })} ;;
      step-2) ${outcome({ kind: "succeeded", summary: "second step" })} ;;
    esac`;
    await using rig = await startBeside(command(script), { emulator: { settings: { continuationDelayMs: 1 } } });
    const first = await works(rig);
    expect(first.result?.document).toEqual({ continuationToken: "step-2", executionDetails: { percentComplete: 50 } });
    await rig.emulator.waitFor(
      () => rig.emulator.lastJob(first.id)?.id !== first.id && rig.emulator.lastJob(first.id)?.status === "Succeeded",
    );
    expect(rig.emulator.lastJob(first.id)?.result?.document).toMatchObject({
      executionDetails: { summary: "second step" },
    });
  });

  it.each([
    [1, "JobFailed"],
    [75, "SystemUnavailable"],
    [77, "PermissionError"],
    [78, "ConfigurationError"],
    [255, "JobFailed"],
  ])("that exits with %i fails as %s with the end of its stderr", async (code, type) => {
    await using rig = await startBeside(command(`echo starting; echo "no disk left" >&2; exit ${code}`));
    expect(failureOf(await works(rig))).toEqual({ type, message: "no disk left" });
  });

  it.each(["SEGV", "KILL", "ABRT", "TERM"])("that dies by SIG%s fails and says by what", async (signal) => {
    await using rig = await startBeside(command(`ulimit -c 0; echo "last words" >&2; kill -${signal} $$; sleep 60`));
    const failure = failureOf(await works(rig));
    expect(failure).toEqual({ type: "JobFailed", message: `the handler was killed by SIG${signal}\nlast words` });
  });

  it("that hangs and ignores SIGTERM is killed at the job's limit, its children with it", async () => {
    const script = `trap '' TERM; sh -c 'trap "" TERM; echo child $$; while :; do sleep 60; done' & while :; do sleep 60; done`;
    await using rig = await startBeside(command(script), { jobTimeoutMs: 1_000 });
    const job = await works(rig);
    expect(failureOf(job)).toEqual({
      type: "JobFailed",
      message: expect.stringContaining("limit of 1 s (jobTimeout)"),
    });
    const child = Number(
      said(rig, job)
        .find((line) => line.startsWith("child "))
        ?.slice(6),
    );
    expect(child).toBeGreaterThan(1);
    expect(stateOf(child)).toMatch(/^(gone|Z|X)$/);
    expect(rig.count("handler-abandoned")).toBe(0);
  });

  it("that prints megabytes without an end of line succeeds, and its output is bounded", async () => {
    const script = `yes "$(head -c 4000 /dev/zero | tr '\\0' x)" | head -c 30000000; head -c 20000000 /dev/zero >&2; exit 0`;
    await using rig = await startBeside(command(script));
    const job = await works(rig);
    expect(job.status).toBe("Succeeded");
    expect(rig.rawLogs.reduce((sum, line) => sum + line.length, 0)).toBeLessThan(16_000_000);
    expect(rig.logs).toContainEqual(expect.objectContaining({ event: "handler-output-truncated", jobId: job.id }));
  });

  it("that prints a secret, plain, in JSON, in base64 and in halves, shows it to nobody", async () => {
    const script = `job=$(cat)
      printf '%s\\n' "$job"
      printf '%s' "$job" | sed 's/.*"ApiKey":"//; s/",".*//; s/"}.*//' > key
      cat key >&2; echo >&2
      printf '%s' '${secret}' | base64 -w 0; echo
      printf '%s' '${secret.slice(0, 9)}'; sleep 0.05; printf '%s\\n' '${secret.slice(9)}'
      printf 'the key is %s\\n' '${secret}' >&2
      exit 3`;
    await using rig = await startBeside(command(script));
    const job = await works(rig);
    const { message } = failureOf(job);
    expect(message).toContain("the key is [secret]");
    const spellings = [secret, JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString("base64")];
    for (const text of [message, ...rig.rawLogs]) {
      for (const spelling of spellings) expect(text).not.toContain(spelling);
    }
    expect(said(rig, job).filter((line) => line.includes("[secret]")).length).toBeGreaterThanOrEqual(5);
  });

  it.each([
    ["that is no JSON", `echo nonsense > "$PARTNERD_OUTCOME"`, /is not JSON/],
    ["that is empty", `: > "$PARTNERD_OUTCOME"`, /is empty/],
    ["that is a link to a file of the machine", `ln -s /etc/passwd "$PARTNERD_OUTCOME"`, /is not a regular file/],
    ["that is a pipe", `mkfifo "$PARTNERD_OUTCOME"`, /is not a regular file/],
    ["that never ends", `head -c 3000000 /dev/zero > "$PARTNERD_OUTCOME"`, /is larger than/],
    ["of an unknown kind", outcome({ kind: "triumph" }), /triumph/],
  ])("fails truthfully after an outcome document %s", async (_what, script, why) => {
    await using rig = await startBeside(command(script));
    const failure = failureOf(await works(rig));
    expect(failure).toEqual({ type: "JobFailed", message: expect.stringMatching(why) });
  });

  it("works on when its work folder was taken away", async () => {
    await using rig = await startBeside(command("exit 0"));
    await works(rig);
    rmSync(rig.config.artifacts.workDir, { recursive: true });
    expect((await works(rig)).status).toBe("Succeeded");
  });

  it("leaves nothing behind in its work folder", async () => {
    await using rig = await startBeside(command(`mkdir a; chmod 000 a; echo x > b; ln -s /etc c; exit 0`));
    await works(rig);
    // The outcome does not wait until the folder is gone; the end of the daemon does.
    await rig.stop();
    expect(readdirSync(rig.config.artifacts.workDir)).toEqual([]);
  });
});

describe("a module handler", () => {
  it.each(["thread", "none"] as const)(
    "whose code meets what the machine lacks is not the customer's mistake (isolation: %s)",
    async (isolation) => {
      const { pathname } = new URL("../fixtures/handlers/module/meets-a-full-disk.js", import.meta.url);
      await using rig = await startBeside(moduleHandler(pathname, isolation));
      const { type, message } = failureOf(await works(rig));
      expect(type).toBe("SystemUnavailable");
      expect(message).toContain("the worker's machine is out of disk space (ENOSPC)");
    },
  );
});

describe("an http handler", () => {
  const quick = { minDelayMs: 5, maxDelayMs: 20, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

  async function startWith(
    behaviour: Behaviour,
    options: Parameters<typeof startBeside>[1] & {
      requestTimeoutMs?: number;
      secrets?: readonly Secret<string>[];
    } = {},
  ) {
    const { requestTimeoutMs = 10_000, secrets = [], ...rest } = options;
    const service: Service = await startService({ jobs: behaviour });
    onTestFinished(() => service.close());
    const handler: HandlerConfig = { kind: "http", url: `${service.url}/jobs`, secrets, requestTimeoutMs };
    return { service, rig: await startBeside(handler, rest) };
  }
  const succeeded = JSON.stringify({ kind: "succeeded" });
  const json =
    (document: unknown): Behaviour =>
    (_request, answer) =>
      void answer.end(JSON.stringify(document));

  it("succeeds with what the service answers", async () => {
    const { rig, service } = await startWith(json({ kind: "succeeded", summary: "scanned" }));
    await using _rig = rig;
    const job = await works(rig, { Project: "shop" });
    expect(job.result?.document).toEqual({ executionDetails: { summary: "scanned" } });
    expect(JSON.parse(service.requests[0]?.body ?? "")).toMatchObject({
      version: 1,
      jobId: job.id,
      configuration: { Project: "shop", ApiKey: secret },
    });
  });

  it("continues, and the next request carries the token", async () => {
    const { rig, service } = await startWith(
      (request, answer) => {
        const { continuationToken } = JSON.parse(request.body) as { continuationToken?: string };
        answer.end(
          JSON.stringify(continuationToken ? { kind: "succeeded" } : { kind: "continued", continuationToken: "t-1" }),
        );
      },
      { emulator: { settings: { continuationDelayMs: 1 } } },
    );
    await using _rig = rig;
    const first = await works(rig);
    const second = JSON.parse((await service.request(2)).body) as { continuationToken: string; jobId: string };
    expect(second).toMatchObject({ continuationToken: "t-1", jobId: rig.emulator.job(first.id)?.continuedBy });
    await rig.emulator.waitForJob(second.jobId, "over");
  });

  it("fails with the failure that the service answers", async () => {
    const { rig } = await startWith(json({ kind: "failed", type: "RevisionOutOfSync", message: "moved on" }));
    await using _rig = rig;
    expect(failureOf(await works(rig))).toEqual({ type: "RevisionOutOfSync", message: "moved on" });
  });

  it.each([
    [400, "ConfigurationError"],
    [404, "ConfigurationError"],
    [422, "ConfigurationError"],
    [401, "PermissionError"],
    [403, "PermissionError"],
    [302, "ConfigurationError"],
  ])("answered %i fails as %s at once, without the service's address", async (status, type) => {
    const { rig, service } = await startWith(
      (_request, answer) => void answer.writeHead(status, { location: "/" }).end("because"),
    );
    await using _rig = rig;
    const failure = failureOf(await works(rig));
    expect(failure.type).toBe(type);
    expect(failure.message).toContain(String(status));
    expect(failure.message).not.toContain(new URL(service.url).port);
    expect(service.requests).toHaveLength(1);
  });

  it.each([408, 425, 429, 500, 502, 503])("answered %i twice and then 200 succeeds", async (status) => {
    let answers = 0;
    const { rig, service } = await startWith((_request, answer) => {
      answers += 1;
      if (answers <= 2) answer.writeHead(status).end();
      else answer.end(JSON.stringify({ kind: "succeeded" }));
    });
    await using _rig = rig;
    const job = await works(rig);
    expect(job.status).toBe("Succeeded");
    expect(service.requests).toHaveLength(3);
    expect(new Set(service.requests.map(({ body }) => body)).size).toBe(1);
  });

  it.each<readonly [string, Behaviour]>([
    [
      "a page of HTML",
      (_request, answer) => void answer.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>"),
    ],
    ["half a JSON text", (_request, answer) => void answer.end('{"kind":"succ')],
    ["a connection that is cut", (request, answer) => void (request.body && answer.socket?.resetAndDestroy())],
    ["silence", () => {}],
    ["a body without end", (_request, answer) => void answer.write("{".repeat(10_000))],
    ["HTTP 503", (_request, answer) => void answer.writeHead(503).end()],
  ])(
    "whose service only ever gives %s fails as SystemUnavailable when the job's time is over",
    async (_what, behaviour) => {
      const { rig, service } = await startWith(behaviour, {
        jobTimeoutMs: 1_600,
        requestTimeoutMs: 200,
        config: { retry: { ...defaultRetry, handler: quick } },
      });
      await using _rig = rig;
      const failure = failureOf(await works(rig));
      expect(failure.type).toBe("SystemUnavailable");
      expect(failure.message).toMatch(/attempt/);
      expect(service.requests.length).toBeGreaterThan(1);
    },
  );

  it.each<readonly [string, RegExp, Behaviour]>([
    [
      "a compressed outcome",
      /compressed body \(Content-Encoding: gzip\)/,
      (_request, answer) => void answer.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(succeeded)),
    ],
    ["more than 1 MiB", /more than 1048576 bytes/, (_request, answer) => void answer.end(" ".repeat(1024 * 1024 + 1))],
    [
      "broken JSON that it calls JSON",
      /application\/json that is not JSON/,
      (_request, answer) => {
        answer.writeHead(200, { "content-type": "application/json", "content-length": "2" }).end("no");
      },
    ],
  ])("whose service answers %s fails at once, and the job names the cause", async (_what, message, behaviour) => {
    const { rig, service } = await startWith(behaviour, { jobTimeoutMs: 600_000 });
    await using _rig = rig;
    const failure = failureOf(await works(rig));
    expect(failure).toMatchObject({ type: "JobFailed", message: expect.stringMatching(message) });
    expect(service.requests).toHaveLength(1);
  });

  it("whose service changes its secret gets both signatures, so that either verifies", async () => {
    const [now, next] = [1, 2].map((fill) => `whsec_${Buffer.alloc(32, fill).toString("base64")}`) as [string, string];
    const { rig, service } = await startWith((_request, answer) => void answer.end(succeeded), {
      secrets: [next, now].map((each) => new Secret(each)),
    });
    await using _rig = rig;
    expect((await works(rig)).status).toBe("Succeeded");
    const [{ headers, body } = { headers: {}, body: "" }] = service.requests;
    for (const each of [now, next]) {
      expect(new Webhook(each).verify(body, headers as Record<string, string>)).toMatchObject({ version: 1 });
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(32, 3).toString("base64")}`);
    expect(() => stranger.verify(body, headers as Record<string, string>)).toThrow();
  });

  it("whose service is down is asked again until it is up", async () => {
    const port = await freePort();
    const handler: HandlerConfig = { kind: "http", url: `http://127.0.0.1:${port}/jobs`, requestTimeoutMs: 300 };
    await using rig = await startBeside(handler, { config: { retry: { ...defaultRetry, handler: quick } } });
    const id = rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("job-started", (event) => event.key.jobId === id);
    const service = createServer((_request, answer) => void answer.end('{"kind":"succeeded"}'));
    onTestFinished(() => void service.close());
    await new Promise<void>((resolve) => service.listen(port, "127.0.0.1", resolve));
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  });

  it("that echoes a secret in its refusal shows it to nobody", async () => {
    const { rig } = await startWith(
      (_request, answer) => void answer.writeHead(422).end(JSON.stringify({ message: `bad key ${secret}` })),
    );
    await using _rig = rig;
    const { message } = failureOf(await works(rig));
    expect(message).toContain("bad key [secret]");
    expect(rig.rawLogs.join("")).not.toContain(JSON.stringify(secret).slice(1, -1));
  });
});

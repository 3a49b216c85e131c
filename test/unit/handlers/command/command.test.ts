import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import type { HandlersOptions } from "../../../../src/handlers/registry.js";
import { JobFailure } from "../../../../src/job/failure.js";
import { type Built, build, outcomeOf, realTime, waitedFor } from "../../../fixtures/handlers/build.js";
import { aCall, type CallOptions, jobSecrets } from "../../../fixtures/handlers/call.js";
import { FakeClock } from "../../../support/fake-clock.js";

const built: Built[] = [];
afterEach(() => Promise.all(built.splice(0).map((each) => each.close())));

async function given(
  script: string,
  environment: Record<string, string> = {},
  env: Record<string, string> = {},
  overrides: Partial<HandlersOptions> = {},
) {
  const one = await build(
    { kind: "command", command: ["/bin/sh", "-c", script], env },
    { ...realTime, environment: { PATH: process.env["PATH"], ...environment }, ...overrides },
  );
  built.push(one);
  return one;
}

/** Runs a script to its end: what the engine makes of it, and what was logged. */
async function ran(script: string, options: CallOptions = {}) {
  const one = await given(script);
  const call = aCall(options);
  const outcome = await outcomeOf(one.handler.run(call), call);
  return { outcome, call, log: call.log, one };
}

describe("who left the command's group", () => {
  /** Starts a process in a session of its own that holds none of the command's pipes. */
  const flee =
    "setsid sh -c 'trap : TERM HUP; touch free; while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 & echo fled $!; while ! [ -e free ]; do sleep 0.01; done";

  it.each([
    ["succeeds", "exit 0", { kind: "succeeded" }],
    ["fails", "echo broken >&2; exit 75", { kind: "failed", type: "SystemUnavailable", message: "broken" }],
  ])(
    "is ended when the command %s, before its outputs are collected, and the log says so",
    async (_what, end, outcome) => {
      const one = await given(`printf text > outputs/Report/found; ${flee}; ${end}`);
      const call = aCall();
      expect(await outcomeOf(one.handler.run(call), call)).toEqual(outcome);
      await expect.poll(() => lives(fledIn(call))).toBe(false);
      expect(call.log.lines.filter(({ level }) => level === "warn")).toEqual([
        expect.objectContaining({ event: "handler-processes-killed", fields: { count: expect.any(Number) } }),
      ]);
    },
  );

  it("is ended when the command is stopped", async () => {
    const one = await given(`${flee}; echo started; while :; do sleep 0.01; done`);
    const call = aCall();
    const run = one.handler.run(call);
    run.catch(() => {});
    await call.log.has("started");
    call.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    await expect.poll(() => lives(fledIn(call))).toBe(false);
    expect((await call.log.logged("handler-processes-killed")).level).toBe("warn");
  });

  it("is left alone when it belongs to a job that still runs", async () => {
    const one = await given(`${flee}; cat >/dev/null; [ "$PARTNERD_JOB_ID" = quick ] || while :; do sleep 0.01; done`);
    const slow = aCall({ jobId: "slow" });
    const run = one.handler.run(slow);
    run.catch(() => {});
    await slow.log.has(/^fled/);
    const quick = aCall({ jobId: "quick" });
    await one.handler.run(quick);
    await expect.poll(() => lives(fledIn(quick))).toBe(false);
    expect(lives(fledIn(slow))).toBe(true);
    slow.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    await expect.poll(() => lives(fledIn(slow))).toBe(false);
  });

  it("costs an ordinary job no warning", async () => {
    const { log } = await ran("printf text > outputs/Report/found");
    expect(log.lines).toEqual([]);
  });

  function fledIn(call: { readonly log: { readonly messages: string[] } }): number {
    return Number(/fled (\d+)/.exec(call.log.messages.join("\n"))?.[1]);
  }
});

it("cannot have its outcome written by a neighbour, who knows its folder but not the name", async () => {
  const one = await given(
    `echo "at $PWD"; echo '{"kind":"succeeded","summary":"mine"}' >mine
     while ! [ -e go ]; do sleep 0.01; done; mv mine "$PARTNERD_OUTCOME"`,
  );
  const victim = aCall({ job: { outputs: [] } });
  const run = one.handler.run(victim);
  await victim.log.has(/^at /);
  const folder = await victim.workspace.folder();
  const neighbour = await given(
    `echo '{"kind":"failed","message":"theirs"}' | tee ${folder}/outcome.json "${folder}/$(basename "$PARTNERD_OUTCOME")" >/dev/null
     touch ${folder}/go`,
  );
  await neighbour.handler.run(aCall({ job: { outputs: [] } }));
  expect(await run).toEqual({ kind: "succeeded", summary: "mine" });
});

it("leaves nobody alive when it is closed, also who left the command's group", async () => {
  const script = "setsid sh -c 'trap : TERM; echo fled $$; while :; do sleep 0.05; done' & wait";
  const { handler } = await given(script);
  const call = aCall();
  const end = handler.run(call).catch((error: unknown) => error);
  await expect.poll(() => call.log.messages).toContainEqual(expect.stringMatching(/^fled/));
  const pid = Number(/fled (\d+)/.exec(call.log.messages.join("\n"))?.[1]);
  onTestFinished(() => {
    if (lives(pid)) process.kill(pid, "SIGKILL");
  });
  await handler.close();
  expect(await end).toMatchObject({ name: "HandlerClosed" });
  await expect.poll(() => lives(pid)).toBe(false);
});

/** True for a process that lives; a zombie that nobody has looked at yet is dead. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("a command", () => {
  it("gets the job document on stdin, and no secret of the job", async () => {
    const { log, call } = await ran("cat", {
      continuationToken: "t-1",
      configuration: { "quo'te": 'va"lue\n' },
      job: { outputs: [] },
    });
    const document = JSON.parse(log.messages.join("\n")) as Record<string, unknown>;
    expect(document).toMatchObject({
      version: 1,
      jobId: call.job.key.jobId,
      continuationToken: "t-1",
      configuration: { "quo'te": 'va"lue\n' },
    });
    for (const secret of jobSecrets) expect(log.messages.join("")).not.toContain(secret);
  });

  it("gets a clean environment", async () => {
    const { handler } = await given(
      "env",
      {
        HOME: "/home/partnerd",
        LANG: "C.UTF-8",
        TZ: "UTC",
        AWS_SECRET_ACCESS_KEY: "aws-secret",
        AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.2/x",
        PARTNERD_ADMIN_TOKEN: "admin-secret",
        NODE_OPTIONS: "--inspect",
        LD_PRELOAD: "",
      },
      { LEVEL: "2", TZ: "Europe/Zurich" },
    );
    const call = aCall({ continuationToken: "t-1" });
    await handler.run(call);
    const variables = Object.fromEntries(call.log.messages.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    // PWD is the shell's own.
    expect(Object.keys(variables).filter((name) => name !== "PWD" && name !== "_")).toEqual(
      expect.arrayContaining(["PATH", "HOME", "LANG", "TZ", "LEVEL"]),
    );
    expect(variables).toMatchObject({
      HOME: "/home/partnerd",
      TZ: "Europe/Zurich",
      LEVEL: "2",
      PARTNERD_JOB_ID: call.job.key.jobId,
      PARTNERD_REGION: "eu-west-1",
      PARTNERD_CONTINUATION_TOKEN: "t-1",
      PARTNERD_DEADLINE: "2026-01-01T01:00:00.000Z",
    });
    expect(variables).not.toHaveProperty("PARTNERD_ACCOUNT");
    expect(Object.keys(variables).filter((name) => /AWS|ADMIN|NODE|LD_/.test(name))).toEqual([]);
  });

  it("works in the job's folder, with its inputs unpacked and a folder for each output", async () => {
    const { log, call } = await ran(
      'pwd; ls; cat inputs/Source/README "$PARTNERD_INPUTS/Source/README" | tr "\\n" " "; echo; ls -d "$PARTNERD_OUTPUTS"/*; echo "$PARTNERD_OUTCOME"',
    );
    const folder = await call.workspace.folder();
    expect(log.messages.slice(0, 6)).toEqual([
      folder,
      "inputs",
      "outputs",
      "of Sourceof Source",
      join(folder, "outputs", "Report"),
      expect.stringMatching(new RegExp(`^${folder}/outcome-[0-9a-f]{32}\\.json$`)),
    ]);
  });

  it("is not started when an input cannot be had", async () => {
    const one = await given("echo started");
    const call = aCall({
      workspace: { input: () => Promise.reject(new JobFailure("RevisionUnavailable", "there is no such object")) },
    });
    const failure = { kind: "failed", type: "RevisionUnavailable", message: "there is no such object" };
    expect(await outcomeOf(one.handler.run(call), call)).toEqual(failure);
    expect(call.log.messages).toEqual([]);
  });

  it.each([
    ["exit 0 alone", ""],
    ["an outcome document", `; echo '{"kind":"succeeded"}' > "$PARTNERD_OUTCOME"`],
  ])("has what it left in outputs/ uploaded after a success by %s", async (_what, end) => {
    const { call, outcome } = await ran(`printf text > outputs/Report/found${end}`);
    expect(outcome).toEqual({ kind: "succeeded" });
    expect(call.workspace.uploaded).toEqual({ Report: { found: "text" } });
    expect(call.log.messages).toEqual([]);
  });

  it.each([
    ["is empty", "exit 0"],
    ["was removed", "rm -r outputs"],
  ])("succeeds without an upload, and with a warning, when its output folder %s", async (_what, script) => {
    const { call, outcome } = await ran(script);
    expect(outcome).toEqual({ kind: "succeeded" });
    expect(call.workspace.uploaded).toEqual({});
    expect(call.log.lines).toMatchObject([
      { level: "warn", event: "output-not-uploaded", fields: { artifact: "Report" } },
    ]);
  });

  it("uploads nothing after a failure, and nothing but a warning when it continues", async () => {
    const continued = `echo '{"kind":"continued","continuationToken":"t"}' > "$PARTNERD_OUTCOME"`;
    for (const [end, warnings] of [
      ["exit 1", 0],
      [continued, 1],
    ] as const) {
      const { call } = await ran(`printf text > outputs/Report/found; ${end}`);
      expect(call.workspace.uploaded).toEqual({});
      expect(call.log.lines.filter(({ event }) => event === "output-not-uploaded")).toHaveLength(warnings);
    }
  });

  it("fails the job when an upload fails", async () => {
    const one = await given("printf text > outputs/Report/found");
    const call = aCall({
      workspace: { output: () => Promise.reject(new JobFailure("PermissionError", "access is denied")) },
    });
    const failure = { kind: "failed", type: "PermissionError", message: "access is denied" };
    expect(await outcomeOf(one.handler.run(call), call)).toEqual(failure);
  });

  it("refuses an output whose name is not a folder's name, before it starts", async () => {
    const one = await given("echo started");
    const call = aCall({ job: { outputs: [{ name: "../../x" }] } });
    expect(await outcomeOf(one.handler.run(call), call)).toMatchObject({ type: "ConfigurationError" });
    expect(call.log.messages).toEqual([]);
  });

  it("is asked to stop by SIGTERM and may say something on the way out", async () => {
    const { handler } = await given('trap "echo cleaning up; exit 0" TERM; echo started; while :; do sleep 0.01; done');
    const call = aCall();
    const run = handler.run(call);
    run.catch(() => {});
    await call.log.has("started");
    call.abort(new Error("enough"));
    await call.log.has("cleaning up");
    await expect(run).rejects.toThrow("enough");
  });

  it("may use the grace to say how far it came", async () => {
    const { handler } = await given(
      `trap 'echo "{\\"kind\\":\\"continued\\",\\"continuationToken\\":\\"half\\"}" >"$PARTNERD_OUTCOME"; echo saved; exit 0' TERM
       echo started; while :; do sleep 0.01; done`,
    );
    const call = aCall();
    const run = handler.run(call);
    await call.log.has("started");
    call.abort(new Error("enough"));
    await call.log.has("saved");
    expect(await run).toEqual({ kind: "continued", continuationToken: "half" });
  });

  it("is not believed that it succeeded in the grace, when nobody uploads its outputs any more", async () => {
    const script = (report: string) =>
      `trap 'echo "{\\"kind\\":\\"succeeded\\"}" >"$PARTNERD_OUTCOME"; ${report} echo saved; exit 0' TERM
       echo started; while :; do sleep 0.01; done`;
    const stopped = async (report: string) => {
      const { handler } = await given(script(report));
      const call = aCall();
      const run = handler.run(call);
      run.catch(() => {});
      await call.log.has("started");
      call.abort(new Error("enough"));
      await call.log.has("saved");
      return { run, call };
    };
    const { run, call } = await stopped("echo text >outputs/Report/found;");
    await expect(run).rejects.toThrow("enough");
    expect(call.workspace.uploaded).toEqual({});
    // With nothing to upload it is done.
    expect(await (await stopped("")).run).toEqual({ kind: "succeeded" });
  });

  it("may bear any job id: it names no file and breaks no variable", async () => {
    const jobId = '../../../etc/passwd\0\n"$(reboot)';
    const { log } = await ran(`echo "id:$(printenv PARTNERD_JOB_ID || echo none)"; cat`, { jobId });
    expect(log.messages[0]).toBe("id:none");
    expect(JSON.parse(String(log.messages[1]))).toMatchObject({ jobId });
  });

  it.each([
    [75, "SystemUnavailable"],
    [77, "PermissionError"],
    [78, "ConfigurationError"],
    [1, "JobFailed"],
  ])("that exits %i without a document fails the job as %s, with the end of stderr", async (code, type) => {
    const { outcome } = await ran(`echo progress; echo "what went wrong" >&2; exit ${code}`);
    expect(outcome).toEqual({ kind: "failed", type, message: "what went wrong" });
  });

  it("that dies of a signal fails the job and names the signal", async () => {
    const { outcome } = await ran("echo last words >&2; kill -KILL $$");
    expect(outcome).toEqual({
      kind: "failed",
      type: "JobFailed",
      message: "the handler was killed by SIGKILL\nlast words",
    });
  });

  it("is judged by its document before its exit code", async () => {
    const { outcome } = await ran(`echo '{"kind":"succeeded","summary":"fine"}' >"$PARTNERD_OUTCOME"; exit 9`);
    expect(outcome).toEqual({ kind: "succeeded", summary: "fine" });
  });

  it("that exits 0 with a document that cannot be read fails the job, and the message says why", async () => {
    const { outcome } = await ran('echo "not json" >"$PARTNERD_OUTCOME"');
    expect(outcome).toMatchObject({
      kind: "failed",
      type: "JobFailed",
      message: expect.stringContaining("is not JSON"),
    });
  });

  it("that fails with a document that cannot be read is judged by its exit code, and the log tells of the document", async () => {
    const { outcome, log } = await ran('mkfifo "$PARTNERD_OUTCOME"; echo broken >&2; exit 77');
    expect(outcome).toEqual({ kind: "failed", type: "PermissionError", message: "broken" });
    expect((await log.logged("outcome-file-ignored")).level).toBe("warn");
  });

  it("has its secrets masked in the log and in the failure message", async () => {
    const { handler, masker } = await given(
      'echo "using $SECRET"; echo "bad token $SECRET" >&2; exit 1',
      {},
      { SECRET: "hunter2hunter2" },
    );
    masker.keep(["hunter2hunter2"]);
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({ message: "bad token [secret]" });
    expect(call.log.messages.join("\n")).not.toContain("hunter2");
  });

  it("never blocks on output that nobody logs any more", async () => {
    const { outcome, log } = await ran("yes | head -c 30000000; echo the cause >&2; exit 1");
    expect(outcome).toMatchObject({ message: "the cause" });
    expect(log.lines.at(-1)?.event).toBe("handler-output-truncated");
  });

  it("whose processes stay behind has them killed, and the log says so", async () => {
    const clock = new FakeClock();
    const { handler } = await given("sleep 60 & exit 0", {}, {}, { clock });
    const call = aCall();
    const run = handler.run(call);
    await waitedFor(clock);
    await clock.advance(1_000);
    expect(await run).toEqual({ kind: "succeeded" });
    expect((await call.log.logged("handler-processes-killed")).level).toBe("warn");
  });
});

describe("a command that cannot be started", () => {
  it("fails the job truthfully when its program has gone since the check", async () => {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-test-"));
    const program = join(folder, "build.sh");
    await writeFile(program, "#!/bin/sh\nexit 0\n");
    await chmod(program, 0o755);
    const one = await build({ kind: "command", command: [program], env: {} });
    built.push(one);
    await rm(folder, { recursive: true });
    const call = aCall();
    expect(await outcomeOf(one.handler.run(call), call)).toEqual({
      kind: "failed",
      type: "SystemUnavailable",
      message: expect.stringMatching(/could not be started.*ENOENT/),
    });
    expect((await call.log.logged("handler-not-started")).level).toBe("error");
  });
});

// Faults on demand, as a client sees them: on the wire, and in what has happened to the job.
import { request } from "node:http";
import { connect } from "node:net";
import { GetThirdPartyJobDetailsCommand } from "@aws-sdk/client-codepipeline";
import { describe, expect, test } from "vitest";
import type { Emulator } from "../../src/emulator/emulator.js";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { call, clientToken, sdk, takeJob, thirdPartyType, withEmulator } from "../support/emulator-client.js";
import { FakeClock, settle } from "../support/fake-clock.js";

const poll = { actionTypeId: thirdPartyType };
const scan = { actionType: { provider: "Acme-Scan" } };
const pollCall = (url: string) => call(url, "PollForThirdPartyJobs", poll);

/** The errno of the connection error that a call ends with. */
async function brokenBy(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("an answer came"),
    (reason: unknown) => reason,
  );
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? String(error);
}

describe("an error fault", () => {
  const errors: readonly (readonly [FaultDocument, number, string, string])[] = [
    [{ kind: "throttle" }, 400, "ThrottlingException", "Rate exceeded"],
    [{ kind: "throttle", status: 429 }, 429, "ThrottlingException", "Rate exceeded"],
    [{ kind: "internal-error" }, 500, "InternalFailure", "unknown error"],
    [{ kind: "unavailable" }, 503, "ServiceUnavailable", "temporary failure"],
    [
      { kind: "error", code: "ExpiredTokenException", message: "The security token expired" },
      400,
      "ExpiredTokenException",
      "expired",
    ],
    [{ kind: "error", code: "AccessDeniedException", status: 403 }, 403, "AccessDeniedException", ""],
    [{ kind: "error", code: "InvalidClientTokenException" }, 400, "InvalidClientTokenException", ""],
  ];
  test.each(errors)("%j answers %i %s, and the call changes nothing", (fault, status, code, message) =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ ...fault, times: 1 });
      const answer = await pollCall(url);
      expect([answer.status, answer.code]).toEqual([status, code]);
      expect(answer.headers.get("x-amzn-errortype")).toBe(code);
      expect(answer.message).toContain(message);
      expect(emulator.job(jobId)?.status).toBe("Queued");
      expect((await pollCall(url)).json["jobs"]).toMatchObject([{ jobId }]);
    }),
  );

  test("may ask for patience by Retry-After", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "throttle", retryAfter: 7 });
      expect((await pollCall(url)).headers.get("retry-after")).toBe("7");
    }));

  test("may let the deed be done all the same", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "internal-error", applied: true });
      expect((await pollCall(url)).status).toBe(500);
      expect(emulator.job(jobId)?.status).toBe("Dispatched");
    }));
});

describe("a broken connection", () => {
  test("by reset comes before the deed", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "reset", times: 1 });
      expect(await brokenBy(pollCall(url))).toBe("ECONNRESET");
      expect(emulator.job(jobId)?.status).toBe("Queued");
    }));

  test("by lost-answer comes after the deed", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      await takeJob(url, "ThirdParty");
      emulator.fault({ kind: "lost-answer", operations: ["PutThirdPartyJobSuccessResult"], times: 1 });
      const put = () => call(url, "PutThirdPartyJobSuccessResult", { jobId, clientToken });
      expect(await brokenBy(put())).not.toBe("Error: an answer came");
      expect(emulator.job(jobId)?.status).toBe("Succeeded");
      expect((await put()).code).toBe("InvalidJobStateException");
      expect(emulator.violations()).toEqual([]);
      expect(emulator.calls()["PutThirdPartyJobSuccessResult"]).toEqual({ none: 1, InvalidJobStateException: 1 });
    }));

  test("by cut-answer comes in the middle of the body, or instead of an empty one", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "cut-answer", times: 1 });
      expect(await brokenBy(pollCall(url))).not.toBe("Error: an answer came");
      expect(emulator.job(jobId)?.status).toBe("Dispatched");
      const { nonce } = await details(url, jobId);
      await call(url, "AcknowledgeThirdPartyJob", { jobId, nonce, clientToken });
      emulator.fault({ kind: "cut-answer", times: 1 });
      expect(await brokenBy(call(url, "PutThirdPartyJobSuccessResult", { jobId, clientToken }))).not.toContain("came");
      expect(emulator.job(jobId)?.status).toBe("Succeeded");
    }));

  test("by black-hole is silence until the client leaves; the deed is not done", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "black-hole", times: 1 });
      const leaving = new AbortController();
      const answered = emulator.waitForEvent((event) => event.type === "call-answered");
      const waiting = call(url, "PollForThirdPartyJobs", poll, { signal: leaving.signal });
      await expect(answered).resolves.toMatchObject({ status: 0 });
      leaving.abort();
      await expect(waiting).rejects.toThrow("aborted");
      expect(emulator.job(jobId)?.status).toBe("Queued");
    }));

  test("by black-hole does not keep the emulator from closing", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "black-hole", applied: true });
      const answered = emulator.waitForEvent((event) => event.type === "call-answered");
      const broken = brokenBy(pollCall(url));
      await answered;
      await emulator.close();
      expect(await broken).not.toContain("came");
    }));
});

async function details(url: string, jobId: string): Promise<{ readonly nonce: string }> {
  const { json } = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken });
  return json["jobDetails"] as { nonce: string };
}

describe("a spoilt answer", () => {
  test("can be HTML, with 502 or 200", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "html", times: 1 });
      emulator.fault({ kind: "html", status: 200, times: 1 });
      for (const status of [502, 200]) {
        const answer = await pollCall(url);
        expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "text/html"]);
        expect(answer.text).toContain("<html>");
      }
    }));

  test("can be no JSON, after the deed", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "malformed-json" });
      const answer = await pollCall(url);
      expect(answer.status).toBe(200);
      expect(() => JSON.parse(answer.text)).toThrow(SyntaxError);
      expect(emulator.job(jobId)?.status).toBe("Dispatched");
    }));

  test("can have null members, or lack them, at any depth", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob({ ...scan, inputs: [{ name: "I" }] });
      await pollCall(url);
      emulator.fault({ kind: "null-members", members: ["nonce", "s3Location", "pipelineContext"], times: 1 });
      const { json } = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken });
      expect(json["jobDetails"]).toMatchObject({
        id: jobId,
        nonce: null,
        data: { pipelineContext: null, inputArtifacts: [{ location: { type: "S3", s3Location: null } }] },
      });
      emulator.fault({ kind: "missing-members", members: ["nonce", "data"], times: 1 });
      const less = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken });
      expect(less.json).toEqual({ jobDetails: { id: jobId } });
    }));

  test("lacks all of its own members when none is named", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "null-members", times: 1 });
      emulator.fault({ kind: "missing-members", times: 1 });
      expect((await pollCall(url)).json).toEqual({ jobs: null });
      expect((await pollCall(url)).json).toEqual({});
    }));

  test("is understood by AWS's client as it is by ours", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      emulator.fault({ kind: "html", operations: ["GetThirdPartyJobDetails"], times: 1 });
      const ask = () => sdk(url).send(new GetThirdPartyJobDetailsCommand({ jobId, clientToken }));
      await expect(ask()).rejects.toMatchObject({ name: "SyntaxError" });
      await expect(ask()).resolves.toMatchObject({ jobDetails: { id: jobId } });
    }));

  test("without end goes on until the client leaves", () =>
    withEmulator(async (emulator) => {
      emulator.fault({ kind: "endless-body" });
      const bytes = await new Promise<number>((resolve, reject) => {
        let count = 0;
        const outgoing = request({ port: emulator.port, host: "127.0.0.1", method: "POST", path: "/" }, (incoming) => {
          incoming.on("data", (chunk: Buffer) => {
            count += chunk.length;
            if (count < 300_000) return;
            outgoing.destroy();
            resolve(count);
          });
          incoming.on("end", () => reject(new Error("the body ended")));
        });
        outgoing.on("error", reject);
        outgoing.end(JSON.stringify(poll));
      });
      expect(bytes).toBeGreaterThan(300_000);
    }));
});

describe("time", () => {
  test("of latency passes before the deed, or after it if so said", async () => {
    const clock = new FakeClock();
    await withEmulator(
      async (emulator, url) => {
        const jobId = emulator.addJob(scan);
        emulator.fault({ kind: "latency", ms: 1_000, times: 1 });
        const received = emulator.waitForEvent((event) => event.type === "call-received");
        const early = pollCall(url);
        await received;
        expect(emulator.job(jobId)?.status).toBe("Queued");
        await clock.advance(1_000);
        expect((await early).json["jobs"]).toMatchObject([{ jobId }]);

        const second = emulator.addJob(scan);
        emulator.fault({ kind: "latency", ms: 1_000, applied: true });
        const late = pollCall(url);
        await emulator.waitForJob(second, "Dispatched");
        await settle();
        await clock.advance(1_000);
        expect((await late).json["jobs"]).toMatchObject([{ jobId: second }]);
      },
      { clock },
    );
  });

  test("of latency ends at once when the emulator closes", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "latency", ms: 3_600_000 });
      const received = emulator.waitForEvent((event) => event.type === "call-received");
      const broken = brokenBy(pollCall(url));
      await received;
      await emulator.close();
      expect(await broken).not.toContain("came");
    }));

  test("in the Date header is wrong by wrong-clock", () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5));
    return withEmulator(
      async (emulator, url) => {
        emulator.fault({ kind: "wrong-clock", offsetMs: -3_600_000, times: 1 });
        expect((await pollCall(url)).headers.get("date")).toBe("Fri, 02 Jan 2026 02:04:05 GMT");
        expect((await pollCall(url)).headers.get("date")).toBe("Fri, 02 Jan 2026 03:04:05 GMT");
      },
      { clock },
    );
  });

  test("adds up with what else strikes the call", () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5));
    return withEmulator(
      async (emulator, url) => {
        const late = emulator.fault({ kind: "wrong-clock", offsetMs: 60_000 });
        const slow = emulator.fault({ kind: "throttle", times: 1 });
        const told = emulator.waitForEvent((event) => event.type === "call-answered");
        const answer = await pollCall(url);
        expect(answer.code).toBe("ThrottlingException");
        expect(answer.headers.get("date")).toBe("Fri, 02 Jan 2026 03:05:05 GMT");
        await expect(told).resolves.toMatchObject({ faults: [late.id, slow.id] });
      },
      { clock },
    );
  });
});

describe("refuse-connections", () => {
  const attempt = (port: number) =>
    new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => {
        socket.destroy();
        resolve("connected");
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    });
  const changed = (emulator: Emulator, isListening: boolean) =>
    emulator.waitForEvent((event) => event.type === "listening-changed" && event.isListening === isListening);

  test("closes the port, cuts open connections, and opens the same port again", () =>
    withEmulator(async (emulator, url) => {
      const { port } = emulator;
      await pollCall(url);
      const closed = changed(emulator, false);
      const fault = emulator.fault({ kind: "refuse-connections" });
      await closed;
      expect(await attempt(port)).toBe("ECONNREFUSED");
      const opened = changed(emulator, true);
      fault.remove();
      await opened;
      expect(emulator.port).toBe(port);
      expect((await pollCall(url)).code).toBe("ok");
    }));

  test("ends by itself after its time, by the emulator's clock", () => {
    const clock = new FakeClock();
    return withEmulator(
      async (emulator, url) => {
        const closed = changed(emulator, false);
        emulator.fault({ kind: "refuse-connections", ms: 5_000 });
        await closed;
        const opened = changed(emulator, true);
        await clock.advance(5_000);
        await opened;
        expect(emulator.faults()).toEqual([]);
        expect((await pollCall(url)).code).toBe("ok");
      },
      { clock },
    );
  });

  test("twice at once lasts until both are over, and jobs live on meanwhile", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(scan);
      const closed = changed(emulator, false);
      const one = emulator.fault({ kind: "refuse-connections" });
      const two = emulator.fault({ kind: "refuse-connections" });
      await closed;
      one.remove();
      expect(await attempt(emulator.port)).toBe("ECONNREFUSED");
      const opened = changed(emulator, true);
      two.remove();
      await opened;
      expect((await pollCall(url)).json["jobs"]).toMatchObject([{ jobId }]);
    }));

  test("does not keep the emulator from closing", () =>
    withEmulator(async (emulator) => {
      emulator.fault({ kind: "refuse-connections" });
      await emulator.close();
      expect(await attempt(emulator.port)).toBe("ECONNREFUSED");
    }));

  test("removed before it took hold leaves the port open", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "refuse-connections" }).remove();
      expect((await pollCall(url)).code).toBe("ok");
    }));
});

describe("the choice of calls", () => {
  test.each([
    ["its operation", { operations: ["GetThirdPartyJobDetails"] }, { operations: ["PollForThirdPartyJobs"] }],
    ["its Region", { region: "eu-west-1" }, { region: "us-east-1" }],
    ["its action type", { actionType: { provider: "Other" } }, { actionType: { provider: "Acme-Scan" } }],
  ] as const)("goes by %s", (_, other, same) =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "throttle", ...other });
      expect((await pollCall(url)).code).toBe("ok");
      emulator.fault({ kind: "throttle", ...same });
      expect((await pollCall(url)).code).toBe("ThrottlingException");
    }),
  );

  test("goes by the job and by its client", () =>
    withEmulator(async (emulator, url) => {
      const { clientId, clientToken: token } = emulator.addClient();
      const mine = emulator.addJob({ ...scan, clientId });
      const other = emulator.addJob(scan);
      const ask = async (jobId: string, proof: string) =>
        (await call(url, "GetThirdPartyJobDetails", { jobId, clientToken: proof })).code;
      emulator.fault({ id: "by-client", kind: "unavailable", clientId });
      expect([await ask(mine, token), await ask(other, clientToken)]).toEqual(["ServiceUnavailable", "ok"]);
      emulator.removeFault("by-client");
      emulator.fault({ kind: "unavailable", jobId: other });
      expect([await ask(mine, token), await ask(other, clientToken)]).toEqual(["ok", "ServiceUnavailable"]);
    }));

  test("lets calls pass first, strikes a number of them, and is gone", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "throttle", after: 2, times: 3 });
      const codes: string[] = [];
      for (let calls = 0; calls < 7; calls++) codes.push((await pollCall(url)).code);
      expect(codes.map((code) => code === "ok")).toEqual([true, true, false, false, false, true, true]);
      expect(emulator.faults()).toEqual([]);
    }));

  test("by chance is the same for the same seed", async () => {
    const struck = async (seed: number) => {
      const codes: boolean[] = [];
      await withEmulator(
        async (emulator, url) => {
          emulator.fault({ kind: "throttle", probability: 0.5 });
          for (let calls = 0; calls < 40; calls++) codes.push((await pollCall(url)).code === "ok");
        },
        { seed },
      );
      return codes;
    };
    const first = await struck(7);
    expect(await struck(7)).toEqual(first);
    expect(await struck(8)).not.toEqual(first);
    expect(new Set(first).size).toBe(2);
  });

  test("also strikes calls that would be refused", () =>
    withEmulator(async (emulator, url) => {
      emulator.fault({ kind: "unavailable", times: 1 });
      expect((await call(url, "PollForThirdPartyJobs", {})).code).toBe("ServiceUnavailable");
      expect((await call(url, "PollForThirdPartyJobs", {})).code).toBe("ValidationException");
    }));
});

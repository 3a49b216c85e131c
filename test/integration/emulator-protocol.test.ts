// AWS JSON 1.1 over real HTTP: headers, error shapes, hostile bodies, and our own answers held against the model.
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { operations, shapes } from "../../src/emulator/model.js";
import { Shapes } from "../../src/emulator/shape-checks.js";
import { call, clientToken, customType, takeJob, thirdPartyType, withEmulator } from "../support/emulator-client.js";

const poll = { actionTypeId: thirdPartyType };

describe("an answer", () => {
  test("carries a request id, its media type and the emulator's time", () =>
    withEmulator(async (_emulator, url) => {
      const { headers } = await call(url, "PollForThirdPartyJobs", poll);
      expect(headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
      expect(headers.get("content-type")).toBe("application/x-amz-json-1.1");
      expect(Date.parse(headers.get("date") ?? "")).not.toBeNaN();
    }));

  test("to a result is empty, with HTTP 200", () =>
    withEmulator(async (emulator, url) => {
      for (const kind of ["Success", "Failure"]) {
        emulator.addJob({ actionType: { provider: "Acme-Scan" } });
        const { jobId } = await takeJob(url, "ThirdParty");
        const failureDetails = { type: "JobFailed", message: "m" };
        const answer = await call(url, `PutThirdPartyJob${kind}Result`, {
          jobId,
          clientToken,
          ...(kind === "Failure" && { failureDetails }),
        });
        expect([answer.status, answer.text]).toEqual([200, ""]);
      }
    }));

  test("of the job's data carries the superfluous __type members of the real service", () =>
    withEmulator(async (emulator, url) => {
      emulator.addJob({ actionType: customType, inputs: [{ name: "In" }] });
      const { json } = await call(url, "PollForJobs", { actionTypeId: customType });
      expect(json["jobs"]).toMatchObject([
        {
          data: {
            actionConfiguration: { __type: "ActionConfiguration" },
            actionTypeId: { __type: "ActionTypeId" },
            artifactCredentials: { __type: "AWSSessionCredentials" },
            inputArtifacts: [{ __type: "Artifact" }],
            pipelineContext: { __type: "PipelineContext" },
          },
        },
      ]);
    }));

  test("of every operation satisfies the service model", () =>
    withEmulator(async (emulator, url) => {
      const model = new Shapes({ shapes, unknownMembers: "ignore" });
      const check = async (operation: keyof typeof operations, input: unknown) => {
        const answer = await call(url, operation, input);
        const { output } = operations[operation] as { output?: string };
        expect([operation, answer.code]).toEqual([operation, "ok"]);
        if (output !== undefined) expect(model.check(output, answer.json)).toEqual([]);
        else expect(answer.text).toBe("");
        return answer.json;
      };
      const { category, version } = customType;
      const artifacts = { minimumCount: 0, maximumCount: 5 };
      const made = {
        category,
        provider: "Made",
        version,
        inputArtifactDetails: artifacts,
        outputArtifactDetails: artifacts,
      };
      await check("CreateCustomActionType", { ...made, tags: [{ key: "a", value: "" }] });
      await check("ListActionTypes", {});
      const { actionType } = await check("GetActionType", thirdPartyType);
      await check("UpdateActionType", { actionType });
      await check("GetActionType", thirdPartyType);
      await check("DeleteCustomActionType", { category, provider: "Made", version });
      const parts = { inputs: [{ name: "I", revision: "r" }], outputs: [{ name: "O" }], encryptionKeyId: "k" };
      emulator.addJobs({
        actionType: customType,
        configuration: { a: "b" },
        continuationToken: "t",
        ...parts,
        count: 2,
      });
      const { jobs } = await check("PollForJobs", { actionTypeId: customType, maxBatchSize: 2 });
      const [one, two] = jobs as { id: string; nonce: string }[];
      for (const job of [one, two]) await check("AcknowledgeJob", { jobId: job?.id, nonce: job?.nonce });
      await check("GetJobDetails", { jobId: one?.id });
      await check("PutJobSuccessResult", { jobId: one?.id });
      await check("PutJobFailureResult", { jobId: two?.id, failureDetails: { type: "JobFailed", message: "m" } });
      const ids = emulator.addJobs({ actionType: { provider: "Acme-Scan" }, ...parts, count: 2 });
      await check("PollForThirdPartyJobs", { actionTypeId: thirdPartyType, maxBatchSize: 2 });
      for (const jobId of ids) {
        const { jobDetails } = await check("GetThirdPartyJobDetails", { jobId, clientToken });
        const { nonce } = jobDetails as { nonce: string };
        await check("AcknowledgeThirdPartyJob", { jobId, clientToken, nonce });
      }
      const failureDetails = { type: "JobFailed", message: "m" };
      await check("PutThirdPartyJobSuccessResult", { jobId: ids[0], clientToken });
      await check("PutThirdPartyJobFailureResult", { jobId: ids[1], clientToken, failureDetails });
      expect(Object.keys(emulator.calls()).sort()).toEqual(Object.keys(operations).sort());
    }));
});

describe("an error", () => {
  test("names itself in __type and in a header", () =>
    withEmulator(async (_emulator, url) => {
      const { status, headers, json } = await call(url, "GetJobDetails", {
        jobId: "00000000-0000-4000-8000-000000000000",
      });
      expect(status).toBe(400);
      expect(headers.get("x-amzn-errortype")).toBe("JobNotFoundException");
      expect(json).toEqual({ __type: "JobNotFoundException", message: expect.any(String) });
    }));

  test.each(["NoSuchOperation", "ListPipelines", "constructor", "__proto__", ""])(
    "for operation '%s' is UnknownOperationException",
    (operation) =>
      withEmulator(async (_emulator, url) => {
        const answer = await call(url, operation, {});
        expect(answer.status).toBe(400);
        expect(answer.json["__type"]).toBe("com.amazon.coral.service#UnknownOperationException");
      }),
  );

  test("for another service's target, or none, is UnknownOperationException", () =>
    withEmulator(async (_emulator, url) => {
      const other = await call(url, "x", poll, { headers: { "x-amz-target": "CodeBuild_20161006.PollForJobs" } });
      expect(other.code).toBe("UnknownOperationException");
      const none = await fetch(url, { method: "POST", body: "{}" });
      expect(await none.text()).toContain("UnknownOperationException");
    }));

  test.each([
    ["not JSON", "{", "Unable to parse"],
    ["a list", "[]", "not a JSON object"],
    ["null", "null", "not a JSON object"],
    [
      "a number where a text is needed",
      { actionTypeId: { ...thirdPartyType, version: 1 } },
      "NUMBER_VALUE can not be converted to a String",
    ],
    [
      "a text where a number is needed",
      { ...poll, maxBatchSize: "1" },
      "STRING_VALUE can not be converted to an Integer",
    ],
    ["a fraction", { ...poll, maxBatchSize: 1.5 }, "DECIMAL_VALUE can not be converted to an Integer"],
    ["a list where an object is needed", { actionTypeId: [] }, "START_ARRAY can not be converted to an Object"],
  ])("for a body that is %s is SerializationException", (_, body, message) =>
    withEmulator(async (_emulator, url) => {
      const answer = await call(url, "PollForThirdPartyJobs", body);
      expect(answer.status).toBe(400);
      expect(answer.json["__type"]).toBe("com.amazon.coral.service#SerializationException");
      expect(answer.message).toContain(message);
    }),
  );
});

describe("a request", () => {
  test("with an empty body counts as one without members", () =>
    withEmulator(async (_emulator, url) => {
      expect((await call(url, "ListActionTypes", "")).code).toBe("ok");
    }));

  test("with members that nobody knows is served", () =>
    withEmulator(async (_emulator, url) => {
      expect((await call(url, "PollForThirdPartyJobs", { ...poll, extra: { toString: 1 } })).code).toBe("ok");
    }));

  test.each(["__proto__", "constructor", "toString"])("with %s in hostile places leaves the emulator well", (name) =>
    withEmulator(async (_emulator, url) => {
      const hostile = `{"${name}": {"a": 1}, "actionTypeId": {"${name}": 1, "owner": {"${name}": 1}}, "jobId": {"${name}": 1}}`;
      for (const operation of Object.keys(operations)) {
        expect((await call(url, operation, hostile)).status).toBeLessThan(500);
      }
      expect((await call(url, "PollForThirdPartyJobs", poll)).code).toBe("ok");
    }),
  );

  test("nested a hundred thousand deep is refused or served, and the emulator lives", () =>
    withEmulator(async (_emulator, url) => {
      const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
      expect((await call(url, "PollForThirdPartyJobs", deep)).status).toBe(400);
      expect((await call(url, "PollForThirdPartyJobs", poll)).code).toBe("ok");
    }));

  test("of more than a megabyte is refused with 413, and the connection ends", () =>
    withEmulator(async (_emulator, url) => {
      const { status, headers } = await call(url, "PollForThirdPartyJobs", " ".repeat(1_048_577));
      expect([status, headers.get("connection")]).toEqual([413, "close"]);
      expect((await call(url, "PollForThirdPartyJobs", `${JSON.stringify(poll)}${" ".repeat(1_000_000)}`)).code).toBe(
        "ok",
      );
    }));

  test("cut off half way disturbs nobody", () =>
    withEmulator(async (emulator, url) => {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(emulator.port, "127.0.0.1", () => {
          socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", () => socket.resetAndDestroy());
        });
        socket.on("error", reject);
        socket.on("close", () => resolve());
      });
      expect((await call(url, "PollForThirdPartyJobs", poll)).code).toBe("ok");
    }));

  test("from a page in a browser is refused, for the API and for the control API", () =>
    withEmulator(async (emulator, url) => {
      const headers = { origin: "https://example.com" };
      expect((await call(url, "PollForThirdPartyJobs", poll, { headers })).status).toBe(403);
      expect((await fetch(`${url}/_control/reset`, { method: "POST", headers })).status).toBe(403);
      expect(emulator.actionTypes()).toHaveLength(2);
    }));
});

test("what is not served of S3 is answered 501 in S3's own form", () =>
  withEmulator(async (_emulator, url) => {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await fetch(`${url}/bucket/a/key?acl`, { method });
      expect(answer.status).toBe(501);
      expect(answer.headers.get("content-type")).toBe("application/xml");
      const text = await answer.text();
      expect(text).toContain("<Code>NotImplemented</Code>");
      expect(text).toContain("<Resource>/bucket/a/key</Resource>");
    }
  }));

test("a reader who comes with a browser is told where to look", () =>
  withEmulator(async (_emulator, url) => {
    expect(await (await fetch(url)).text()).toContain("/_control/");
  }));

test("every call is told as an event, with who called and what was offered, without tokens", () =>
  withEmulator(async (emulator, url) => {
    const id = emulator.addJob({ actionType: { provider: "Acme-Scan" } });
    const events: unknown[] = [];
    emulator.on((event) => events.push(event));
    const headers = { "user-agent": "aws-sdk-js/3 ua/2.1 app/partnerd-1 m/N" };
    await call(url, "PollForThirdPartyJobs", { ...poll, maxBatchSize: 7 }, { headers, region: "us-east-1" });
    await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken: "wrong-token" });
    expect(events).toMatchObject([
      {
        type: "call-received",
        call: {
          operation: "PollForThirdPartyJobs",
          region: "us-east-1",
          actionType: "ThirdParty/Test/Acme-Scan/1",
          maxBatchSize: 7,
          accessKeyId: "any",
          appId: "partnerd-1",
        },
      },
      { type: "job-changed", jobId: id, from: "Queued", to: "Dispatched" },
      { type: "call-answered", status: 200, faults: [], offered: [id] },
      { type: "call-received", call: { jobId: id, clientId: emulator.defaultClient.clientId } },
      { type: "call-answered", status: 400, code: "InvalidClientTokenException" },
    ]);
    expect(JSON.stringify(events)).not.toContain("wrong-token");
  }));

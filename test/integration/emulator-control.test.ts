// The control API below /_control/, as curl would use it.
import { describe, expect, test } from "vitest";
import {
  call,
  clientToken,
  control,
  customType,
  takeJob,
  thirdPartyType,
  withEmulator,
} from "../support/emulator-client.js";

const scan = { actionType: { provider: "Acme-Scan" } };

test("a job goes from nothing to its end by HTTP alone", () =>
  withEmulator(async (emulator, url) => {
    emulator.reset();
    const type = await control(url, "action-types", { provider: "Acme-Scan" });
    expect([type.status, type.json]).toEqual([201, { actionType: thirdPartyType }]);
    const client = await control(url, "clients", { clientToken: "tok" });
    expect(client.json).toMatchObject({ clientId: expect.stringMatching(/^[0-9a-f-]{36}$/), clientToken: "tok" });
    const { clientId } = client.json;
    const made = await control(url, "jobs", { ...scan, clientId, configuration: { Level: "2" }, count: 2 });
    expect(made.status).toBe(201);
    const [id, other] = made.json["ids"] as string[];
    const polled = await call(url, "PollForThirdPartyJobs", { actionTypeId: thirdPartyType });
    expect(polled.json["jobs"]).toEqual([{ clientId, jobId: id }]);
    const details = await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken: "tok" });
    const { nonce } = details.json["jobDetails"] as { nonce: string };
    await call(url, "AcknowledgeThirdPartyJob", { jobId: id, nonce, clientToken: "tok" });
    const waiting = control(url, `jobs/${id}?until=over`);
    await call(url, "PutThirdPartyJobSuccessResult", { jobId: id, clientToken: "tok" });
    expect((await waiting).json).toMatchObject({ id, status: "Succeeded", counts: { results: 1 } });
    const listed = await control(url, "jobs?status=Queued");
    expect(listed.json).toMatchObject({ counts: { Succeeded: 1, Queued: 1 }, jobs: [{ id: other, status: "Queued" }] });
    expect((await control(url, "violations")).json).toEqual({ violations: [] });
    expect(JSON.stringify((await control(url, "clients")).json)).not.toContain("tok");
  }));

test("lists its routes and counts", () =>
  withEmulator(async (emulator, url) => {
    emulator.addJob(scan);
    const { json } = await control(url, "");
    expect(json["jobs"]).toMatchObject({ Queued: 1 });
    const routes = (json["routes"] as string[]).map((line) => line.split(":")[0]);
    expect(routes).toEqual(
      expect.arrayContaining([
        "POST /_control/action-types",
        "POST /_control/jobs",
        "GET /_control/jobs/ID",
        "POST /_control/faults",
        "POST /_control/reset",
        "GET /_control/events",
      ]),
    );
  }));

describe("a refused document", () => {
  test.each([
    [
      "jobs",
      { actionTyp: {}, count: 0, ids: ["a".repeat(513)], clientId: "me", inputs: [{ name: "a b" }, {}] },
      [
        "actionType: is required",
        "count: must have value greater than or equal to 1",
        "ids[0]: must have length less than or equal to 512",
        "clientId: must satisfy regular expression pattern: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "inputs[0].name: must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
        "inputs[1].name: is required",
        expect.stringContaining("actionTyp: is not known here; it must be one of: actionType, region, count"),
      ],
    ],
    [
      "jobs",
      { actionType: { provider: "Nobody" } },
      ["actionType: there is no ThirdParty/Test/Nobody/1 in us-east-1; add it first"],
    ],
    [
      "jobs",
      {
        ...scan,
        clientId: "11111111-1111-4111-8111-111111111111",
        accountId: "111122223333",
        count: 2,
        ids: ["a", "a"],
      },
      [
        "count: give either count or ids",
        "ids: an id is given twice",
        "accountId: third-party jobs have no account id",
        "clientId: is not known; add the client first, or give its clientToken too",
      ],
    ],
    [
      "jobs",
      { actionType: customType, ids: ["no-uuid"], clientToken: "t" },
      ["ids: the id of a custom job must be a lower-case UUID", "clientId: custom jobs have no client"],
    ],
    [
      "action-types",
      { provider: 7, owner: "AWS", properties: {} },
      [
        "owner: must satisfy enum value set: [ThirdParty, Custom]",
        "provider: needs a String, found a number",
        "properties: needs a List, found an object",
      ],
    ],
    ["clients", { clientToken: "" }, ["clientToken: must have length greater than or equal to 1"]],
    [
      "faults",
      { kind: "flood" },
      [expect.stringContaining("kind: must satisfy enum value set: [latency, wrong-clock")],
    ],
    [
      "faults",
      { kind: "latency", operations: ["Pol"] },
      ["ms: is required for latency", "operations: there is no Pol"],
    ],
    ["faults", { kind: "refuse-connections" }, [expect.stringContaining("ms: is required for refuse-connections")]],
    [
      "settings",
      { redeliveryMs: "60s", putAfterEnd: "ok" },
      [
        "redeliveryMs: needs an Integer, found a string",
        "putAfterEnd: must satisfy enum value set: [InvalidJobStateException, JobNotFoundException]",
      ],
    ],
    [
      "scenario",
      { jobs: [{ actionType: { provider: "No" } }] },
      ["jobs[0].actionType: there is no ThirdParty/Test/No/1 in us-east-1; add it first"],
    ],
    ["scenario", { faults: [{ kind: "refuse-connections" }] }, [expect.stringContaining("ms: is required")]],
    ["jobs", "{", [expect.stringContaining("the body is not JSON")]],
    ["jobs", [], ["the document: needs an Object, found a list"]],
    ["faults", null, ["the document: needs an Object, found null"]],
  ])("at %s with %j tells every mistake", (path, document, mistakes) =>
    withEmulator(async (emulator, url) => {
      const answer = await control(url, path, document);
      expect(answer.status).toBe(400);
      expect(answer.json).toEqual({ mistakes });
      expect([emulator.jobs(), emulator.faults(), emulator.actionTypes().length]).toEqual([[], [], 2]);
    }),
  );

  test("does not repeat a token", () =>
    withEmulator(async (_emulator, url) => {
      const answer = await control(url, "clients", { clientToken: "secret".repeat(100) });
      expect(answer.text).not.toContain("secretsecret");
    }));
});

describe("a job", () => {
  test("with any text as its id is found by its encoded name", () =>
    withEmulator(async (emulator, url) => {
      const id = "a/b ü?#%";
      emulator.addJob({ ...scan, id });
      expect((await control(url, `jobs/${encodeURIComponent(id)}`)).json).toMatchObject({ id, status: "Queued" });
      expect((await control(url, "jobs/%")).status).toBe(400);
    }));

  test("that nobody knows is 404", () =>
    withEmulator(async (_emulator, url) => {
      const answer = await control(url, "jobs/none");
      expect([answer.status, answer.json]).toEqual([404, { mistakes: ["there is no job none"] }]);
    }));

  test("is answered as it is when the wait for it is over", () =>
    withEmulator(async (emulator, url) => {
      const id = emulator.addJob(scan);
      expect((await control(url, `jobs/${id}?until=over&waitMs=1`)).json).toMatchObject({ id, status: "Queued" });
      expect((await control(url, `jobs/${id}?until=done`)).json).toMatchObject({
        mistakes: [expect.stringContaining("until: must be one of")],
      });
      expect((await control(url, `jobs/${id}?until=over&waitMs=x`)).status).toBe(400);
    }));

  test("is listed with the newest, as many as asked for", () =>
    withEmulator(async (emulator, url) => {
      const ids = emulator.addJobs({ ...scan, count: 5 });
      const { json } = await control(url, "jobs?limit=2&region=us-east-1");
      expect((json["jobs"] as { id: string }[]).map((job) => job.id)).toEqual(ids.slice(3));
      expect((await control(url, "jobs?region=eu-west-1")).json["jobs"]).toEqual([]);
      expect((await control(url, "jobs?limit=0")).status).toBe(400);
    }));
});

test("faults are put, listed, ended one by one and all together", () =>
  withEmulator(async (emulator, url) => {
    const { json } = await control(url, "faults", { kind: "throttle", times: 2 });
    await control(url, "faults", { id: "mine", kind: "html" });
    expect((await control(url, "faults", { id: "mine", kind: "html" })).json).toEqual({
      mistakes: ["id: a fault with this id exists already"],
    });
    await call(url, "ListActionTypes", {});
    expect((await control(url, "faults")).json).toEqual({
      faults: [
        { id: json["id"], kind: "throttle", times: 2, struck: 1 },
        { id: "mine", kind: "html", struck: 0 },
      ],
    });
    expect((await control(url, `faults/${json["id"]}`, undefined, "DELETE")).status).toBe(200);
    expect((await control(url, `faults/${json["id"]}`, undefined, "DELETE")).status).toBe(404);
    expect(emulator.faults()).toMatchObject([{ id: "mine" }]);
    await control(url, "faults", undefined, "DELETE");
    expect(emulator.faults()).toEqual([]);
  }));

test("settings are read and changed while it runs", () =>
  withEmulator(async (emulator, url) => {
    const changed = await control(url, "settings", { repeatedAcknowledge: "InvalidNonceException" });
    expect(changed.json).toMatchObject({ repeatedAcknowledge: "InvalidNonceException", redeliveryMs: 60_000 });
    emulator.addJob({ actionType: customType });
    const { jobId, nonce } = await takeJob(url, "Custom");
    expect((await call(url, "AcknowledgeJob", { jobId, nonce })).code).toBe("InvalidNonceException");
    await control(url, "settings", { repeatedAcknowledge: "InProgress" });
    expect((await call(url, "AcknowledgeJob", { jobId, nonce })).json).toEqual({ status: "InProgress" });
  }));

test("reset forgets everything but the settings of the start", () =>
  withEmulator(
    async (emulator, url) => {
      emulator.addJob(scan);
      emulator.addClient({ clientId: "11111111-1111-4111-8111-111111111111" });
      await takeJob(url, "ThirdParty");
      await control(url, "faults", { kind: "latency", ms: 1 });
      await control(url, "settings", { keepEnded: 1 });
      await call(url, "PollForThirdPartyJobs", {});
      expect((await control(url, "reset", {})).status).toBe(200);
      expect([emulator.jobs(), emulator.faults(), emulator.actionTypes(), emulator.violations()]).toEqual([
        [],
        [],
        [],
        [],
      ]);
      expect(emulator.clientIds()).toEqual([emulator.defaultClient.clientId]);
      expect(emulator.settings()).toMatchObject({ keepEnded: 10_000, redeliveryMs: 5 });
      expect(emulator.calls()).toEqual({});
    },
    { settings: { redeliveryMs: 5 } },
  ));

test("a scenario brings everything at once", () =>
  withEmulator(async (emulator, url) => {
    const answer = await control(url, "scenario", {
      settings: { defaultBatchSize: 3 },
      actionTypes: [{ provider: "New", regions: ["eu-west-1"] }],
      clients: [{ clientId: "11111111-1111-4111-8111-111111111111", clientToken: "t" }],
      jobs: [
        {
          actionType: { provider: "New" },
          region: "eu-west-1",
          count: 2,
          clientId: "11111111-1111-4111-8111-111111111111",
        },
      ],
      faults: [{ kind: "wrong-clock", offsetMs: 1 }],
    });
    expect([answer.status, answer.json]).toMatchObject([201, { jobs: { Queued: 2 } }]);
    expect(emulator.faults()).toHaveLength(1);
    const polled = await call(
      url,
      "PollForThirdPartyJobs",
      { actionTypeId: { ...thirdPartyType, provider: "New" } },
      { region: "eu-west-1" },
    );
    expect(polled.json["jobs"]).toHaveLength(2);
  }));

test("events stream as lines, until the reader leaves", () =>
  withEmulator(async (emulator, url) => {
    const leaving = new AbortController();
    const response = await fetch(`${url}/_control/events`, { signal: leaving.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const id = emulator.addJob(scan);
    let text = "";
    while (text.split("\n").length < 3) text += (await reader?.read())?.value ?? "";
    const events = text
      .split("\n")
      .slice(0, 2)
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([
      { type: "job-changed", jobId: id, to: "Created" },
      { type: "job-changed", jobId: id, from: "Created", to: "Queued" },
    ]);
    leaving.abort();
  }));

test("a document of more than 16 MiB is refused with 413, and the emulator lives", () =>
  withEmulator(async (_emulator, url) => {
    expect((await control(url, "scenario", " ".repeat(16_777_217))).status).toBe(413);
    expect((await control(url, "scenario", `{}${" ".repeat(16_777_000)}`)).status).toBe(201);
  }));

test("a wrong path or method says what there is", () =>
  withEmulator(async (_emulator, url) => {
    const missing = await control(url, "job");
    expect([missing.status, missing.json]).toEqual([
      404,
      { mistakes: ["there is no /_control/job; GET /_control/ lists what there is"] },
    ]);
    const wrong = await control(url, "jobs", undefined, "PUT");
    expect([wrong.status, wrong.json]).toEqual([405, { mistakes: ["PUT is not served here; GET, POST is"] }]);
  }));

test("a waiting control call ends when the emulator closes", () =>
  withEmulator(async (emulator, url) => {
    const id = emulator.addJob(scan);
    const waiting = control(url, `jobs/${id}?until=over`).then(
      () => "answered",
      () => "cut",
    );
    await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken });
    await emulator.close();
    expect(["answered", "cut"]).toContain(await waiting);
  }));

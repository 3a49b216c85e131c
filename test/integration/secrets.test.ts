// Promise: no secret that passes through the daemon is ever shown: not in a log line at any level, an event, the
// status, the ledger, a message to CodePipeline, nor in the environment of a command.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { Issuer } from "../../src/emulator/s3/issuer.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { HttpJobDocument } from "../../src/handlers/job-document.js";
import { JobFailure } from "../../src/index.js";
import { Secret } from "../../src/job/secret.js";
import { type Behaviour, startService } from "../fixtures/handlers/service.js";
import { moduleHandler } from "../support/module-handler.js";
import { custom, defaultRetry, freePort, type Rig, scriptedHandler, startRig, thirdParty } from "../support/rig.js";

const client = { clientId: "aaaaaaaa-0000-4000-8000-000000000001", clientToken: 'töken"of/the\\first+client&<1>' };
const misled = { clientId: "bbbbbbbb-0000-4000-8000-000000000002", clientToken: "the right token of the second" };
const wrongToken = "a-wrong-token-for-the-second";
/** With all that JSON, URLs and shells write differently. */
const apiKey = 'k€y: "p/ss\\word" & <more> 100%';
const webhookKey = Buffer.from("0123456789abcdefghijklmnopqrstuv");
const webhookSecret = `whsec_${webhookKey.toString("base64")}`;
/** In the address of the service; it masks nothing, so the address must not be shown. */
const queryKey = "key-in-the-query-of-the-service";
const adminToken = "admin-token/of+this=daemon";
const awsSecret = "the/daemons+own+secret/access+key";
/** CodePipeline's credentials for artifacts: the emulator's are random; these are known, so that they can be looked for. */
const actionExecutionId = "c0ffee00-1234-4abc-8def-0123456789ab";
const accessKeyId = "ASIAC0FFEE001234EMUL";
const secretAccessKey = "emulated-secret-access-key-C0FFEE001234";
const sessionToken = "emulated/session+token/C0FFEE001234==";
beforeEach(() => {
  vi.spyOn(Issuer.prototype, "issue").mockReturnValue({ accessKeyId, secretAccessKey, sessionToken });
});
afterEach(() => vi.restoreAllMocks());

/** Stands beside each secret that is printed, to prove that the print came through. */
const beside = "printed-beside-a-secret";

const secrets: readonly string[] = [
  client.clientToken,
  misled.clientToken,
  wrongToken,
  apiKey,
  webhookSecret,
  queryKey,
  adminToken,
  awsSecret,
  accessKeyId,
  secretAccessKey,
  sessionToken,
];

/** Every usual way to write a string: as it is, in JSON up to three deep, in a URL, in base64 at any place. */
function spellingsOf(secret: string): readonly string[] {
  const json = (text: string) => JSON.stringify(text).slice(1, -1);
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The first and last characters hold bits of the neighbours as well.
    const own = text.slice(shift === 0 ? 0 : shift + 1, (shift + bytes.length) % 3 === 0 ? undefined : -1);
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [secret, json(secret), json(json(secret)), json(json(json(secret))), encodeURIComponent(secret), ...base64];
}

/** All ways in which somebody might print it. */
function prints(secret: string): readonly string[] {
  return [
    `${beside} ${secret}`,
    `${beside} ${JSON.stringify({ key: secret })}`,
    `${beside} ${JSON.stringify({ answer: JSON.stringify({ key: secret }) })}`,
    `${beside} ${encodeURIComponent(secret)}`,
    `${beside} ${Buffer.from(secret).toString("base64")}`,
    `${beside} Basic ${Buffer.from(`user:${secret}`).toString("base64")}`,
    `${beside} ${Buffer.from(`u:${secret}`).toString("base64url")}`,
  ];
}

/** What of `texts` shows a secret, shortened for people who read the failure. */
function leaksIn(texts: Iterable<string>, more: readonly string[] = []): readonly string[] {
  const spellings = [...secrets, ...more].flatMap(spellingsOf);
  const leaks: string[] = [];
  for (const text of texts) {
    for (const spelling of spellings) {
      const at = text.indexOf(spelling);
      if (at >= 0) leaks.push(`${spelling} in ${text.slice(Math.max(0, at - 150), at + 150)}`);
    }
  }
  return leaks;
}

/** Everything that the daemon showed to anybody but handlers: logs, events, results, answers of its port, files. */
async function shownBy(rig: Rig): Promise<readonly string[]> {
  rig.daemon.dump();
  const pages = await Promise.all(
    ["/status", "/readyz", "/livez", "/nothing"].map(async (path) => (await fetch(rig.daemon.adminUrl + path)).text()),
  );
  const results = rig.emulator.jobs().map((job) => JSON.stringify(job.results));
  const ledger = readdirSync(rig.folder)
    .filter((name) => name.startsWith("ledger"))
    .map((name) => readFileSync(join(rig.folder, name), "latin1"));
  const utf8 = ledger.map((text) => Buffer.from(text, "latin1").toString("utf8"));
  return [
    ...rig.rawLogs,
    ...rig.events.map((event) => JSON.stringify(event)),
    ...results,
    ...pages,
    ...ledger,
    ...utf8,
  ];
}

type Work = (job: HandlerJob) => unknown;

interface StageOptions {
  readonly work?: Work;
  readonly script?: string;
  readonly behaviour?: Behaviour;
  /** A ledger in a file, of which no byte may show a secret. */
  readonly isDurable?: boolean;
}

const byModule = thirdParty;
const byCustomModule = custom;
const byCommand = { ...thirdParty, provider: "Acme-Command" };
const byService = { ...thirdParty, provider: "Acme-Service" };

/** A daemon with every kind of handler and every kind of secret. */
async function startStage(options: StageOptions): Promise<Rig> {
  const { work = () => ({ kind: "succeeded" }), script = "exit 0", behaviour, isDurable = false } = options;
  const service = await startService({
    jobs: behaviour ?? ((_request, answer) => void answer.end('{"kind":"succeeded"}')),
  });
  onTestFinished(() => service.close());
  const secretProperties = ["ApiKey"];
  const rig = await startRig({
    isHeld: true,
    emulator: { settings: { redeliveryMs: 60_000, continuationDelayMs: 60_000 } },
    actionTypes: [
      { ...byModule, secretProperties, handler: "module" },
      { ...byCustomModule, secretProperties, handler: "module" },
      { ...byCommand, secretProperties, handler: "command" },
      { ...byService, secretProperties, handler: "service" },
    ],
    handle: work,
    tokens: { [client.clientId]: client.clientToken, [misled.clientId]: wrongToken },
    environment: { AWS_SECRET_ACCESS_KEY: awsSecret, AWS_SESSION_TOKEN: awsSecret, HOME: "/nowhere", NODE_OPTIONS: "" },
    inFolder: (folder) => (isDurable ? { ledger: { store: "sqlite", path: join(folder, "ledger.db") } } : {}),
    config: {
      handlers: {
        module: moduleHandler(scriptedHandler),
        command: { kind: "command", command: ["sh", "-c", script], env: { LEVEL: "2" } },
        service: {
          kind: "http",
          url: `${service.url}/jobs?key=${queryKey}`,
          secret: new Secret(webhookSecret),
          requestTimeoutMs: 1_000,
        },
      },
      admin: { host: "127.0.0.1", port: await freePort(), token: new Secret(adminToken) },
      retry: { ...defaultRetry, clientCooldownMs: 0 },
      shutdown: { drainTimeoutMs: 10_000, cancelGraceMs: 100, reportTimeoutMs: 100 },
    },
  });
  rig.emulator.addClient(client);
  rig.emulator.addClient(misled);
  void rig.run();
  return rig;
}

function addJob(
  rig: Rig,
  actionType: typeof thirdParty | typeof custom | typeof byCommand,
  clientId = client.clientId,
): string {
  return rig.emulator.addJob({
    actionType,
    ...(actionType.owner === "Custom" ? {} : { clientId }),
    configuration: { ApiKey: apiKey, Target: "shop" },
    pipeline: { actionExecutionId },
  });
}

async function showsNone(rig: Rig, more: readonly string[] = []): Promise<void> {
  const shown = await shownBy(rig);
  expect(leaksIn(shown, more)).toEqual([]);
  expect(shown.length).toBeGreaterThan(10);
}

/** Every secret that the daemon knows while a third-party job runs, and while a custom one does. */
const knownToCustom = [apiKey, webhookSecret, adminToken, accessKeyId, secretAccessKey, sessionToken];
const known = [...knownToCustom, client.clientToken];
const knownTo = (job: HandlerJob) => (job.clientId === undefined ? knownToCustom : known);

describe("a module handler that", () => {
  const cases: readonly (readonly [string, Work])[] = [
    [
      "logs its secrets in every spelling and at every level",
      (job) => {
        for (const text of knownTo(job).flatMap(prints)) {
          job.log.debug(text);
          job.log.info(text, { field: text, deep: { deeper: [text] } });
          job.log.warn(text);
          job.log.error(text, { err: new Error(text, { cause: new Error(text) }) });
        }
        return { kind: "succeeded" };
      },
    ],
    [
      "throws them",
      (job) => {
        throw new Error(knownTo(job).flatMap(prints).join("\n"), { cause: new Error(apiKey) });
      },
    ],
    ["throws them as a text", () => Promise.reject(prints(apiKey).join(" "))],
    ["throws them as an object", () => Promise.reject({ message: apiKey, toString: () => apiKey })],
    [
      "fails with them",
      () => {
        throw new JobFailure("ConfigurationError", prints(apiKey).join("\n"));
      },
    ],
    ["returns them as a failure", (job) => ({ kind: "failed", message: knownTo(job).flatMap(prints).join("\n") })],
    ["returns them as a summary", () => ({ kind: "succeeded", summary: prints(apiKey).join("\n").slice(0, 2_000) })],
    [
      "returns them as a revision's summary",
      () => ({
        kind: "succeeded",
        revision: { revision: "1", changeIdentifier: "1", summary: prints(apiKey).join("\n").slice(0, 2_000) },
      }),
    ],
    ["returns them as a kind", () => ({ kind: apiKey })],
    ["returns them as a failure's type", () => ({ kind: "failed", type: apiKey, message: "wrong type" })],
    ["returns them as an unknown member", () => ({ kind: "succeeded", [apiKey]: apiKey })],
    ["returns them as a percentage", () => ({ kind: "continued", continuationToken: "t", percentComplete: apiKey })],
    ["returns them as a text", () => apiKey],
    ["throws its whole job", (job) => Promise.reject(new Error(JSON.stringify(job)))],
  ];

  it.each(cases)("%s shows none of them", async (_what, work) => {
    await using rig = await startStage({ work });
    for (const id of [addJob(rig, byModule), addJob(rig, byCustomModule)]) await rig.emulator.waitForJob(id, "over");
    await rig.emulator.waitFor(() => rig.count("job-reported") === 2).catch(() => {});
    await showsNone(rig);
  });

  it("prints beside a secret is seen, with a mark in the secret's place", async () => {
    await using rig = await startStage({
      work: (job) => {
        for (const text of prints(apiKey)) job.log.info(text);
        return { kind: "failed", message: prints(apiKey).join("\n") };
      },
    });
    const job = await rig.emulator.waitForJob(addJob(rig, byModule), "over");
    const lines = rig.logs.filter((line) => String(line["msg"]).includes(beside));
    expect(lines).toHaveLength(prints(apiKey).length);
    for (const line of lines) expect(line["msg"]).toContain("[secret]");
    const document = job.result?.document as { failureDetails: { message: string } } | undefined;
    expect(document?.failureDetails.message.match(/\[secret\]/g)).toHaveLength(prints(apiKey).length);
  });
});

describe("a command handler that", () => {
  const echo = (text: string) => `printf '%s\\n' '${text.replaceAll("'", "'\\''")}'`;
  const all = known.flatMap(prints);
  const cases: readonly (readonly [string, string])[] = [
    ["prints its job and its environment", "cat; env; cat >&2; env >&2; exit 3"],
    ["prints its job in base64", "cat | base64 -w 0; exit 0"],
    [
      "prints every secret in every spelling",
      `{ ${all.map(echo).join("; ")}; }; { ${all.map(echo).join("; ")}; } >&2; exit 9`,
    ],
    ["prints them as its last words before it is killed", `${echo(`${beside} ${apiKey}`)} >&2; kill -KILL $$`],
    [
      "writes them as its outcome's message",
      `printf '%s' '${JSON.stringify({ kind: "failed", message: `${beside} ${apiKey}` })}' > "$PARTNERD_OUTCOME"`,
    ],
    ["writes them as an outcome that is no JSON", `${echo(apiKey)} > "$PARTNERD_OUTCOME"`],
    [
      "prints them without an end of line, bit by bit",
      `printf '%s' '${apiKey.slice(0, 10)}'; sleep 0.02; printf '%s' '${apiKey.slice(10)}'; exit 0`,
    ],
  ];

  it.each(cases)("%s shows none of them", async (_what, script) => {
    await using rig = await startStage({ script });
    await rig.emulator.waitForJob(addJob(rig, byCommand), "over");
    await rig.event("job-reported");
    await showsNone(rig);
  });

  it("looks around finds nothing in its environment but what was promised", async () => {
    const script = `env | base64 -w 0 > "$PARTNERD_OUTCOME.env"; names=$(env | sed -n 's/^\\([A-Z_]*\\)=.*/\\1/p' | sort | tr '\\n' ' ')
      printf '{"kind":"succeeded","summary":"%s"}' "$names" > "$PARTNERD_OUTCOME"`;
    await using rig = await startStage({ script });
    const job = await rig.emulator.waitForJob(addJob(rig, byCommand), "over");
    const document = job.result?.document as { executionDetails: { summary: string } } | undefined;
    const summary = document?.executionDetails.summary ?? "none";
    const promised = [
      "HOME",
      "LEVEL",
      "PARTNERD_DEADLINE",
      "PARTNERD_INPUTS",
      "PARTNERD_JOB_ID",
      "PARTNERD_OUTCOME",
      "PARTNERD_OUTPUTS",
      "PARTNERD_REGION",
      "PATH",
    ];
    // The shell sets these by itself.
    const found = summary
      .trim()
      .split(" ")
      .filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name));
    expect(found).toEqual(promised);
    await showsNone(rig);
  });
});

describe("a service that", () => {
  const tokens: string[] = [];
  const secretsOf = (body: string, signature: unknown): readonly string[] => {
    const { callback } = JSON.parse(body) as HttpJobDocument;
    if (callback) tokens.push(callback.token);
    return [...known, callback?.token ?? "", String(signature)];
  };
  const cases: readonly (readonly [string, Behaviour])[] = [
    [
      "refuses with them",
      (request, answer) => {
        const found = secretsOf(request.body, request.headers["webhook-signature"]);
        answer.writeHead(422, { "content-type": "application/json" });
        answer.end(JSON.stringify({ message: found.flatMap(prints).join(" ").slice(0, 900) }));
      },
    ],
    [
      "fails with them",
      (request, answer) => {
        const found = secretsOf(request.body, request.headers["webhook-signature"]);
        answer.end(JSON.stringify({ kind: "failed", message: found.flatMap(prints).join(" ") }));
      },
    ],
    [
      "breaks off, and then echoes its request",
      (() => {
        let requests = 0;
        return (request, answer) => {
          requests += 1;
          if (requests < 3) answer.socket?.resetAndDestroy();
          else answer.writeHead(403).end(request.body);
        };
      })(),
    ],
    ["echoes the whole request", (request, answer) => void answer.writeHead(400).end(request.body)],
    [
      "delivers them by callback, after it tried a wrong token",
      async (request, answer) => {
        const { callback } = JSON.parse(request.body) as HttpJobDocument;
        const url = callback?.url ?? "";
        const found = secretsOf(request.body, request.headers["webhook-signature"]);
        answer.writeHead(202).end();
        const body = JSON.stringify({ kind: "failed", message: found.flatMap(prints).join(" ") });
        for (const token of [`${callback?.token}x`, adminToken, callback?.token]) {
          await fetch(url, {
            method: "POST",
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            body,
          });
        }
      },
    ],
  ];

  it.each(cases)("%s makes the daemon show none of them", async (_what, behaviour) => {
    await using rig = await startStage({ behaviour, isDurable: true });
    const job = await rig.emulator.waitForJob(addJob(rig, byService), "over");
    expect(job.status).toBe("Failed");
    await rig.event("job-reported");
    await showsNone(rig, tokens);
  });
});

describe("CodePipeline, when it", () => {
  const operations = [
    "PollForThirdPartyJobs",
    "PollForJobs",
    "GetThirdPartyJobDetails",
    "AcknowledgeThirdPartyJob",
    "AcknowledgeJob",
    "PutThirdPartyJobSuccessResult",
    "PutJobSuccessResult",
  ] as const;
  const codes = ["ThrottlingException", "AccessDeniedException", "InternalFailure", "ValidationException"] as const;

  it.each(operations.flatMap((operation) => codes.map((code) => ({ operation, code }))))(
    "answers $operation with a $code that quotes a token, makes the daemon show none",
    async ({ operation, code }) => {
      await using rig = await startStage({});
      // The first job makes the daemon learn the token; before that it cannot know it.
      for (const each of [byModule, byCustomModule]) await rig.emulator.waitForJob(addJob(rig, each), "over");
      const message = `${beside} clientToken=${client.clientToken}, ${adminToken}`;
      const status = code === "InternalFailure" ? 500 : 400;
      rig.emulator.fault({ kind: "error", code, message, status, operations: [operation], times: 2 });
      const struck = rig.emulator.waitForEvent((event) => event.type === "call-answered" && event.faults.length > 0);
      const ids = [addJob(rig, byModule), addJob(rig, byCustomModule)];
      await struck;
      const isOver = (id: string) =>
        rig.events.some(
          (event) => (event.type === "job-reported" || event.type === "job-dropped") && event.key.jobId === id,
        );
      await rig.emulator.waitFor(() => ids.every((id) => isOver(id) || operation.startsWith("Poll")));
      await rig.event(
        operation.startsWith("Poll")
          ? "poll-failed"
          : code === "ValidationException"
            ? operation.startsWith("Put")
              ? "result-refused"
              : "job-dropped"
            : "call-retried",
      );
      await showsNone(rig);
    },
  );

  it("says so much that its text is cut in the middle of a token, makes the daemon show no part of it", async () => {
    await using rig = await startStage({});
    await rig.emulator.waitForJob(addJob(rig, byModule), "over");
    const { clientToken } = client;
    const message = `${beside} ${"x".repeat(460 - beside.length)}${clientToken.repeat(3)}`;
    const operations = ["GetThirdPartyJobDetails"];
    rig.emulator.fault({ kind: "error", code: "ValidationException", message, operations, times: 1 });
    addJob(rig, byModule);
    expect((await rig.event("job-dropped")).message).toMatch(/x{400}/);
    await showsNone(rig, [clientToken.slice(0, 8)]);
  });

  const faults: readonly FaultDocument[] = [
    { kind: "malformed-json" },
    { kind: "cut-answer" },
    { kind: "html", status: 200 },
    { kind: "null-members" },
    { kind: "missing-members", members: ["nonce"] },
    { kind: "missing-members", members: ["data"] },
    { kind: "null-members", members: ["configuration"] },
    { kind: "null-members", members: ["secretAccessKey"] },
  ];
  it.each(faults)("spoils an answer full of secrets ($kind $members), makes the daemon show none", async (fault) => {
    await using rig = await startStage({});
    const spoilt = ["GetThirdPartyJobDetails", "PollForJobs"];
    for (const operation of spoilt) rig.emulator.fault({ ...fault, operations: [operation], times: 1 });
    addJob(rig, byModule);
    addJob(rig, byCustomModule);
    await rig.emulator.waitFor(() => rig.emulator.faults().length === 0);
    const last = [addJob(rig, byModule), addJob(rig, byCustomModule)];
    for (const id of last) await rig.emulator.waitForJob(id, "over");
    await showsNone(rig);
  });

  it("refuses a client's token, makes the daemon name the client and not the token", async () => {
    await using rig = await startStage({});
    const id = addJob(rig, byModule, misled.clientId);
    const dropped = await rig.event("job-dropped", (event) => event.key.jobId === id);
    expect(dropped.message).toContain(misled.clientId);
    await showsNone(rig);
  });
});

describe("the admin port", () => {
  it("shows no secret to whoever tries tokens on its control routes, while jobs run", async () => {
    const go = Promise.withResolvers<void>();
    await using rig = await startStage({
      work: async () => {
        await go.promise;
        return { kind: "succeeded" };
      },
    });
    const id = addJob(rig, byModule);
    await rig.event("job-started");
    for (const route of ["/pause", "/resume", "/wake"]) {
      for (const token of ["wrong", `${adminToken}x`, client.clientToken.replace(/[^\x21-\x7e]/g, "")]) {
        const answer = await fetch(rig.daemon.adminUrl + route, {
          method: "POST",
          headers: { authorization: `Bearer ${token}` },
        });
        expect(answer.status).toBe(401);
        expect(leaksIn([await answer.text()])).toEqual([]);
      }
      const answer = await fetch(rig.daemon.adminUrl + route, {
        method: "POST",
        headers: { authorization: `Bearer ${adminToken}` },
      });
      expect(answer.status).toBe(200);
    }
    await showsNone(rig);
    go.resolve();
    await rig.emulator.waitForJob(id, "over");
    await showsNone(rig);
  });
});

it.each([
  ["a message that is thrown", 5_000, (text: string) => Promise.reject(new JobFailure("JobFailed", text))],
  ["a message that is returned", 5_000, (text: string) => ({ kind: "failed", message: text })],
  ["a summary", 2_048, (text: string) => ({ kind: "succeeded", summary: text })],
  ["a kind that does not exist", 80, (text: string) => ({ kind: text })],
] as const)("leaves no half of a secret where %s is cut off", async (_what, max, give) => {
  const reported: string[] = [];
  for (const before of [max - 60, max - 40, max - 5]) {
    await using rig = await startStage({ work: () => give(`${"x".repeat(before)}${apiKey}${"x".repeat(100)}`) });
    const id = addJob(rig, byModule);
    await rig.emulator.waitForJob(id, "over");
    reported.push(JSON.stringify(rig.emulator.job(id)?.result?.document));
  }
  for (const document of reported) {
    expect(document).toContain("truncated by partnerd");
    expect(document).not.toContain(apiKey.slice(0, 4));
  }
});

it("leaves no secret behind in the ledger of jobs that are owed", async () => {
  await using rig = await startStage({
    isDurable: true,
    work: (job) => ({ kind: "failed", message: knownTo(job).flatMap(prints).join("\n") }),
  });
  rig.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobFailureResult"] });
  addJob(rig, byModule);
  await rig.event("call-retried");
  const files = readdirSync(rig.folder).filter((name) => name.startsWith("ledger"));
  expect(files.length).toBeGreaterThan(0);
  expect(files.map((name) => readFileSync(join(rig.folder, name), "utf8")).join("")).toContain(beside);
  await showsNone(rig);
});

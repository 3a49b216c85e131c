// The console's forms over real HTTP: what they do for who may, and nothing for anybody else, whatever is sent.
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type ActionDone, Actions, type ActionTargets } from "../../../src/admin/actions.js";
import { type AdminOptions, type AdminServer, ordinaryLimits, startAdmin } from "../../../src/admin/server.js";
import { sessionMs } from "../../../src/admin/sessions.js";
import type { JobStatusLine } from "../../../src/admin/status-snapshot.js";
import { Callers, type WhoOptions } from "../../../src/admin/who.js";
import { Secret } from "../../../src/job/secret.js";
import { FakeClock } from "../../support/fake-clock.js";

const token = "the-admin-token-of-tests";
const open: AdminServer[] = [];
afterEach(async () => {
  for (const admin of open.splice(0)) await admin.close();
});

interface Options {
  readonly token?: string;
  readonly publicUrl?: string;
  readonly who?: WhoOptions;
  readonly targets?: Partial<ActionTargets>;
  readonly jobs?: readonly JobStatusLine[];
}

/** A port with a console; `calls`: what was done. */
async function started(options: Options = {}) {
  const calls: unknown[] = [];
  const log: ActionDone[] = [];
  const clock = new FakeClock();
  const targets: ActionTargets = {
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    wake: () => calls.push("wake"),
    order: async (job, order) => {
      calls.push({ ...job, ...order });
      return { kind: "taken", message: "as you say" };
    },
    ...options.targets,
  };
  const onAction = (action: ActionDone) => log.push(action);
  const admin = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    clock,
    live: () => ({ live: true, reasons: [] }),
    ready: () => ({ ready: true, reasons: [], notes: [] }),
    status: () => ({ jobs: [] }),
    deliver: async () => "unknown-job",
    ...targets,
    onAction,
    ...(options.token === undefined ? {} : { token: new Secret(options.token) }),
    forms: {
      actions: new Actions(targets, clock, onAction),
      callers: new Callers(options.who),
      jobs: () => options.jobs ?? [],
      frame: (title, body) => `<title>${title}</title>${body.text}`,
      publicUrl: options.publicUrl,
    },
    limits: { ...ordinaryLimits, closeTimeoutMs: 1_000 },
  } satisfies AdminOptions);
  open.push(admin);
  return { admin, calls, log, clock };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

type Fields = Readonly<Record<string, string | readonly string[]>>;
const encoded = (fields: Fields) =>
  new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, String(each)]),
    ),
  ).toString();

/** Sends what a browser sends from a page of ours, unless other headers are given; `undefined` leaves one out. */
async function ask(
  admin: AdminServer,
  method: "GET" | "POST",
  path: string,
  {
    body,
    headers = {},
  }: { readonly body?: Fields | string; readonly headers?: Record<string, string | undefined> } = {},
): Promise<Answer> {
  const own = {
    host: `127.0.0.1:${admin.port}`,
    accept: "text/html",
    ...(method === "POST"
      ? { origin: `http://127.0.0.1:${admin.port}`, "content-type": "application/x-www-form-urlencoded" }
      : {}),
  };
  const all = Object.entries({ ...own, ...headers }).filter((each): each is [string, string] => each[1] !== undefined);
  const sent = request({
    host: "127.0.0.1",
    port: admin.port,
    method,
    path,
    agent: false,
    headers: Object.fromEntries(all),
  });
  sent.on("error", () => {});
  // As bytes: Node would send the headers along with a text as UTF-8.
  sent.end(Buffer.from(typeof body === "object" ? encoded(body) : (body ?? "")));
  const [response] = await once(sent, "response");
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

const tokenIn = ({ text }: Answer) => /name="token" value="([^"]*)"/.exec(text)?.[1] ?? "";
const cookieOf = ({ headers }: Answer) => headers["set-cookie"]?.[0]?.split(";")[0] ?? "";

async function signIn(admin: AdminServer, given = token, headers: Record<string, string | undefined> = {}) {
  return ask(admin, "POST", "/sign-in", { body: { token: given, next: "/" }, headers });
}

const job = "eu-west-1/job-1";
const failure = { do: "fail", job, message: "our scanner was down", type: "SystemUnavailable" };

describe("an action", () => {
  it("is asked for, done once, and its result shown after a redirect", async () => {
    const { admin, calls, log } = await started();
    const asked = await ask(admin, "POST", "/actions/confirm", { body: { ...failure, back: "/jobs/job-1" } });
    expect(asked.status).toBe(200);
    expect(asked.headers["referrer-policy"]).toBe("same-origin");
    expect(asked.headers["content-security-policy"]).toContain("form-action 'self'");
    expect(calls).toEqual([]);
    const done = await ask(admin, "POST", "/actions", {
      body: { ...failure, token: tokenIn(asked), back: "/jobs/job-1" },
    });
    expect([done.status, done.headers.location]).toEqual([
      303,
      expect.stringMatching(/^\/actions\/result\?id=[\w-]{22}$/),
    ]);
    expect(calls).toEqual([
      { jobId: "job-1", region: "eu-west-1", kind: "fail", message: "our scanner was down", type: "SystemUnavailable" },
    ]);
    const result = await ask(admin, "GET", String(done.headers.location));
    expect(result.text).toContain("1 job failed");
    expect(result.text).toContain('href="/jobs/job-1"');
    expect(log).toEqual([{ action: "fail", jobs: [job], done: 1, refused: 0, from: "127.0.0.1" }]);
  });

  it.each(["pause", "resume", "wake"])("to %s the daemon is one too", async (action) => {
    const { admin, calls } = await started();
    const asked = await ask(admin, "GET", `/actions/confirm?do=${action}`);
    expect([asked.status, calls]).toEqual([200, []]);
    expect((await ask(admin, "POST", "/actions", { body: { do: action, token: tokenIn(asked) } })).status).toBe(303);
    expect(calls).toEqual([action]);
  });

  it("for many jobs says how many were done, and why the others were refused", async () => {
    const { admin, log } = await started({
      targets: {
        order: async ({ jobId }) =>
          jobId === "late"
            ? { kind: "too-late", message: "it has its result" }
            : { kind: "taken", message: "released" },
      },
    });
    const body = { do: "release", job: ["us-east-1/a", "shop@us-east-1/late", "us-east-1/a", "us-east-1/c"] };
    const asked = await ask(admin, "POST", "/actions/confirm", { body });
    expect(asked.text).toContain("Release 3 jobs?");
    const done = await ask(admin, "POST", "/actions", { body: { ...body, token: tokenIn(asked) } });
    const { text } = await ask(admin, "GET", String(done.headers.location));
    expect(text).toContain("2 jobs released, 1 refused");
    expect(text).toContain("it has its result");
    expect(log).toMatchObject([{ action: "release", done: 2, refused: 1 }]);
  });

  it("is not begun for more jobs once the others took too long", async () => {
    const { admin, clock } = await started({
      targets: {
        order: async () => {
          await clock.advance(19_000);
          return { kind: "taken", message: "released" };
        },
      },
    });
    const body = { do: "release", job: ["r/a", "r/b", "r/c"] };
    const asked = await ask(admin, "POST", "/actions/confirm", { body });
    const done = await ask(admin, "POST", "/actions", { body: { ...body, token: tokenIn(asked) } });
    expect((await ask(admin, "GET", String(done.headers.location))).text).toContain("2 jobs released, 1 refused");
  });

  it("is asked for uncompressed: a length must not tell of the form's token", async () => {
    const { admin } = await started();
    const body = { ...failure, message: "x".repeat(4_000) };
    const { headers } = await ask(admin, "POST", "/actions/confirm", { body, headers: { "accept-encoding": "gzip" } });
    expect(headers["content-encoding"]).toBeUndefined();
  });

  it("shows what jobs and people are called as texts", async () => {
    const hostile = `r/<script>"'&`;
    const { admin } = await started();
    const { text } = await ask(admin, "POST", "/actions/confirm", {
      body: { ...failure, job: hostile, message: "</textarea><b>" },
    });
    expect(text).not.toContain("<script>");
    expect(text).not.toContain("</textarea><b>");
  });
});

describe("nothing is done", () => {
  it.each<[string, Record<string, string | undefined>]>([
    ["without an origin", { origin: undefined }],
    ["for a hidden origin", { origin: "null" }],
    ["for another site's form", { origin: "https://evil.example" }],
    ["for this machine's other port", { origin: "http://127.0.0.1:1" }],
    ["where the browser says it is another site", { "sec-fetch-site": "cross-site" }],
    ["where the browser says it is a neighbour", { "sec-fetch-site": "same-site" }],
    ["under a name that was pointed here", { host: "rebound.example:9464", origin: "http://rebound.example:9464" }],
    ["through a proxy, without a token", { "x-forwarded-for": "203.0.113.9" }],
  ])("%s", async (_, headers) => {
    const { admin, calls } = await started();
    const asked = await ask(admin, "GET", "/actions/confirm?do=pause");
    const body = { do: "pause", token: tokenIn(asked) };
    expect((await ask(admin, "POST", "/actions", { body, headers })).status).toBe(403);
    expect((await ask(admin, "POST", "/actions/confirm", { body, headers })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it.each<[string, (own: string, other: string) => string]>([
    ["without the form's token", () => ""],
    ["with the token of another process", (_, other) => other],
    ["with part of the token", (own) => own.slice(0, -1)],
    ["with the token and more", (own) => `${own}A`],
  ])("%s", async (_, made) => {
    const [{ admin, calls }, other] = [await started(), await started()];
    const [own, theirs] = [
      await ask(admin, "GET", "/actions/confirm?do=pause"),
      await ask(other.admin, "GET", "/actions/confirm?do=pause"),
    ];
    expect(tokenIn(own)).not.toBe("");
    const body = { do: "pause", token: made(tokenIn(own), tokenIn(theirs)) };
    expect((await ask(admin, "POST", "/actions", { body })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it("by GET", async () => {
    const { admin, calls } = await started();
    const asked = await ask(admin, "GET", "/actions/confirm?do=pause");
    const answer = await ask(admin, "GET", `/actions?do=pause&token=${tokenIn(asked)}`);
    expect([answer.status, answer.headers.allow, calls]).toEqual([405, "POST", []]);
    for (const path of ["/sign-out"]) expect((await ask(admin, "GET", path)).status).toBe(405);
  });

  const ids = (count: number) => Array.from({ length: count }, (_, at) => `us-east-1/${at}`);
  it.each<[string, Fields, number]>([
    ["for no action", { job }, 400],
    ["for an action that there is not", { do: "constructor" }, 400],
    ["for no job", { do: "release" }, 400],
    ["for a job without a Region", { do: "release", job: "/job-1" }, 400],
    ["for a job's name without an end", { do: "release", job: `r/${"x".repeat(1_000)}` }, 400],
    ["for thousands of jobs", { do: "release", job: ids(5_000) }, 400],
    ["for a failure without words", { ...failure, message: " \r\n " }, 400],
    ["for more words than CodePipeline takes", { ...failure, message: "x".repeat(5_001) }, 400],
    ["for a failure type that there is not", { ...failure, type: "toString" }, 400],
    ["for a form of a megabyte", { ...failure, message: "x".repeat(1_048_576) }, 413],
  ])("%s", async (_, body, status) => {
    const { admin, calls } = await started();
    const asked = await ask(admin, "GET", "/actions/confirm?do=pause");
    expect((await ask(admin, "POST", "/actions", { body: { ...body, token: tokenIn(asked) } })).status).toBe(status);
    expect(calls).toEqual([]);
  });

  it("for a body that is no form", async () => {
    const { admin, calls } = await started();
    const asked = await ask(admin, "GET", "/actions/confirm?do=pause");
    for (const type of ["text/plain", "multipart/form-data", "application/json", undefined]) {
      const headers = { "content-type": type };
      const body = `do=pause&token=${tokenIn(asked)}`;
      expect((await ask(admin, "POST", "/actions", { body, headers })).status).toBe(415);
    }
    expect(calls).toEqual([]);
  });

  it("in the words of another site's link", async () => {
    const { admin } = await started();
    const path = `/actions/confirm?${encoded({ ...failure, message: "send money to" })}`;
    expect((await ask(admin, "GET", path)).text).toContain("send money to");
    const { status, text } = await ask(admin, "GET", path, { headers: { "sec-fetch-site": "cross-site" } });
    expect([status, text.includes("send money to")]).toEqual([200, false]);
  });

  it("goes back anywhere but to a page of this port", async () => {
    const { admin } = await started();
    for (const back of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "javascript:alert(1)",
      `/${"x".repeat(600)}`,
      "/a\r\nset-cookie: x",
    ]) {
      const { text } = await ask(admin, "POST", "/actions/confirm", { body: { do: "pause", back } });
      expect(text).toContain('href="/">Cancel');
    }
  });
});

describe("with a token", () => {
  it("a browser signs in with it, acts, and signs out", async () => {
    const { admin, calls } = await started({ token });
    const asked = await ask(admin, "GET", "/actions/confirm?do=pause");
    expect([asked.status, asked.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(asked.text).toContain('name="next" value="/actions/confirm?do=pause"');
    const signed = await ask(admin, "POST", "/sign-in", { body: { token, next: "/actions/confirm?do=pause" } });
    expect([signed.status, signed.headers.location]).toEqual([303, "/actions/confirm?do=pause"]);
    expect(signed.headers["set-cookie"]?.[0]).toMatch(
      new RegExp(`^partnerd-${admin.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200$`),
    );
    expect(signed.headers["set-cookie"]?.[0]).not.toContain(token);
    const headers = { cookie: `other=1; ${cookieOf(signed)}` };
    const form = await ask(admin, "GET", "/actions/confirm?do=pause", { headers });
    const body = { do: "pause", token: tokenIn(form) };
    expect((await ask(admin, "POST", "/actions", { body })).status).toBe(401);
    expect((await ask(admin, "POST", "/actions", { body, headers })).status).toBe(303);
    expect(calls).toEqual(["pause"]);
    const out = await ask(admin, "POST", "/sign-out", { headers });
    expect(out.headers["set-cookie"]?.[0]).toContain("Max-Age=0");
    expect((await ask(admin, "POST", "/actions", { body, headers })).status).toBe(401);
    expect(calls).toEqual(["pause"]);
  });

  it("the form's token is of one session alone", async () => {
    const { admin, calls } = await started({ token });
    const [mine, theirs] = [{ cookie: cookieOf(await signIn(admin)) }, { cookie: cookieOf(await signIn(admin)) }];
    const form = await ask(admin, "GET", "/actions/confirm?do=pause", { headers: theirs });
    const body = { do: "pause", token: tokenIn(form) };
    expect((await ask(admin, "POST", "/actions", { body, headers: mine })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it("a session ends after twelve hours, at a restart, and is another daemon's nowhere", async () => {
    const [{ admin, clock }, other] = [await started({ token }), await started({ token })];
    const headers = { cookie: cookieOf(await signIn(admin)) };
    const elsewhere = { cookie: headers.cookie.replace(/-\d+=/, `-${other.admin.port}=`) };
    expect((await ask(other.admin, "GET", "/actions/confirm?do=pause", { headers: elsewhere })).status).toBe(401);
    await clock.advance(sessionMs - 1);
    expect((await ask(admin, "GET", "/actions/confirm?do=pause", { headers })).status).toBe(200);
    await clock.advance(1);
    expect((await ask(admin, "GET", "/actions/confirm?do=pause", { headers })).status).toBe(401);
  });

  it("a wrong one signs nobody in, and guesses are slowed down and sent away", async () => {
    const { admin, clock } = await started({ token });
    const wrong = await signIn(admin, "wrong");
    expect([wrong.status, wrong.headers["set-cookie"]]).toEqual([401, undefined]);
    expect(wrong.text).toContain("That is not the admin token.");
    const rest = Promise.all(Array.from({ length: 100 }, () => signIn(admin, "wrong")));
    let isOver = false;
    const answers = rest.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1_000);
    }
    expect((await answers).some(({ status }) => status === 429 || status === 401)).toBe(true);
    expect((await answers).every(({ status }) => status !== 303)).toBe(true);
    expect((await signIn(admin)).status).toBe(303);
  });

  it("nobody else's page signs a browser in", async () => {
    const { admin } = await started({ token });
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: undefined },
      { "sec-fetch-site": "cross-site" },
    ]) {
      expect((await signIn(admin, token, headers)).status).toBe(403);
    }
  });

  it("the cookie is for TLS alone where the browser came by it, under the public address", async () => {
    const { admin } = await started({ token, publicUrl: "https://partnerd.example.com/base" });
    const signed = await signIn(admin, token, { origin: "https://partnerd.example.com", host: "10.0.0.7:9464" });
    expect([signed.status, signed.headers["set-cookie"]?.[0]]).toEqual([303, expect.stringContaining("; Secure")]);
  });

  it("a proxy that adds it is proof, but not for other sites' pages", async () => {
    const { admin, calls } = await started({ token });
    const headers = { authorization: `Bearer ${token}` };
    const form = await ask(admin, "GET", "/actions/confirm?do=pause", { headers });
    const body = { do: "pause", token: tokenIn(form) };
    expect(
      (await ask(admin, "POST", "/actions", { body, headers: { ...headers, origin: "https://evil.example" } })).status,
    ).toBe(403);
    expect(
      (await ask(admin, "POST", "/pause", { headers: { ...headers, origin: "https://evil.example" } })).status,
    ).toBe(403);
    expect(
      (
        await ask(admin, "POST", "/pause", {
          headers: { ...headers, origin: undefined, "sec-fetch-site": "cross-site" },
        })
      ).status,
    ).toBe(403);
    expect(calls).toEqual([]);
    expect((await ask(admin, "POST", "/actions", { body, headers })).status).toBe(303);
    expect((await ask(admin, "POST", "/pause", { headers: { ...headers, origin: undefined } })).status).toBe(200);
    expect(calls).toEqual(["pause", "pause"]);
  });
});

describe("who did it", () => {
  it.each<[string, WhoOptions, string | undefined, string | undefined]>([
    ["is the user that the proxy names", { userHeader: "X-Forwarded-User" }, "ada", "ada"],
    ["is nobody where no header is configured", {}, "ada", undefined],
    ["is one line without control characters", { userHeader: "x-forwarded-user" }, "ada\t\u0085\u00a0 l", "ada l"],
    ["is read as UTF-8", { userHeader: "x-forwarded-user" }, Buffer.from("Žofie").toString("latin1"), "Žofie"],
    ["is cut", { userHeader: "x-forwarded-user" }, "a".repeat(1_000), "a".repeat(128)],
    ["is nobody for an empty name", { userHeader: "x-forwarded-user" }, " ", undefined],
  ])("%s", async (_, who, given, user) => {
    const { admin, log } = await started({ who });
    const form = await ask(admin, "GET", "/actions/confirm?do=wake");
    const headers = { "x-forwarded-user": given };
    await ask(admin, "POST", "/actions", { body: { do: "wake", token: tokenIn(form) }, headers });
    expect(log).toEqual([
      { action: "wake", jobs: [], done: 1, refused: 0, from: "127.0.0.1", ...(user === undefined ? {} : { user }) },
    ]);
  });

  it.each<[string, readonly string[], boolean]>([
    ["127.0.0.1", [], true],
    ["::1", [], true],
    ["10.0.0.9", [], false],
    ["10.0.0.9", ["10.0.0.0/24"], true],
    ["::ffff:10.0.0.9", ["10.0.0.0/24"], true],
    ["10.0.1.9", ["10.0.0.0/24"], false],
    ["fd00::7", ["fd00::/8", "10.0.0.1"], true],
    ["", ["10.0.0.1"], false],
  ])("is believed from %j with %j: %s", (remoteAddress, trustedProxies, isBelieved) => {
    const callers = new Callers({ userHeader: "x-user", trustedProxies });
    const asked = { headers: { "x-user": "ada" }, socket: { remoteAddress } } as never;
    expect(callers.who(asked).user).toBe(isBelieved ? "ada" : undefined);
  });
});

// Wrong tokens at the admin port: counted, told of once a minute, slowed; the right token never waits.
import { once } from "node:events";
import { request } from "node:http";
import { afterEach, expect, it } from "vitest";
import { type AdminServer, ordinaryLimits, startAdmin } from "../../../src/admin/server.js";
import type { WrongToken } from "../../../src/admin/strangers.js";
import { Secret } from "../../../src/job/secret.js";
import { FakeClock } from "../../support/fake-clock.js";

const right = "the-right-admin-token";
const open: AdminServer[] = [];
afterEach(async () => {
  for (const admin of open.splice(0)) await admin.close();
});

async function started() {
  const clock = new FakeClock();
  const wrong: WrongToken[] = [];
  const admin = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    clock,
    token: new Secret(right),
    live: () => ({ live: true, reasons: [] }),
    ready: () => ({ ready: true, reasons: [], notes: [] }),
    status: () => ({}),
    deliver: async ({ bearer }) => (bearer === right ? "accepted" : "wrong-token"),
    pause: () => {},
    resume: () => {},
    wake: () => {},
    order: async () => ({ kind: "unknown-job", message: "" }),
    onWrongToken: (each) => wrong.push(each),
    limits: { ...ordinaryLimits, closeTimeoutMs: 100 },
  });
  open.push(admin);
  /** The answer's status and its headers. */
  const ask = async (path: string, token?: string) => {
    const headers = {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const sent = request({ host: "127.0.0.1", port: admin.port, method: "POST", path, agent: false, headers });
    sent.end("{}");
    const [response] = await once(sent, "response");
    response.resume();
    return { status: response.statusCode as number, headers: response.headers };
  };
  const routes = { admin: "/pause", callback: "/jobs/job-1/outcome" } as const;
  const guess = (kind: keyof typeof routes, token = "wrong") => ask(routes[kind], token);
  /** Resolves once so many wrong tokens were counted. */
  const counted = async (count: number) => {
    while (wrong.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, wrong, ask, guess, counted, routes };
}

it.each(["admin", "callback"] as const)("a wrong %s token is counted, and told of once a minute", async (kind) => {
  const { clock, wrong, guess } = await started();
  for (let n = 0; n < 3; n++) expect((await guess(kind)).status).toBe(401);
  expect(wrong).toEqual([{ kind, from: "127.0.0.1", untold: 1 }, ...Array(2).fill({ kind, from: "127.0.0.1" })]);
  await clock.advance(60_000);
  await guess(kind);
  expect(wrong.at(-1)).toEqual({ kind, from: "127.0.0.1", untold: 3 });
});

it("a missing token and the right one are no wrong ones", async () => {
  const { wrong, ask, guess, routes } = await started();
  for (const kind of ["admin", "callback"] as const) {
    expect((await ask(routes[kind])).status).toBe(401);
    expect((await guess(kind, right)).status).toBe(200);
  }
  expect(wrong).toEqual([]);
});

it("many wrong tokens are answered a second late, and too many at once are sent away", async () => {
  const { clock, guess, counted } = await started();
  for (let n = 0; n < 10; n++) expect((await guess("admin")).status).toBe(401);
  const late = Array.from({ length: 64 }, () => guess("callback"));
  await counted(74);
  const sentAway = await guess("admin");
  expect(sentAway).toMatchObject({ status: 429, headers: { "retry-after": "60", connection: "close" } });
  // Whoever shows the right token waits for nobody.
  for (const kind of ["admin", "callback"] as const) expect((await guess(kind, right)).status).toBe(200);
  let answered = 0;
  for (const each of late) void each.then(() => answered++);
  await clock.advance(999);
  expect(answered).toBe(0);
  await clock.advance(1);
  expect((await Promise.all(late)).every(({ status }) => status === 401)).toBe(true);
  await clock.advance(60_000);
  expect((await guess("admin")).status).toBe(401);
});

// The log: every line is one JSON document (or one pretty line), no secret is in it, and nobody can forge one.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog, type Log, type LogDestination, type RootLog, textLog } from "../../../src/std/log.js";
import type { LostLines } from "../../../src/std/log-output.js";
import { type LogLevel, logLevels } from "../../../src/std/log-queue.js";
import { Masker } from "../../../src/std/masking.js";

function recorded(
  secrets: readonly string[] = [],
  options: { format?: "json" | "pretty"; level?: "debug" | "info" } = {},
) {
  const masker = new Masker();
  masker.keep(secrets);
  const lines: string[] = [];
  const destination: LogDestination = { write: (line) => lines.push(line), isColored: false };
  const { level = "info", format = "json" } = options;
  const log: RootLog = createLog({ level, format, masker, destination });
  return { log, lines, document: (at = 0) => JSON.parse(lines[at] ?? "") as Record<string, unknown> };
}

/** A line with any fields, as a handler may log. */
function say(log: Log, level: LogLevel, fields: Readonly<Record<string, unknown>>, message: string): void {
  log.at(level, "handler-log", fields, message);
}

describe("createLog", () => {
  it("writes one line of JSON with time, level and message, and nothing of the machine", () => {
    const { log, lines, document } = recorded();
    log.info("handler-output", { jobId: "j-1" }, "job started");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("}\n")).toBe(true);
    const { time, ...rest } = document();
    expect(new Date(String(time)).toISOString()).toBe(time);
    expect(rest).toEqual({ level: "info", event: "handler-output", jobId: "j-1", msg: "job started" });
  });

  it.each(["json", "pretty"] as const)("lets readers listen to its lines as masked JSON, written %s", (format) => {
    const { log, lines } = recorded(["hunter2"], { format });
    const heard: string[] = [];
    const stop = log.listen((line) => heard.push(line));
    log.with({ jobId: "j-1" }).info("handler-output", {}, "my hunter2");
    log.debug("reload-started", {}, "quiet");
    stop();
    log.info("handler-output", {}, "unheard");
    expect(heard.map((line) => JSON.parse(line))).toMatchObject([{ jobId: "j-1", msg: "my [secret]" }]);
    expect(lines).toHaveLength(2);
  });

  it("leaves out what is below its level", () => {
    const { log, lines } = recorded();
    log.debug("reload-started", {}, "quiet");
    log.with({ jobId: "j-1" }).debug("reload-started", {}, "quiet");
    expect(lines).toEqual([]);
  });

  it.each([
    ["the message", (log: Log, s: string) => say(log, "info", {}, `it is ${s}.`)],
    ["a field", (log: Log, s: string) => say(log, "info", { url: `https://x/?k=${encodeURIComponent(s)}` }, "m")],
    ["the name of a field", (log: Log, s: string) => say(log, "info", { [s]: 1 }, "m")],
    ["a field deep down", (log: Log, s: string) => say(log, "info", { a: { b: [{ c: `-${s}-` }] } }, "m")],
    ["the fields of a child", (log: Log, s: string) => say(log.with({ a: s }), "info", {}, "m")],
    ["an error", (log: Log, s: string) => say(log, "error", { err: new Error(`bad ${s}`) }, "m")],
    ["a cause", (log: Log, s: string) => say(log, "error", { err: new Error("outer", { cause: new Error(s) }) }, "m")],
    [
      "a document in a text",
      (log: Log, s: string) => say(log, "info", {}, JSON.stringify({ a: JSON.stringify({ s }) })),
    ],
  ])("hides a secret in %s", (_, say) => {
    for (const secret of ['p"a\\ss\nw€d/+=', "hunter22"]) {
      const { log, lines, document } = recorded([secret]);
      say(log, secret);
      expect(lines[0]).toContain("[secret]");
      expect(JSON.stringify(document())).not.toContain(secret.slice(0, 4));
      expect(lines[0]).not.toContain(JSON.stringify(secret).slice(1, 5));
    }
  });

  it("stays JSON when a secret is a number, a word of its own or a piece of JSON", () => {
    for (const secret of ["12345", "info", "time", "true", '","msg":"', "2026", "level", '"jobId":', "null}"]) {
      const { log, document } = recorded([secret]);
      say(log, "info", { durationMs: 12345, ok: true, jobId: "j-1", nothing: null, 12345: "x" }, "the message");
      expect(document()).toMatchObject({ level: "info", msg: "the message", ok: true, nothing: null });
      expect(Date.parse(String(document()["time"]))).not.toBeNaN();
    }
    const { log, lines } = recorded(["12345"]);
    say(log, "info", { durationMs: 12345 }, "m");
    expect(lines[0]).toContain('"durationMs":"[secret]"');
  });

  it("is JSON without the secret, whatever the secret and wherever it stands", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 4, maxLength: 30 }), fc.jsonValue(), (secret, other) => {
        fc.pre(secret.trim().length >= 4 && !"[secret]".includes(secret.trim()));
        const { log, lines, document } = recorded([secret]);
        say(
          log,
          "info",
          { a: `x${secret}y`, other, nested: { list: [secret, { deep: `${secret}${secret}` }] } },
          `m ${secret}`,
        );
        expect(lines).toHaveLength(1);
        const { a, nested, msg } = document();
        expect(JSON.stringify([a, nested, msg])).not.toContain(JSON.stringify(secret).slice(1, -1));
      }),
    );
  });

  it.each([
    ["clientToken"],
    ["Authorization"],
    ["x-amz-security-token"],
    ["secretAccessKey"],
    ["sessionToken"],
    ["secret"],
    ["token"],
    ["db_password"],
    ["client_secret"],
    ["apiKey"],
    ["Set-Cookie"],
    ["artifactCredentials"],
  ])("hides a field called %s, at any depth", (name) => {
    const { log, document } = recorded();
    say(log, "info", { [name]: "value-1", deep: { list: [{ [name]: { inner: "value-2" } }] } }, "m");
    expect(JSON.stringify(document())).not.toMatch(/value-[12]/);
    expect(document()).toMatchObject({ [name]: "[secret]", msg: "m" });
  });

  it.each([["continuationToken"], ["objectKey"], ["tokens"], ["secretProperties"]])(
    "shows a field called %s",
    (name) => {
      const { log, document } = recorded();
      say(log, "info", { [name]: "value-1" }, "m");
      expect(document()).toMatchObject({ [name]: "value-1" });
    },
  );

  it("shows whether there is a secret", () => {
    const { log, document } = recorded();
    say(log, "info", { token: true, secret: null }, "m");
    expect(document()).toMatchObject({ token: true, secret: null });
  });

  it("shows an error under any name with its code and causes, without what a library hung on", () => {
    const { log, document } = recorded();
    const error = Object.assign(
      new Error("denied", { cause: Object.assign(new Error("socket"), { code: "ECONNRESET" }) }),
      {
        code: "AccessDenied",
        $response: { statusCode: 403 },
      },
    );
    say(log, "warn", { fault: error }, "m");
    say(log, "error", { err: error }, "denied");
    expect(document(0)["fault"]).toMatchObject({
      message: "denied",
      code: "AccessDenied",
      cause: { code: "ECONNRESET" },
    });
    expect(document(1)).toMatchObject({ msg: "denied", err: { code: "AccessDenied", cause: { message: "socket" } } });
    expect(JSON.stringify([document(0), document(1)])).not.toContain("$response");
  });

  it("bounds a line, keeps it JSON and says what it left out", () => {
    const { log, lines, document } = recorded();
    say(log, "info", { jobId: "j-1", long: "x".repeat(1e6) }, "y".repeat(1e6));
    expect(lines[0]?.length).toBeLessThan(70_000);
    expect(document()["jobId"]).toBe("j-1");
    expect(String(document()["msg"])).toMatch(/^y+ … \[truncated by partnerd\]$/);
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`field${n}`, n]));
    say(log, "info", { ...many, list: Array.from({ length: 100_000 }, () => 1) }, "m");
    expect(lines[1]?.length).toBeLessThan(70_000);
    expect(Number(document(1)["leftOut"])).toBeGreaterThan(10_000);
  });

  it("shows no part of a secret at the place where it shortens a text", () => {
    const { log, document } = recorded(["hunter22-hunter33"]);
    say(log, "info", { long: `${"x".repeat(8_185)}hunter22-hunter33${"x".repeat(100_000)}` }, "m");
    expect(String(document()["long"])).not.toContain("hun");
  });

  it("survives fields that cannot be written down", () => {
    const { log, lines, document } = recorded();
    const round: Record<string, unknown> = { jobId: "j-1" };
    round["self"] = round;
    say(
      log,
      "info",
      { round, big: 2n ** 80n, nothing: undefined, call: () => 1, symbol: Symbol("s"), not: Number.NaN },
      "m",
    );
    say(
      log,
      "info",
      {
        trap: {
          toJSON: () => {
            throw new Error("no");
          },
        },
      },
      "m",
    );
    say(log, "info", JSON.parse('{"__proto__":{"token":"t1"},"a":1}'), "m");
    expect(lines).toHaveLength(3);
    for (const at of [0, 1, 2]) expect(document(at)["msg"]).toBe("m");
    expect(lines[2]).not.toContain("t1");
  });

  it("tells its destination the level of each line", () => {
    const levels: string[] = [];
    const destination: LogDestination = { write: (_, level) => levels.push(level) };
    const log = createLog({ level: "debug", format: "json", masker: new Masker(), destination });
    for (const each of [log, log.with({ jobId: "j-1" })]) for (const level of logLevels) say(each, level, {}, "m");
    textLog(() => log).warn("m");
    expect(levels).toEqual([...logLevels, ...logLevels, "warn"]);
  });

  it("logs how many lines its destination lost", () => {
    const lines: string[] = [];
    let report: (lost: LostLines) => void = () => {};
    const destination: LogDestination = {
      write: (line) => lines.push(line),
      onLost: (told) => {
        report = told;
      },
    };
    createLog({ level: "error", format: "json", masker: new Masker(), destination });
    report({ lines: 3, why: "the disk is full" });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      lines: 3,
      event: "log-lines-dropped",
      reason: "the disk is full",
    });
  });
});

describe("the pretty format", () => {
  const line = (say: (log: Log) => void, secrets: readonly string[] = []) => {
    const { log, lines } = recorded(secrets, { format: "pretty" });
    say(log);
    return lines.join("").replaceAll(/^\d\d:\d\d:\d\d\.\d{3} /gm, "T ");
  };

  it("is one line for people", () => {
    expect(
      line((log) => say(log, "info", { jobId: "j-1", summary: "two words", n: 3, tags: ["a b"] }, "job started")),
    ).toBe('T info  job started  jobId=j-1 summary="two words" n=3 tags=["a b"]\n');
    expect(line((log) => say(log, "warn", {}, "no fields"))).toBe("T warn  no fields  event=handler-log\n");
  });

  it("shows an error in its line, and its stack below when it is one for error level", () => {
    const error = Object.assign(new Error("it broke"), { code: "EPIPE" });
    expect(line((log) => say(log, "warn", { err: error }, "m"))).toBe(
      'T warn  m  event=handler-log error="it broke" code=EPIPE\n',
    );
    expect(line((log) => say(log, "error", { err: error }, "m"))).toMatch(
      /^T error m {2}event=handler-log error="it broke" code=EPIPE\n( {4}at .+\n)+$/,
    );
  });

  it("never lets a text steer the terminal or make a second line", () => {
    const shown = line((log) =>
      say(log, "info", { field: "\u001b[2Jx\r\ny", "na\u0007me": 1 }, "a\nb\u001b]0;t\u0007\u202ec\u2028d"),
    );
    expect(shown).toBe('T info  a\\nb\\u001b]0;t\\u0007\\u202ec\\u2028d  field="\\u001b[2Jx\\r\\ny" na\\u0007me=1\n');
  });

  it("hides secrets as well", () => {
    expect(line((log) => say(log, "info", { a: "x hunter22 y", token: "t" }, "hunter22"), ["hunter22"])).toBe(
      'T info  [secret]  a="x [secret] y" token=[secret]\n',
    );
  });

  it("has colours only where they are wanted", () => {
    const lines: string[] = [];
    const destination: LogDestination = { write: (text) => lines.push(text), isColored: true };
    createLog({ level: "info", format: "pretty", masker: new Masker(), destination }).info("paused", {}, "m");
    expect(lines[0]).toContain("\u001b[32minfo");
  });
});

describe("textLog", () => {
  it("carries the job's fields and takes the message first", () => {
    const { log, document } = recorded();
    textLog(() => log.with({ jobId: "j-1" })).warn("careful: 100% %s", { count: 2 });
    expect(document()).toMatchObject({ level: "warn", jobId: "j-1", msg: "careful: 100% %s", count: 2 });
  });

  it("lets no field pose as one of ours", () => {
    const { log, lines, document } = recorded();
    textLog(() => log.with({ jobId: "j-1" })).info("m", { jobId: "j-2", level: "error", event: "bug", msg: "other" });
    expect(document()).toMatchObject({ level: "info", jobId: "j-1", msg: "m", jobId_: "j-2", level_: "error" });
    expect(document()).toMatchObject({ event: "handler-log", event_: "bug" });
    expect(lines[0]?.match(/"jobId":/g)).toHaveLength(1);
  });

  it("never throws, whatever it is given", () => {
    const { log, lines } = recorded();
    const text = textLog(() => log.with({ jobId: "j-1" }));
    const trap = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    text.info("m", trap as Record<string, unknown>);
    text.error(Symbol("s") as unknown as string);
    text.debug(undefined as unknown as string);
    text.info(undefined as unknown as string, null as unknown as Record<string, unknown>);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
      "a log line of the handler cannot be shown",
      "Symbol(s)",
      "undefined",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { JobOutput } from "../../../src/handlers/job-output.js";
import { Masker } from "../../../src/std/masking.js";
import { RecordedLog } from "../../fixtures/handlers/call.js";

function given(...secrets: string[]) {
  const masker = new Masker();
  masker.keep(secrets);
  const log = new RecordedLog();
  const output = new JobOutput({ masker, log });
  const write = (stream: "stdout" | "stderr", ...chunks: (string | Buffer)[]) => {
    for (const chunk of chunks) output.write(stream, Buffer.from(chunk as string));
  };
  return { log, output, write };
}

describe("JobOutput", () => {
  it("makes each line a log line that names its stream, whatever its line end", () => {
    const { log, output, write } = given();
    write("stdout", "one\ntwo\r\nthr", "ee\n");
    write("stderr", "four");
    output.end();
    expect(log.lines).toEqual([
      { level: "info", event: "handler-output", message: "one", fields: { stream: "stdout" } },
      { level: "info", event: "handler-output", message: "two", fields: { stream: "stdout" } },
      { level: "info", event: "handler-output", message: "three", fields: { stream: "stdout" } },
      { level: "info", event: "handler-output", message: "four", fields: { stream: "stderr" } },
    ]);
  });

  it("keeps the streams apart when they are written in turns", () => {
    const { log, output, write } = given();
    write("stdout", "out ");
    write("stderr", "err ");
    write("stdout", "put\n");
    write("stderr", "or\n");
    output.end();
    expect(log.messages).toEqual(["out put", "err or"]);
  });

  it("leaves out empty lines", () => {
    const { log, output, write } = given();
    write("stdout", "\n\n  \none\n\n");
    output.end();
    expect(log.messages).toEqual(["one"]);
  });

  it("survives bytes that are no UTF-8, and characters cut in two", () => {
    const { log, output } = given();
    const rocket = Buffer.from("🚀\n");
    output.write("stdout", Buffer.from([0xff, 0xfe, 0x41, 0x0a]));
    output.write("stdout", rocket.subarray(0, 2));
    output.write("stdout", rocket.subarray(2));
    output.write("stdout", Buffer.from([0xe2, 0x82]));
    output.end();
    expect(log.messages).toEqual(["\ufffd\ufffdA", "🚀", "\ufffd"]);
  });

  it("masks a secret although colours were put into it and it came in pieces", () => {
    const { log, output, write } = given("hunter2-hunter2");
    write("stderr", "token: hun\u001b[1mter2-", "hun\u001b[0mter2 !\n");
    output.end();
    expect(log.messages).toEqual(["token: [secret] !"]);
    expect(output.tail()).toBe("token: [secret] !");
  });

  it("masks a secret that straddles the place where a long line is cut", () => {
    const secret = "s3cr3t-".repeat(10);
    const { log, output, write } = given(secret);
    write("stdout", `${"x".repeat(16 * 1024 - 30)}${secret}${"y".repeat(100)}\n`);
    output.end();
    expect(log.lines.length).toBeGreaterThan(0);
    expect(log.messages.join("")).toContain("[secret]");
    expect(log.messages.join("")).not.toContain("s3cr3t");
  });

  it("cuts a long line into several", () => {
    const { log, output, write } = given();
    write("stdout", `${"x".repeat(40_000)}\n`);
    output.end();
    expect(log.messages.every((message) => message.length <= 16 * 1024)).toBe(true);
    expect(log.messages.join("")).toBe("x".repeat(40_000));
  });

  it("stops logging after 100,000 lines, says so once, and goes on remembering the end of stderr", () => {
    const { log, output, write } = given();
    const thousand = "line\n".repeat(1_000);
    for (let n = 0; n < 150; n++) write("stdout", thousand);
    write("stderr", "the cause\n");
    write("stdout", "more\n");
    output.end();
    expect(log.lines).toHaveLength(100_001);
    expect(log.lines.at(-1)).toMatchObject({ level: "warn", event: "handler-output-truncated" });
    expect(output.tail()).toBe("the cause");
  });

  it("stops logging after 10 MiB", () => {
    const { log, output, write } = given();
    const line = `${"x".repeat(10_000)}\n`;
    for (let n = 0; n < 2_000; n++) write("stderr", line);
    output.end();
    expect(log.messages.join("").length).toBeLessThan(10.1 * 1024 * 1024);
    expect(log.lines.filter((each) => each.level === "warn")).toHaveLength(1);
  });

  it("keeps the last 4,000 characters of stderr, and says that more came before", () => {
    const { output, write } = given();
    for (let n = 0; n < 10_000; n++) write("stderr", `line ${n}\n`);
    output.end();
    expect(output.tail()).toHaveLength(4_000);
    expect(output.tail()).toMatch(/^\[truncated by partnerd\]/);
    expect(output.tail()).toMatch(/line 9998\nline 9999$/);
  });

  it("keeps the end of a single long line", () => {
    const { output, write } = given();
    write("stderr", `${"x".repeat(50_000)}the cause`);
    output.end();
    expect(output.tail()).toMatch(/x+the cause$/);
  });

  it("has no tail when stderr was silent", () => {
    const { output, write } = given();
    write("stdout", "only here\n");
    write("stderr", "\n \n");
    output.end();
    expect(output.tail()).toBe("");
  });
});

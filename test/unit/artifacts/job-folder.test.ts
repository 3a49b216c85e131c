import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { JobFolder } from "../../../src/artifacts/job-folder.js";

async function given() {
  const root = await mkdtemp(join(tmpdir(), "partnerd-test-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const ended = new AbortController();
  let made = 0;
  const make = async () => {
    made += 1;
    return root;
  };
  return { root, ended, folder: new JobFolder({ make, signal: ended.signal }), made: () => made };
}

it("makes the folder once, and only when it is asked for", async () => {
  const { root, folder, made } = await given();
  expect([made(), folder.made]).toEqual([0, undefined]);
  expect(await Promise.all([folder.path(), folder.part("inputs"), folder.newFile("a")])).toEqual([
    root,
    join(root, "inputs"),
    join(root, ".artifacts", "1-a"),
  ]);
  expect(made()).toBe(1);
});

it("is tried anew after a shortage, and once for all who ask", async () => {
  const { root } = await given();
  let calls = 0;
  const make = async () => {
    calls += 1;
    if (calls === 1) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    return root;
  };
  const folder = new JobFolder({ make, signal: new AbortController().signal });
  await expect(folder.path()).rejects.toMatchObject({ where: "machine", code: "EMFILE", type: "SystemUnavailable" });
  expect(folder.made).toBeUndefined();
  expect(await Promise.all([folder.path(), folder.path()])).toEqual([root, root]);
  expect(calls).toBe(2);
});

it("makes nothing once the job has ended, be it new or gone already", async () => {
  const { root, ended, folder } = await given();
  await folder.path();
  await rm(root, { recursive: true });
  ended.abort(new Error("the job is over"));
  await expect(folder.part("inputs")).rejects.toThrow("the job is over");
  await expect(access(root)).rejects.toMatchObject({ code: "ENOENT" });
});

it.each([
  ["ENOSPC", /the disk of the worker .* is full \(ENOSPC\)/],
  ["EACCES", /could not make a folder for the job \(EACCES\)/],
])("fails the job as the worker's trouble when it cannot be made (%s)", async (code, message) => {
  const make = () => Promise.reject(Object.assign(new Error("x"), { code }));
  const folder = new JobFolder({ make, signal: new AbortController().signal });
  await expect(folder.path()).rejects.toMatchObject({
    type: "SystemUnavailable",
    message: expect.stringMatching(message),
  });
});

it("is made by the next call when it could not be made for a moment", async () => {
  const { root } = await given();
  let calls = 0;
  const make = async () => {
    if (calls++ === 0) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    return root;
  };
  const folder = new JobFolder({ make, signal: new AbortController().signal });
  await expect(folder.path()).rejects.toMatchObject({ type: "SystemUnavailable" });
  expect(await folder.path()).toBe(root);
  expect(await folder.part("inputs")).toBe(join(root, "inputs"));
  expect(calls).toBe(2);
});

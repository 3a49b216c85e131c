import { expect, it } from "vitest";
import type { Workspace, WorkspaceCall } from "../../../src/artifacts/artifacts.js";
import { LazyWorkspace } from "../../../src/artifacts/lazy-workspace.js";

function setUp() {
  const calls: string[] = [];
  let opened = 0;
  const answer =
    (name: string) =>
    async (...args: unknown[]) =>
      void calls.push([name, ...args].join(" ")) as never;
  const inner: Workspace = {
    folder: answer("folder"),
    input: answer("input"),
    inputFile: answer("inputFile"),
    output: answer("output"),
    links: answer("links"),
    finish: answer("finish"),
    dispose: answer("dispose"),
  };
  const call = { receivedMs: 1 } as WorkspaceCall;
  const workspace = new LazyWorkspace((asked) => {
    expect(asked).toBe(call);
    opened += 1;
    return inner;
  }, call);
  return { workspace, calls, opened: () => opened };
}

it("opens nothing for a job that touches no artifact", async () => {
  const { workspace, calls, opened } = setUp();
  await workspace.finish();
  await workspace.dispose();
  expect([opened(), calls]).toEqual([0, []]);
});

it("opens one workspace at the first use, and hands everything on to it", async () => {
  const { workspace, calls, opened } = setUp();
  await workspace.folder();
  await workspace.input("A");
  await workspace.inputFile("B");
  await workspace.output("C", "dir");
  await workspace.links();
  await workspace.finish();
  await workspace.dispose();
  expect(opened()).toBe(1);
  expect(calls).toEqual(["folder", "input A", "inputFile B", "output C dir", "links", "finish", "dispose"]);
});

it("gives whoever asks only after the end a workspace that is over", async () => {
  const { workspace, calls, opened } = setUp();
  await workspace.dispose();
  await workspace.input("A");
  await workspace.input("B");
  expect(opened()).toBe(1);
  expect(calls).toEqual(["dispose", "input A", "input B"]);
});

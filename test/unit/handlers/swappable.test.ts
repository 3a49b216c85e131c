// Handlers that are replaced while jobs run: the new ones are found first, the old until they are let go.
import { expect, it } from "vitest";
import type { HandlerRegistry, JobHandler } from "../../../src/handlers/handler.js";
import { SwappableHandlers } from "../../../src/handlers/swappable.js";

function registry(...names: readonly string[]) {
  const handlers = new Map(names.map((name) => [name, { description: name } as unknown as JobHandler]));
  const made = { closed: 0, get: (name: string) => handlers.get(name) };
  const close = async () => {
    made.closed += 1;
  };
  return Object.assign(made, { close }) satisfies HandlerRegistry;
}

it("finds the new handlers first, and a name that is gone among the old", () => {
  const [first, second] = [registry("scan", "build"), registry("scan")];
  const handlers = new SwappableHandlers(first);
  handlers.swap(second);
  expect(handlers.get("scan")).toBe(second.get("scan"));
  expect(handlers.get("build")).toBe(first.get("build"));
  expect(handlers.get("deploy")).toBeUndefined();
});

it("closes the old ones only when it is told to, and finds them no more", async () => {
  const [first, second, third] = [registry("scan"), registry("build"), registry("deploy")];
  const handlers = new SwappableHandlers(first);
  const letFirstGo = handlers.swap(second);
  const letSecondGo = handlers.swap(third);
  expect([first.closed, second.closed]).toEqual([0, 0]);
  await letSecondGo();
  expect([first.closed, second.closed, third.closed]).toEqual([0, 1, 0]);
  expect(handlers.get("build")).toBeUndefined();
  expect(handlers.get("scan")).toBeDefined();
  await letFirstGo();
  expect([first.closed, second.closed, third.closed]).toEqual([1, 1, 0]);
});

it("closes all that are left at its own end", async () => {
  const [first, second] = [registry("scan"), registry("build")];
  const handlers = new SwappableHandlers(first);
  handlers.swap(second);
  await handlers.close();
  expect([first.closed, second.closed]).toEqual([1, 1]);
});

it("closes at once what a late reload brings after its own end", async () => {
  const [first, late] = [registry("scan"), registry("scan")];
  const handlers = new SwappableHandlers(first);
  await handlers.close();
  handlers.swap(late);
  expect(late.closed).toBe(1);
});

// Promise: several values of one queryable property have a poller each, under one limit; a value that comes or goes
// changes its own poller alone.
import { expect, it } from "vitest";
import { custom, Gate, startRig } from "../support/rig.js";

const queried = { ...custom, provider: "Queried" } as const;
const [shop, blog, docs] = [{ Project: "shop" }, { Project: "blog" }, { Project: "docs" }] as const;
const properties = [{ name: "Project", queryable: true }];

function rigFor(more: Partial<Parameters<typeof startRig>[0]> = {}) {
  return startRig({ actionTypes: [{ ...queried, queryParams: [shop, blog] }], isHeld: true, ...more });
}

it("works the jobs of each value, and of no other, by a poller of its own", async () => {
  await using rig = await rigFor();
  rig.emulator.addActionType({ ...queried, properties });
  const [one, other, nobodys] = [shop, blog, docs].map((configuration) =>
    rig.emulator.addJob({ actionType: queried, configuration }),
  ) as [string, string, string];
  void rig.run();
  for (const id of [one, other]) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(rig.emulator.job(nobodys)?.counts.offers).toBe(0);
  expect(rig.daemon.status().pollers).toMatchObject([
    { query: "Project=shop", taken: 1 },
    { query: "Project=blog", taken: 1 },
  ]);
  const polled = rig.logs.filter(({ event }) => event === "poll-finished").map(({ query }) => query);
  expect(new Set(polled)).toEqual(new Set(["Project=shop", "Project=blog"]));
});

it("holds all of them to the one limit of their entry", async () => {
  const gate = new Gate();
  await using rig = await rigFor({
    actionTypes: [{ ...queried, queryParams: [shop, blog], maxConcurrentJobs: 2 }],
    handle: () => gate.enter().then(() => ({ kind: "succeeded" })),
  });
  rig.emulator.addActionType({ ...queried, properties });
  const ids = [shop, blog].flatMap((configuration) =>
    rig.emulator.addJobs({ actionType: queried, configuration, count: 3 }),
  );
  void rig.run();
  await gate.waiting(2);
  expect(rig.daemon.status().slots.groups).toMatchObject([{ group: "Custom/Build/Queried/1", max: 2, working: 2 }]);
  for (const _ of ids) {
    await gate.waiting(1);
    gate.release();
  }
  for (const id of ids) expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});

it("recovers a job whichever value it came by", async () => {
  const gate = new Gate();
  await using first = await rigFor({ handle: () => gate.enter(), inFolder: (folder) => sqlite(folder) });
  first.emulator.addActionType({ ...queried, properties });
  const id = first.emulator.addJob({ actionType: queried, configuration: blog });
  void first.run();
  await gate.waiting(1);
  first.daemon.worker.stopNow("the test ends this process");
  await first.stop();
  await using second = await rigFor({ sharedEmulator: first.emulator, config: sqlite(first.folder) });
  void second.run();
  const { key } = await second.event("job-reported");
  expect(key.jobId).toBe(id);
  expect(second.count("job-unfinished")).toBe(0);
});

it("takes a value in and another out while the third goes on undisturbed", async () => {
  await using rig = await rigFor();
  rig.emulator.addActionType({ ...queried, properties });
  void rig.run();
  await rig.event("poll-finished", ({ poller }) => poller.query === "Project=shop");
  const [type] = rig.config.actionTypes;
  if (!type) throw new Error("no action type");
  await rig.daemon.reload(async () => ({ ...rig.config, actionTypes: [{ ...type, queryParams: [shop, docs] }] }));
  const { added, removed } = await rig.event("pollers-changed");
  expect([added, removed].map((some) => some.map(({ query }) => query))).toEqual([["Project=docs"], ["Project=blog"]]);
  const id = rig.emulator.addJob({ actionType: queried, configuration: docs });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  const forgotten = rig.emulator.addJob({ actionType: queried, configuration: blog });
  const next = rig.events.length;
  await rig.event(
    "poll-finished",
    (event) => event.poller.query === "Project=docs" && rig.events.indexOf(event) > next,
  );
  expect(rig.emulator.job(forgotten)?.counts.offers).toBe(0);
});

function sqlite(folder: string) {
  return { ledger: { store: "sqlite", path: `${folder}/ledger.db` } } as const;
}

// What a service is posted: links that still work when it gets them.
import { expect, it } from "vitest";
import type { ArtifactLinks } from "../../../../src/artifacts/artifacts.js";
import { HttpJobBody } from "../../../../src/handlers/http/job-body.js";
import type { Job } from "../../../../src/job/job.js";
import { Deadline } from "../../../../src/std/deadline.js";
import { aCall } from "../../../fixtures/handlers/call.js";
import { FakeClock } from "../../../support/fake-clock.js";

const lifeMs = 14 * 60_000;

function given(options: { job?: Partial<Job>; fails?: (nth: number) => boolean } = {}) {
  const clock = new FakeClock();
  let made = 0;
  const links = async (): Promise<ArtifactLinks> => {
    made += 1;
    if (options.fails?.(made)) throw new Error("CodePipeline is busy");
    const link = (name: string) => ({ name, url: `https://s3.test/${name}?${made}`, headers: { "x-signed": "yes" } });
    return { inputs: [link("Source")], outputs: [link("Report")], until: Deadline.in(clock, lifeMs) };
  };
  const call = aCall({ workspace: { links }, ...(options.job ? { job: options.job } : {}) });
  const body = new HttpJobBody({ call, callback: undefined });
  const posted = async () => JSON.parse((await body.bytes()).toString("utf8")) as Record<string, unknown>;
  return { clock, call, posted, made: () => made };
}

it("names for each artifact the request that fetches or uploads it", async () => {
  const { clock, posted } = given();
  expect(await posted()).toMatchObject({
    inputs: [{ name: "Source", method: "GET", url: "https://s3.test/Source?1", headers: { "x-signed": "yes" } }],
    outputs: [{ name: "Report", method: "PUT", url: "https://s3.test/Report?1", headers: { "x-signed": "yes" } }],
    artifactsUntil: new Date(clock.now() + lifeMs).toISOString(),
  });
});

it("keeps the links of an earlier post until they near their end, then has fresh ones", async () => {
  const { clock, posted, made } = given();
  const first = await posted();
  await clock.advance(lifeMs - 5 * 60_000);
  expect(await posted()).toEqual(first);
  await clock.advance(1);
  expect(await posted()).toMatchObject({ inputs: [{ url: "https://s3.test/Source?2" }] });
  expect(made()).toBe(2);
});

it.each([7_200_000, -7_200_000])(
  "goes by the time that links have left when the wall clock is set by %i ms",
  async (step) => {
    const { clock, posted, made } = given();
    const first = await posted();
    clock.step(step);
    await clock.advance(lifeMs - 5 * 60_000);
    expect(await posted()).toEqual(first);
    await clock.advance(1);
    expect(await posted()).toMatchObject({ artifactsUntil: new Date(clock.now() + lifeMs).toISOString() });
    expect(made()).toBe(2);
  },
);

it("sends the old links, with a warning, while they work and no fresh ones can be made", async () => {
  const { clock, call, posted } = given({ fails: (nth) => nth > 1 });
  const first = await posted();
  await clock.advance(lifeMs - 1);
  expect(await posted()).toEqual(first);
  expect(call.log.lines).toMatchObject([{ level: "warn", event: "links-not-renewed" }]);
  await clock.advance(1);
  await expect(posted()).rejects.toThrow("CodePipeline is busy");
});

it.each<[string, Partial<Job>]>([
  ["without credentials", { access: undefined as never }],
  ["whose artifacts lie nowhere", { inputs: [{ name: "Source" }], outputs: [] }],
])("gives a job %s its names only", async (_what, job) => {
  const { posted, made } = given({ job });
  const document = await posted();
  expect(document["inputs"]).toEqual([expect.not.objectContaining({ url: expect.anything() })]);
  expect(document).not.toHaveProperty("artifactsUntil");
  expect(made()).toBe(0);
});

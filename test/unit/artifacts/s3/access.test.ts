// Access to artifacts: renewed in time, shared by all who wait, and never a reason to fail while the old one is good.
import { describe, expect, it } from "vitest";
import { GoneAccess } from "../../../../src/artifacts/faults.js";
import { accessLifeMs, JobAccess } from "../../../../src/artifacts/s3/access.js";
import type { ArtifactAccess } from "../../../../src/job/job.js";
import { Secret } from "../../../../src/job/secret.js";
import { FakeClock } from "../../../support/fake-clock.js";

const accessNamed = (name: string): ArtifactAccess => ({
  credentials: {
    accessKeyId: new Secret(`${name}-id`),
    secretAccessKey: new Secret(`${name}-secret`),
    sessionToken: new Secret(`${name}-token`),
  },
});

function given(options: { first?: ArtifactAccess | undefined; random?: number; renew?: () => Promise<unknown> } = {}) {
  const clock = new FakeClock();
  const kept: string[] = [];
  let renewals = 0;
  const ended = new AbortController();
  const access = new JobAccess({
    first: "first" in options ? options.first : accessNamed("first"),
    receivedMs: clock.monotonic(),
    renew: async () => {
      renewals += 1;
      const renewed = await options.renew?.();
      return options.renew ? (renewed as ArtifactAccess | undefined) : accessNamed(`renewed-${renewals}`);
    },
    keepSecrets: (values) => kept.push(...values),
    clock,
    random: () => options.random ?? 0,
    signal: ended.signal,
  });
  const nameNow = async (leftMs?: number) =>
    (await access.current(leftMs)).access.credentials.accessKeyId.reveal().replace("-id", "");
  return { access, clock, kept, ended, nameNow, renewals: () => renewals };
}

describe("access to artifacts", () => {
  it("is what came with the job, until its last minutes", async () => {
    const { clock, nameNow, renewals } = given();
    await clock.advance(10 * 60_000 - 1);
    expect(await nameNow()).toBe("first");
    await clock.advance(1);
    expect(await nameNow()).toBe("first");
    await clock.advance(1);
    expect(await nameNow()).toBe("renewed-1");
    expect(await nameNow()).toBe("renewed-1");
    expect(renewals()).toBe(1);
  });

  it("is renewed at another moment by each job", async () => {
    const { clock, nameNow } = given({ random: 0.999 });
    await clock.advance(11.9 * 60_000);
    expect(await nameNow()).toBe("first");
    await clock.advance(0.1 * 60_000);
    expect(await nameNow()).toBe("first");
    await clock.advance(1);
    expect(await nameNow()).toBe("renewed-1");
  });

  it("is renewed at once for who needs more time than is left", async () => {
    const { clock, nameNow } = given();
    await clock.advance(60_000);
    expect(await nameNow(14 * 60_000)).toBe("first");
    expect(await nameNow(14 * 60_000 + 1)).toBe("renewed-1");
  });

  it("is renewed once for all who were refused with the same", async () => {
    const { access, kept, renewals } = given();
    const held = await access.current();
    const [one, other] = await Promise.all([access.after(held), access.after(held)]);
    expect(one).toBe(other);
    expect(await access.after(held)).toBe(one);
    expect(renewals()).toBe(1);
    expect(kept).toEqual(["renewed-1-id", "renewed-1-secret", "renewed-1-token"]);
  });

  it("is not waited for while the old one is good, however long CodePipeline takes", async () => {
    const answer = Promise.withResolvers<ArtifactAccess>();
    const { clock, nameNow, renewals } = given({ renew: () => answer.promise });
    await clock.advance(accessLifeMs - 1);
    expect(await nameNow()).toBe("first");
    expect(await nameNow()).toBe("first");
    expect(renewals()).toBe(1);
    answer.resolve(accessNamed("late"));
    await clock.advance(1);
    expect(await nameNow()).toBe("late");
  });

  it("stays in use while it is good and CodePipeline cannot be asked", async () => {
    const { clock, nameNow } = given({ renew: () => Promise.reject(new Error("throttled")) });
    await clock.advance(accessLifeMs - 1);
    expect(await nameNow()).toBe("first");
    await clock.advance(1);
    await expect(nameNow()).rejects.toThrow("throttled");
  });

  it("is asked for when none came, and missing when none is given", async () => {
    expect(await given({ first: undefined }).nameNow()).toBe("renewed-1");
    await expect(given({ first: undefined, renew: async () => undefined }).nameNow()).rejects.toThrow(GoneAccess);
  });

  it("is not asked for when the job is over", async () => {
    const { ended, nameNow, renewals } = given({ first: undefined });
    ended.abort(new Error("the job is over"));
    await expect(nameNow()).rejects.toThrow("the job is over");
    expect(renewals()).toBe(0);
  });
});

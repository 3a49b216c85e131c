import { expect, it } from "vitest";
import type { ArtifactStore } from "../../../src/artifacts/artifacts.js";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { openWorkspace } from "../../../src/engine/job-workspace.js";
import type { ArtifactAccess } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";
import { flightOver, offer } from "../../support/flight.js";
import { noArtifacts, noWorkspace } from "../../support/no-artifacts.js";

const access: ArtifactAccess = {
  credentials: {
    accessKeyId: new Secret("id"),
    secretAccessKey: new Secret("key"),
    sessionToken: new Secret("session"),
  },
};

async function opened(faults: readonly GatewayError[] = []) {
  let asked = 0;
  const { context, flight, clock } = await flightOver({
    detailsAgain: async () => {
      const fault = faults[asked++];
      if (fault) throw fault;
      return { ...offer, access };
    },
  });
  const masked = new Set<string>();
  let opening: Parameters<ArtifactStore["open"]>[0] | undefined;
  let isDisposed = false;
  const deps = {
    ...context.deps,
    keepSecrets: (values: readonly string[]) => {
      for (const value of values) masked.add(value);
      return () => void values.map((value) => masked.delete(value));
    },
    artifacts: {
      ...noArtifacts,
      open: (asked: Parameters<ArtifactStore["open"]>[0]) => {
        opening = asked;
        const dispose = async () => {
          isDisposed = true;
        };
        const folder = async (options: object = {}) => JSON.stringify(options);
        return { ...noWorkspace, dispose, folder };
      },
    },
  };
  const { signal } = new AbortController();
  const workspace = openWorkspace({ ...context, deps }, flight, offer, signal);
  if (!opening) throw new Error("the store was not asked");
  return { opening, workspace, flight, clock, masked, signal, isDisposed: () => isDisposed, asked: () => asked };
}

function fault(kind: "unavailable" | "gone"): GatewayError {
  return new GatewayError({ kind, operation: "GetJobDetails", code: kind, message: "no" });
}

it("opens the job's workspace, and ends it with the job's secrets", async () => {
  const { opening, workspace, flight, signal, masked, isDisposed } = await opened();
  expect(opening).toMatchObject({ job: offer, receivedMs: flight.polledAtMs, signal });
  opening.keepSecrets(["fresh"]);
  expect([...masked]).toEqual(["fresh"]);
  await workspace.dispose();
  expect([isDisposed(), masked.size]).toEqual([true, 0]);
});

it("hands on how the folder is to be", async () => {
  const { workspace } = await opened();
  expect(await workspace.folder({ isPassable: true })).toBe('{"isPassable":true}');
});

it("fetches fresh access as often as it takes, and leaves the claim alone", async () => {
  const { opening, flight, clock, asked } = await opened([fault("unavailable"), fault("unavailable")]);
  const { claim } = flight;
  const renewed = opening.renewAccess(new AbortController().signal);
  await clock.advance(10);
  expect([await renewed, asked()]).toEqual([access, 3]);
  expect(flight.claim).toBe(claim);
});

it("gives up at once when the job is gone, or when nobody needs the access any more", async () => {
  const { opening } = await opened([fault("gone")]);
  await expect(opening.renewAccess(new AbortController().signal)).rejects.toMatchObject({ kind: "gone" });
  const other = await opened(Array(9).fill(fault("unavailable")));
  const nobody = new AbortController();
  const renewing = other.opening.renewAccess(nobody.signal).catch((error: unknown) => error);
  nobody.abort();
  await other.clock.advance(10);
  expect([await renewing, other.asked()]).toMatchObject([{ kind: "unavailable" }, 1]);
});

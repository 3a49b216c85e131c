import { expect, it } from "vitest";
import { maskSecretsOf } from "../../../src/engine/job-secrets.js";
import { Secret } from "../../../src/job/secret.js";
import { flightOver, offer } from "../../support/flight.js";

it("masks the job's credentials and its secret properties, and nothing else, until it is told to end", async () => {
  const { context, config } = await flightOver({});
  const kept = new Set<string>();
  const deps = {
    ...context.deps,
    keepSecrets: (values: readonly string[]) => {
      for (const value of values) kept.add(value);
      return () => kept.clear();
    },
  };
  const job = {
    ...offer,
    configuration: { Password: "pass", Empty: "", Url: "https://example.com" },
    access: {
      credentials: {
        accessKeyId: new Secret("id"),
        secretAccessKey: new Secret("key"),
        sessionToken: new Secret("session"),
      },
    },
  };
  const end = maskSecretsOf(
    { ...context, deps },
    { ...config, secretProperties: ["Password", "Empty", "Absent"] },
    job,
  );
  expect([...kept].sort()).toEqual(["id", "key", "pass", "session"]);
  end();
  expect(kept.size).toBe(0);
});

// Which place of the chain is asked, and what is said when the last one has nothing.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { credentialChain } from "../../../../src/network/credentials/credential-chain.js";

beforeEach(() => {
  for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(name, "/nonexistent/aws");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function found(environment: Readonly<Record<string, string>>): Promise<unknown> {
  const chain = credentialChain({
    environment: { AWS_EC2_METADATA_DISABLED: "true", ...environment },
    clientConfig: {} as never,
  });
  return chain(undefined as never, undefined as never);
}

describe("a variable that counts only with another one", () => {
  it.each([
    [{ AWS_ACCESS_KEY_ID: "AKIA" }, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY and has no effect"],
    [{ AWS_SECRET_ACCESS_KEY: "hidden" }, "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID and has no effect"],
    [
      { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "" },
      "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY and has no effect",
    ],
    [
      { AWS_WEB_IDENTITY_TOKEN_FILE: "/token" },
      "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN and has no effect",
    ],
  ])("is named when no credentials are found: %o", async (environment, words) => {
    const error = await found(environment).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining(`; ${words}; give the process a role`) });
    expect(String(error)).not.toContain("hidden");
  });

  it("is not spoken of where none is set", async () => {
    await expect(found({})).rejects.toThrow(/^((?!is set without).)*$/s);
  });
});

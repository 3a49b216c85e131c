// A proxy's variable that cannot be used is a mistake of the configuration, and no reason to go without one.
import { expect, it } from "vitest";
import { least, mistakesOf, optionsFor, warningsOf } from "./support.js";

it.each([
  ["HTTPS_PROXY", "socks5://proxy.corp:1080", /^HTTPS_PROXY: is a socks5 proxy/],
  ["http_proxy", "http://jo:50%@proxy.corp", /^http_proxy: has a %/],
  ["HTTP_PROXY", "http://proxy.corp:99999", /^HTTP_PROXY: is not a proxy URL/],
])("%s=%s", async (name, value, line) => {
  const lines = await mistakesOf(optionsFor(least, { environment: { [name]: value } }));
  expect(lines).toEqual([expect.stringMatching(line)]);
  expect(lines[0]).toMatch(/http:\/\/USER:PASSWORD@HOST:PORT/);
  expect(lines[0]).not.toContain("proxy.corp");
});

it("may be any proxy that can be used", async () => {
  const environment = { HTTPS_PROXY: "http://jo:50%25@proxy.corp:3128", http_proxy: "proxy.corp:3128", NO_PROXY: "*" };
  expect(await mistakesOf(optionsFor(least, { environment }))).toEqual([]);
});

it("warns where Node itself would show a proxy the instance's credentials", async () => {
  const environment = { HTTP_PROXY: "http://proxy.corp:3128", NODE_USE_ENV_PROXY: "1" };
  expect(await warningsOf(least, { environment })).toEqual([
    expect.stringMatching(/^NODE_USE_ENV_PROXY: has Node ask for the instance's credentials by the proxy; unset it/),
  ]);
  for (const other of [{ NO_PROXY: "169.254.169.254" }, { NODE_USE_ENV_PROXY: "0" }, { HTTP_PROXY: "" }]) {
    expect(await warningsOf(least, { environment: { ...environment, ...other } })).toEqual([]);
  }
});

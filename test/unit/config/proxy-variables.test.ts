// A proxy's variable that cannot be used is a mistake of the configuration, and no reason to go without one.
import { expect, it } from "vitest";
import { least, mistakesOf, optionsFor } from "./support.js";

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

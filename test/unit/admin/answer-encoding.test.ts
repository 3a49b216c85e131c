// Who gets an answer compressed, and that it is the same answer.
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { writtenFor } from "../../../src/admin/answer-encoding.js";

const text = "<tr><td>ü</td></tr>\n".repeat(500);

describe("an answer", () => {
  it("is gzip for whoever takes it, and says so", () => {
    const { body, headers } = writtenFor({ "accept-encoding": "br, gzip;q=0.8" }, text);
    expect(headers).toEqual({ vary: "accept-encoding", "content-encoding": "gzip" });
    expect(gunzipSync(body as Buffer).toString("utf8")).toBe(text);
    expect(body.length).toBeLessThan(text.length / 20);
  });

  it.each([
    ["gzip", true],
    ["GZIP", true],
    ["*", true],
    ["gzip;q=0", false],
    ["gzip; q=0.000", false],
    ["*;q=0", false],
    ["identity, *;q=0.1", true],
    ["gzip;q=0, *", false],
    ["br", false],
    ["", false],
    [undefined, false],
    ["gzipped", false],
  ])("to Accept-Encoding %s is gzip: %s", (header, is) => {
    expect(
      "content-encoding" in writtenFor(header === undefined ? {} : { "accept-encoding": header }, text).headers,
    ).toBe(is);
  });

  it.each([
    ["none", true],
    ["same-origin", true],
    ["same-site", false],
    ["cross-site", false],
  ])("to a request that a page made from %s is gzip: %s", (site, is) => {
    const headers = { "accept-encoding": "gzip", "sec-fetch-site": site };
    expect("content-encoding" in writtenFor(headers, text).headers).toBe(is);
  });

  it("that is small, or larger than is worth the daemon's time, stays as it is", () => {
    for (const size of [10, 1_100_000])
      expect(writtenFor({ "accept-encoding": "gzip" }, "x".repeat(size)).headers).toEqual({});
  });
});

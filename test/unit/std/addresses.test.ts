import { describe, expect, it } from "vitest";
import { isLoopback, reachableUrl } from "../../../src/std/addresses.js";

describe("an address that only this machine reaches", () => {
  it.each(["127.0.0.1", "127.8.9.1", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"])("is %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", "::2", ""])(
    "is not %j",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

it.each([
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["", "http://127.0.0.1:80"],
  ["::", "http://[::1]:80"],
  ["fe80::1", "http://[fe80::1]:80"],
  ["10.0.0.1", "http://10.0.0.1:80"],
])("reaches what listens at %j by %s", (host, url) => {
  expect(reachableUrl(host, 80)).toBe(url);
});

// A public address for callbacks means a proxy on this machine, to which everybody behind it looks local.
import { expect, it } from "vitest";
import { least, warningsOf } from "./support.js";

it("warns of an admin.publicUrl that leads here from elsewhere while there is no token", async () => {
  expect(await warningsOf(`${least}admin: { publicUrl: 'https://jobs.partner.example' }\n`)).toEqual([
    expect.stringMatching(
      /admin\.publicUrl leads other machines here, and admin\.token is not set: .*; set admin\.token, or/,
    ),
  ]);
});

it.each([
  ["a token", "publicUrl: 'https://jobs.partner.example', token: a-token-of-many-letters"],
  ["an address of this machine", "publicUrl: 'http://127.0.0.1:8080'"],
  ["an IPv6 address of this machine", "publicUrl: 'http://[::1]:8080'"],
  ["no such address", "port: 9464"],
])("is silent with %s", async (_, admin) => {
  expect(await warningsOf(`${least}admin: { ${admin} }\n`)).toEqual([]);
});

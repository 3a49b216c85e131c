// What is shown of commands and variables, and what never is.
import { describe, expect, it } from "vitest";
import { shownArguments, shownText } from "../../../src/std/shown.js";

describe("shownText", () => {
  it.each([
    ["postgres://u:PASS@h/", "postgres://u:[secret]@h/"],
    ["postgres://u:PA/S@S@h/db", "postgres://u:[secret]@h/db"],
    ["redis://:PASS@h:6379", "redis://:[secret]@h:6379"],
    ["--db=mysql://u:PASS@h/", "--db=mysql://u:[secret]@h/"],
    ["jdbc:postgresql://u:PASS@h/db", "jdbc:postgresql://u:[secret]@h/db"],
    ["https://PASS@h/repo.git", "https://[secret]@h/repo.git"],
    ["from https://u:PASS@h to https://u:PASS@i", "from https://u:[secret]@h to https://u:[secret]@i"],
    ["--header=Authorization: Bearer PASS", "--header=Authorization: [secret]"],
    ["Authorization: Basic PASS", "Authorization: [secret]"],
    ["proxy-authorization:PASS", "proxy-authorization:[secret]"],
    ["bearer PASS", "bearer [secret]"],
    ["X-Api-Key: PASS", "X-Api-Key: [secret]"],
    ["--header=Cookie: a=PASS; b=PASS", "--header=Cookie: [secret]"],
    ["--token=PASS", "--token=[secret]"],
    ["--token=PASS with = and spaces", "--token=[secret]"],
    ["-Dapp.password=PASS", "-Dapp.password=[secret]"],
    ["http://h/?x=1&api_key=PASS&y=2", "http://h/?x=1&api_key=[secret]"],
    ['{"password": "PASS"}', '{"password": [secret]'],
    ["password=PASS\nPASS", "password=[secret]"],
  ])("masks %s", (text, shown) => {
    expect(shownText(text)).toBe(shown);
  });

  it.each([
    "",
    "--level=2",
    "./build.sh",
    "https://example.com:8443/a",
    "--token=",
    "https://auth.example.com:8443/path",
    "https://auth:8443/path?x=1",
    "ssh://git@github.com/a/b.git",
    "git@github.com:a/b.git",
    "a:b@c",
    "--monkey",
    "s3://bucket/key",
    "12:30",
  ])("shows %s as it is", (text) => {
    expect(shownText(text)).toBe(text);
  });
});

describe("shownArguments", () => {
  it.each([
    [
      ["curl", "-H", "Authorization: Bearer PASS"],
      ["curl", "-H", "Authorization: [secret]"],
    ],
    [
      ["run", "--password", "PASS", "--level", "2"],
      ["run", "--password", "[secret]", "--level", "2"],
    ],
    [
      ["run", "-token", "PASS"],
      ["run", "-token", "[secret]"],
    ],
    [
      ["curl", "-u", "me:PASS"],
      ["curl", "-u", "me:[secret]"],
    ],
    [
      ["curl", "--user", "me"],
      ["curl", "--user", "me"],
    ],
    [
      ["run", "--no-auth", "--level", "2"],
      ["run", "--no-auth", "--level", "2"],
    ],
    [
      ["get-token", "now"],
      ["get-token", "now"],
    ],
  ])("shows %j as %j", (words, shown) => {
    expect(shownArguments(words)).toEqual(shown);
  });

  it("shows no secret word of a list that nobody foresaw twice differently", () => {
    const words = ["run", "--token=PASS", "--password", "PASS", "http://u:PASS@h/"];
    expect(shownArguments(shownArguments(words))).toEqual(shownArguments(words));
  });
});

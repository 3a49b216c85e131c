// Promise: a search of ended jobs finds what was asked for, or says why it is none; nothing that is not known is left out.
import { describe, expect, it } from "vitest";
import { historyPath, historyQuery, queryMistake, rowsWanted, searchOf } from "../../../src/admin/history-query.js";

const mistakeIn = (query: string) => queryMistake(new URLSearchParams(query));

describe("an address that is no search", () => {
  it.each([
    ["outcome=faild", 'there is no outcome "faild"; there are succeeded, continued, failed, dropped'],
    ["outcome=Failed", 'there is no outcome "Failed"; there are succeeded, continued, failed, dropped'],
    ["clientId=c-1", 'there is no "clientId" to search by'],
    ["job=a&status=failed", 'there is no "status" to search by'],
    ["limit=0", 'limit is a whole number from 1 on, not "0"'],
    ["limit=-1", 'limit is a whole number from 1 on, not "-1"'],
    ["limit=many", 'limit is a whole number from 1 on, not "many"'],
    ["limit=", 'limit is a whole number from 1 on, not ""'],
    ["limit=1e3", 'limit is a whole number from 1 on, not "1e3"'],
    ["limit=1234567", 'limit is a whole number from 1 on, not "1234567"'],
  ])("%s says what is wrong", (query, message) => {
    expect(mistakeIn(query)).toContain(message);
  });

  it("repeats no more than a line of it", () => {
    expect(mistakeIn(`outcome=${"x".repeat(5_000)}`)?.length).toBeLessThan(200);
    expect(mistakeIn(`${"y".repeat(5_000)}=1`)?.length).toBeLessThan(200);
  });
});

describe("an address that is one", () => {
  // The form sends all its fields, empty ones too.
  it.each(["", "job=&outcome=&type=&pipeline=&client=", "outcome=failed&limit=500&before=7", "execution=e-1"])(
    "%s is taken",
    (query) => {
      expect(mistakeIn(query)).toBeUndefined();
    },
  );

  it("says all that is searched for, and is made of it again", () => {
    const path = "/history?job=1a&client=c&pipeline=p+q&type=Acme&execution=e&outcome=failed&before=9";
    const query = historyQuery(new URLSearchParams(path.split("?")[1]));
    expect(new URLSearchParams(historyPath(query).split("?")[1]).toString().split("&").sort()).toEqual(
      path.split("?")[1]?.split("&").sort(),
    );
    const search = { jobId: "1a", clientId: "c", pipeline: "p q", actionType: "Acme", actionExecutionId: "e" };
    expect(searchOf(query, 5)).toEqual({ ...search, outcome: "failed", before: "9", limit: 5 });
  });

  it.each([
    ["", {}],
    ["job=&outcome=lost&client=%20", {}],
    [`job=${"x".repeat(9_000)}`, { job: "x".repeat(2_000) }],
    ["job=%ED%A0%80", { job: "\ufffd\ufffd\ufffd" }],
  ])("is not trusted: %s", (text, query) => expect(historyQuery(new URLSearchParams(text))).toEqual(query));

  it("has pages of 50 rows, of as many as it says, and of 500 at most", () => {
    expect(["", "limit=1", "limit=999999"].map((query) => rowsWanted(new URLSearchParams(query)))).toEqual([
      50, 1, 500,
    ]);
  });
});

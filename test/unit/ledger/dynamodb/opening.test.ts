// Who answered: only DynamoDB's own exceptions, with its request id, are an answer; all else leaves it open what was done.
import { createServer, type OutgoingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { openDynamoTable } from "../../../../src/ledger/dynamodb/opening.js";
import { isConditionFailed, isPassing, NoAnswer } from "../../../../src/ledger/dynamodb/table.js";
import { Proxies } from "../../../../src/std/proxies.js";
import { startProxy } from "../../../support/proxy.js";

async function tableBehind(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const table = await openDynamoTable({
    table: "ledger",
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${port}`,
    appId: "partnerd-test",
    proxies: Proxies.from({}),
    connectionTimeoutMs: 1_000,
    requestTimeoutMs: 1_000,
  });
  onTestFinished(() => {
    table.close();
    server.closeAllConnections();
    server.close();
  });
  return table;
}

const refusal = (name: string) => JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: "no" });

it.each([
  ["DynamoDB", { "x-amzn-requestid": "A1" }, 400, refusal("ConditionalCheckFailedException"), false],
  ["a proxy that imitates it", {}, 400, refusal("ConditionalCheckFailedException"), true],
  ["a proxy's denial", {}, 403, refusal("AccessDeniedException"), true],
  ["a portal's page", { "content-type": "text/html" }, 403, "<html>log in</html>", true],
  ["an empty 502", {}, 502, "", true],
])("takes what %s says for what it is", async (_who, headers, status, body, isNoAnswer) => {
  const table = await tableBehind(
    (_request, answer) => void answer.writeHead(status, headers as OutgoingHttpHeaders).end(body),
  );
  const error = await table.call("PutItem", { Item: { pk: { S: "a" }, sk: { S: "job" } } }).catch((each) => each);
  expect(error instanceof NoAnswer).toBe(isNoAnswer);
  expect(isConditionFailed(error)).toBe(!isNoAnswer);
  expect(isPassing(error)).toBe(isNoAnswer);
});

it.each([
  ["DynamoDB", { "x-amzn-requestid": "A1" }, true],
  ["a portal", {}, false],
])("takes a success of %s for what it is", async (_who, headers, isWritten) => {
  const table = await tableBehind(
    (_request, answer) => void answer.writeHead(200, headers as OutgoingHttpHeaders).end("{}"),
  );
  const writing = table.call("PutItem", { Item: { pk: { S: "a" }, sk: { S: "job" } } });
  if (isWritten) expect(await writing).toBeDefined();
  else await expect(writing).rejects.toBeInstanceOf(NoAnswer);
});

it.each([407, 403, 429, 502, "drop"] as const)(
  "takes what a proxy says by itself (%s) for no answer",
  async (instead) => {
    const proxy = await startProxy(() => 1);
    proxy.instead = instead;
    for (const protocol of ["http", "https"]) {
      const table = await openDynamoTable({
        table: "ledger",
        region: "us-east-1",
        endpoint: `${protocol}://dynamodb.test`,
        appId: "partnerd-test",
        proxies: Proxies.from({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url }),
        connectionTimeoutMs: 1_000,
        requestTimeoutMs: 1_000,
      });
      onTestFinished(() => table.close());
      const error = await table.call("PutItem", { Item: { pk: { S: "a" }, sk: { S: "job" } } }).catch((each) => each);
      expect(error).toBeInstanceOf(NoAnswer);
      expect(isPassing(error)).toBe(true);
    }
  },
);

it("takes a broken connection for no answer, and knows it for one", async () => {
  const table = await tableBehind((request) => request.socket.destroy());
  const error = await table.call("GetItem", { Key: { pk: { S: "a" }, sk: { S: "job" } } }).catch((each) => each);
  expect(error).toBeInstanceOf(NoAnswer);
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

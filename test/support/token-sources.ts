// Every source of client tokens with a store behind it that a test changes, takes away and brings back: what the contract
// suite and the integration tests run over. The stores are real: files, processes, threads, HTTP.

import { existsSync } from "node:fs";
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeleteItemCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import type { ClientToken } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { systemClock } from "../../src/std/clock.js";
import { Proxies } from "../../src/std/proxies.js";
import { CachedTokens } from "../../src/tokens/cached-tokens.js";
import { openCommandStore } from "../../src/tokens/command-store.js";
import { openTokenTable } from "../../src/tokens/dynamodb.js";
import { openHttpStore } from "../../src/tokens/http-store.js";
import { openModuleStore } from "../../src/tokens/module-store.js";
import { openSecretsManager } from "../../src/tokens/secrets-manager.js";
import { StaticClientTokens } from "../../src/tokens/static.js";
import { openFileTokens } from "../../src/tokens/token-file.js";
import type { TokenStore } from "../../src/tokens/token-store.js";
import type { ClientTokens } from "../../src/tokens/tokens.js";
import { createTable, startDynamo } from "./dynamo.js";
import { FakeClock } from "./fake-clock.js";

/** A source over a store of its own. */
export interface TokenRig {
  readonly tokens: ClientTokens;
  readonly clock: FakeClock;
  /** Absent: what it knows is fixed. `undefined`: the client is taken out. */
  readonly set?: (clientId: string, token: string | undefined) => Promise<void>;
  /** Takes the store away, or brings it back. Absent: it cannot go away. */
  readonly setDown?: (isDown: boolean) => Promise<void>;
  readonly close: () => Promise<void>;
}

export type Tokens = Readonly<Record<string, string>>;
export type OpenRig = (tokens: Tokens) => Promise<TokenRig>;

const cache = { maxAgeMs: 300_000, unknownMaxAgeMs: 10_000, maxEntries: 10_000 };
export const proxies = Proxies.from({});
export const aws = {
  proxies,
  region: "us-east-1",
  appId: "partnerd-test",
  connectionTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
};

/** The cache over a store, by a clock that only the test moves. */
export function cached(store: TokenStore, clock = new FakeClock()): CachedTokens {
  return new CachedTokens({ store, clock, ...cache, mask: (text) => text, onEvent: () => {} });
}

/** Sources that need nothing but this repository. */
export const tokenRigs: Readonly<Record<string, OpenRig>> = {
  static: async (tokens) => ({
    clock: new FakeClock(),
    tokens: new StaticClientTokens({
      tokens: Object.fromEntries(Object.entries(tokens).map(([id, token]) => [id, new Secret(token as ClientToken)])),
    }),
    close: async () => {},
  }),
  "file (JSON)": (tokens) => fileRig("tokens.json", tokens, (now) => JSON.stringify(now)),
  "file (YAML)": (tokens) =>
    fileRig("tokens.yaml", tokens, (now) =>
      Object.entries(now)
        .map(([id, token]) => `${id}: ${JSON.stringify(token)}\n`)
        .join(""),
    ),
  http: async (tokens) => {
    const service = await startTokenService(tokens);
    const store = await openHttpStore({
      url: service.template,
      token: new Secret(bearer),
      proxies,
      connectionTimeoutMs: 2_000,
    });
    return rigOver(store, { ...service, close: service.close });
  },
  command: async (tokens) => {
    const files = await tokenFolder(tokens);
    const command = join(files.folder, "token.sh");
    // A token stands in a file of its client's name, as `pass` and its like keep them.
    await writeFile(
      command,
      `#!/bin/sh\nf=${files.folder}\n[ -e $f/down ] && { echo "the vault is sealed" >&2; exit 1; }\n` +
        `[ -e "$f/$1" ] || exit 3\ncat "$f/$1"; echo\n`,
    );
    await chmod(command, 0o755);
    const store = await openCommandStore({ command: [command], environment: process.env, clock: systemClock });
    return rigOver(store, files);
  },
  module: async (tokens) => {
    const files = await tokenFolder(tokens);
    const path = join(files.folder, "tokens.mjs");
    await writeFile(
      path,
      `import { existsSync, readFileSync } from "node:fs";
const folder = ${JSON.stringify(files.folder)};
export async function resolve(clientId, { signal }) {
  signal.throwIfAborted();
  if (existsSync(folder + "/down")) throw new Error("the vault is sealed");
  const file = folder + "/" + clientId;
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
`,
    );
    return rigOver(await openModuleStore({ path, clock: systemClock }), files);
  },
  "secrets-manager (one each)": (tokens) => fakeSecretsRig(tokens, "partnerd/{clientId}"),
  "secrets-manager (a map)": (tokens) => fakeSecretsRig(tokens, "partnerd-tokens"),
  dynamodb: async (tokens) => {
    const dynamo = await startDynamo();
    return tableRig(tokens, dynamo.endpoint, () => dynamo.close());
  },
};

/** The same over Python's moto at this URL, which may be shared. */
export const motoRigs: Readonly<Record<string, (tokens: Tokens, url: string) => Promise<TokenRig>>> = {
  "secrets-manager (one each, moto)": (tokens, url) => motoSecretsRig(tokens, url, `rig-${rigs++}/{clientId}`),
  "secrets-manager (a map, moto)": (tokens, url) => motoSecretsRig(tokens, url, `rig-${rigs++}`),
  "dynamodb (moto)": (tokens, url) => tableRig(tokens, url, async () => {}),
};

/** Names what several rigs keep in one store. */
let rigs = 0;

type Behind = Required<Pick<TokenRig, "set" | "setDown" | "close">>;

function rigOver(store: TokenStore, { set, setDown, close }: Behind): TokenRig {
  const clock = new FakeClock();
  return { tokens: cached(store, clock), clock, set, setDown, close };
}

async function fileRig(name: string, tokens: Tokens, textOf: (tokens: Tokens) => string): Promise<TokenRig> {
  const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
  const path = join(folder, name);
  const now: Record<string, string> = { ...tokens };
  const write = async (text: string) => {
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  await write(textOf(now));
  const clock = new FakeClock();
  return {
    clock,
    tokens: await openFileTokens({ path, checkIntervalMs: 1_000, clock, onEvent: () => {} }),
    set: async (id, token) => {
      if (token === undefined) delete now[id];
      else now[id] = token;
      await write(textOf(now));
    },
    setDown: (isDown) => write(isDown ? "{" : textOf(now)),
    close: () => rm(folder, { recursive: true }),
  };
}

/** A file for each client, and one called `down` while the store is away. */
async function tokenFolder(tokens: Tokens): Promise<Behind & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
  const set = async (id: string, token: string | undefined) => {
    if (token !== undefined) await writeFile(join(folder, id), token);
    else if (existsSync(join(folder, id))) await rm(join(folder, id));
  };
  for (const [id, token] of Object.entries(tokens)) await set(id, token);
  return {
    folder,
    set,
    setDown: (isDown) => set("down", isDown ? "" : undefined),
    close: () => rm(folder, { recursive: true }),
  };
}

export const bearer = "bearer-of-the-token-service";

export interface TokenService extends Behind {
  /** With `{clientId}`. */
  readonly template: string;
  /** Client ids of the requests that came. */
  readonly asked: string[];
}

/** A partner's token service: `GET /tokens/ID`, for whoever has the bearer token. While it is down it answers 503. */
export async function startTokenService(tokens: Tokens = {}): Promise<TokenService> {
  const known = new Map(Object.entries(tokens));
  const asked: string[] = [];
  let isDown = false;
  const server = createServer((incoming, outgoing) => {
    const answer = (status: number, body: object) => {
      outgoing.writeHead(status, { "content-type": "application/json" });
      outgoing.end(JSON.stringify(body));
    };
    const id = decodeURIComponent(incoming.url?.replace("/tokens/", "") ?? "");
    asked.push(id);
    if (isDown) return answer(503, {});
    if (incoming.headers.authorization !== `Bearer ${bearer}`) return answer(401, {});
    const token = known.get(id);
    return token === undefined ? answer(404, {}) : answer(200, { token, customer: "somebody" });
  });
  const url = await listening(server);
  return {
    template: `${url}/tokens/{clientId}`,
    asked,
    set: async (id, token) => void (token === undefined ? known.delete(id) : known.set(id, token)),
    setDown: async (down) => {
      isDown = down;
    },
    close: () => closed(server),
  };
}

export interface FakeSecrets {
  readonly url: string;
  /** Texts, or bytes. */
  readonly secrets: Map<string, string | Buffer>;
  /** `error`: the body of every answer. */
  readonly state: { isDown: boolean; calls: number; error?: object };
  readonly close: () => Promise<void>;
}

/** Secrets Manager as far as GetSecretValue goes: AWS JSON 1.1 over HTTP. Takes any signature. */
export async function startFakeSecrets(): Promise<FakeSecrets> {
  const secrets: FakeSecrets["secrets"] = new Map();
  const state: FakeSecrets["state"] = { isDown: false, calls: 0 };
  const answerTo = (id: string): readonly [status: number, body: object] => {
    if (state.isDown) return [500, { __type: "InternalServiceError", Message: "An error occurred" }];
    if (state.error) return [400, state.error];
    const secret = secrets.get(id);
    if (secret === undefined) {
      return [
        400,
        { __type: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret." },
      ];
    }
    const value = typeof secret === "string" ? { SecretString: secret } : { SecretBinary: secret.toString("base64") };
    return [200, { ARN: `arn:aws:secretsmanager:us-east-1:1:secret:${id}`, Name: id, ...value }];
  };
  const server = createServer(async (incoming, outgoing) => {
    let text = "";
    for await (const chunk of incoming) text += String(chunk);
    const { SecretId: id } = JSON.parse(text) as { SecretId: string };
    state.calls += 1;
    const isKnown = incoming.headers["x-amz-target"] === "secretsmanager.GetSecretValue";
    const [status, body] = isKnown ? answerTo(id) : [400, { __type: "ValidationException" }];
    outgoing.writeHead(status, { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "1" });
    outgoing.end(JSON.stringify(body));
  });
  return { url: await listening(server), secrets, state, close: () => closed(server) };
}

async function fakeSecretsRig(tokens: Tokens, secretId: string): Promise<TokenRig> {
  const { url, secrets, state, close } = await startFakeSecrets();
  const put = async (id: string, text: string | undefined) =>
    void (text === undefined ? secrets.delete(id) : secrets.set(id, text));
  const set = await secretsSetter(tokens, secretId, put);
  const clock = new FakeClock();
  const store = await openSecretsManager({ ...aws, secretId, endpoint: url, clock });
  const setDown = async (isDown: boolean) => {
    state.isDown = isDown;
  };
  return { tokens: cached(store, clock), clock, set, setDown, close };
}

async function motoSecretsRig(tokens: Tokens, url: string, secretId: string): Promise<TokenRig> {
  const front = await startFront(url);
  const client = new SecretsManagerClient({ endpoint: url, region: aws.region });
  const there = new Set<string>();
  const put = async (id: string, text: string | undefined) => {
    if (text === undefined) {
      if (there.delete(id))
        await client.send(new DeleteSecretCommand({ SecretId: id, ForceDeleteWithoutRecovery: true }));
    } else if (there.has(id)) await client.send(new PutSecretValueCommand({ SecretId: id, SecretString: text }));
    else {
      there.add(id);
      await client.send(new CreateSecretCommand({ Name: id, SecretString: text }));
    }
  };
  const set = await secretsSetter(tokens, secretId, put);
  const clock = new FakeClock();
  const store = await openSecretsManager({ ...aws, secretId, endpoint: front.url, clock });
  const close = async () => {
    client.destroy();
    await front.close();
  };
  return { tokens: cached(store, clock), clock, set, setDown: front.setDown, close };
}

/** How a client's token is written: to a secret of its own, now as a text and now as JSON, or into the map. */
async function secretsSetter(
  tokens: Tokens,
  secretId: string,
  put: (id: string, text: string | undefined) => Promise<void>,
): Promise<NonNullable<TokenRig["set"]>> {
  const now: Record<string, string> = { ...tokens };
  const isMap = !secretId.includes("{clientId}");
  let writes = 0;
  const set = async (id: string, token: string | undefined) => {
    if (token === undefined) delete now[id];
    else now[id] = token;
    if (isMap) await put(secretId, JSON.stringify(now));
    else {
      const text = token !== undefined && writes++ % 2 === 1 ? JSON.stringify({ token }) : token;
      await put(secretId.replace("{clientId}", id), text);
    }
  };
  if (isMap) await put(secretId, JSON.stringify(now));
  else for (const [id, token] of Object.entries(tokens)) await set(id, token);
  return set;
}

async function tableRig(tokens: Tokens, endpoint: string, close: () => Promise<void>): Promise<TokenRig> {
  const client = new DynamoDBClient({ endpoint, region: aws.region });
  const TableName = `partnerd-tokens-${rigs++}`;
  await createTable(client, {
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "clientId", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "clientId", KeyType: "HASH" }],
  });
  const set = async (id: string, token: string | undefined) => {
    const clientId = { S: id };
    if (token === undefined) await client.send(new DeleteItemCommand({ TableName, Key: { clientId } }));
    else
      await client.send(
        new PutItemCommand({ TableName, Item: { clientId, token: { S: token }, plan: { S: "gold" } } }),
      );
  };
  for (const [id, token] of Object.entries(tokens)) await set(id, token);
  const front = await startFront(endpoint);
  const store = await openTokenTable({
    ...aws,
    table: TableName,
    key: "clientId",
    attribute: "token",
    endpoint: front.url,
  });
  return rigOver(store, {
    set,
    setDown: front.setDown,
    close: async () => {
      client.destroy();
      await front.close();
      await close();
    },
  });
}

/** Passes requests on, or answers 500 while it is down. */
async function startFront(target: string): Promise<{ url: string } & Pick<Behind, "setDown" | "close">> {
  let isDown = false;
  const server = createServer((incoming, outgoing) => {
    if (isDown) {
      incoming.resume();
      outgoing.writeHead(500).end();
      return;
    }
    const { method, headers, url = "/" } = incoming;
    const on = request(new URL(url, target), { method: method ?? "GET", headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    on.on("error", () => outgoing.destroy());
    incoming.pipe(on);
  });
  const url = await listening(server);
  return {
    url,
    setDown: async (down) => {
      isDown = down;
    },
    close: () => closed(server),
  };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

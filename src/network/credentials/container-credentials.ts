// The credentials of an ECS task or an EKS pod, from an address that only the container reaches, so never by a proxy. The
// SDK's own provider waits without a limit, quotes in its errors what it cannot read, and hides a refusal behind the next
// thing that it tries.
import { readFile } from "node:fs/promises";
import { isLoopback } from "../../std/addresses.js";
import { Proxies } from "../../std/proxies.js";
import { HttpClient } from "../http-client.js";
import { httpGet } from "../http-get.js";
import type { FoundCredentials } from "./renewed-credentials.js";

type Environment = Readonly<Record<string, string | undefined>>;

const relativeHost = "http://169.254.170.2";
/** Where ECS and EKS answer; any other host has to prove who it is, by TLS. */
const hosts = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
const answerMaxBytes = 65_536;
const connectionTimeoutMs = 1_000;
const ok = 200;

/** Where they are to be asked for; `undefined` outside of a container that has some. */
export function containerUrl(environment: Environment): string | undefined {
  const relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] || undefined;
  if (relative !== undefined) return relativeHost + relative;
  return environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] || undefined;
}

/** Asks once. Rejects with the network's error, with what it was answered in place of credentials, or as the signal does. */
export async function containerCredentials(environment: Environment, signal: AbortSignal): Promise<FoundCredentials> {
  const url = acceptedUrl(containerUrl(environment) ?? "");
  const token = await tokenOf(environment);
  const headers = token === undefined ? {} : { authorization: token };
  const client = new HttpClient({ proxies: Proxies.from({}), connectionTimeoutMs, idleMs: connectionTimeoutMs });
  try {
    const { status, body } = await httpGet({ client, url, headers, maxBytes: answerMaxBytes, signal });
    if (status !== ok) throw named("container-refused", `it answered HTTP ${status}`);
    if (!body) throw named("unreadable-credentials", "the answer is longer than 64 KiB, or was cut off");
    return read(body);
  } finally {
    client.close();
  }
}

/** Over plain HTTP the token is shown to this machine and to AWS's own addresses only. */
function acceptedUrl(text: string): URL {
  if (!URL.canParse(text)) throw named("container-address", "its address is no URL");
  const url = new URL(text);
  const isHere = hosts.includes(url.hostname) || isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
  if (url.protocol === "https:" || (url.protocol === "http:" && isHere)) return url;
  throw named("container-address", `${url.host} is neither this machine's, ECS's nor EKS's address, and not https`);
}

/** The file is read each time: EKS writes a new token into it every few hours. */
async function tokenOf(environment: Environment): Promise<string | undefined> {
  const file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] || undefined;
  if (file === undefined) return environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] || undefined;
  return (await readFile(file, "utf8")).trimEnd();
}

function read(body: Buffer): FoundCredentials {
  const parsed: unknown = JSON.parse(body.toString("utf8"));
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = (parsed ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof AccessKeyId !== "string" || typeof SecretAccessKey !== "string") {
    throw named("unreadable-credentials", "the answer has no access key id or no secret key");
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(typeof Token === "string" ? { sessionToken: Token } : {}),
    ...(typeof Expiration === "string" ? { expiration: new Date(Expiration) } : {}),
  };
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

// The checks of an http handler's settings: its address and its signing secrets. A secret never gets into a message.
import type { Secret } from "../../job/secret.js";
import { Unbuildable } from "../unbuildable.js";
import type { RequestSigner } from "./http.js";

const secretPrefix = "whsec_";
/** Standard Webhooks: a signing key has 192 to 512 bits. */
const secretMinBytes = 24;
const secretMaxBytes = 64;

/** The address of a service. Throws Unbuildable; its message quotes no query, which may hold a secret. */
export function checkedUrl(text: string): URL {
  if (!URL.canParse(text)) {
    throw new Unbuildable("`url` is not an address; write it whole, such as http://127.0.0.1:9000/jobs");
  }
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Unbuildable(`\`url\` begins with ${url.protocol}; it must begin with http:// or https://`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new Unbuildable("`url` holds a user name or password; take it out and let the service check `secret`");
  }
  return url;
}

/** What signs requests by the Standard Webhooks scheme; undefined without a secret. Throws Unbuildable. */
export async function signerOf(secrets: readonly Secret<string>[]): Promise<RequestSigner | undefined> {
  const texts = new Set(secrets.map((secret) => secret.reveal()));
  if (texts.size === 0) return undefined;
  for (const text of texts) checkSecret(text);
  const { Webhook } = await import("standardwebhooks");
  const webhooks = [...texts].map((text) => new Webhook(text));
  return { sign: (id, at, body) => webhooks.map((webhook) => webhook.sign(id, at, body)).join(" ") };
}

function checkSecret(text: string): void {
  const remedy = 'make one with: echo "whsec_$(openssl rand -base64 32)"';
  if (!text.startsWith(secretPrefix)) {
    throw new Unbuildable(`\`secret\` does not begin with ${secretPrefix}; ${remedy}`);
  }
  const encoded = text.slice(secretPrefix.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4 !== 0) {
    throw new Unbuildable(`\`secret\` is not base64 after ${secretPrefix}; ${remedy}`);
  }
  const { length } = Buffer.from(encoded, "base64");
  if (length < secretMinBytes || length > secretMaxBytes) {
    throw new Unbuildable(
      `\`secret\` has ${length} bytes; it must have ${secretMinBytes} to ${secretMaxBytes}; ${remedy}`,
    );
  }
}

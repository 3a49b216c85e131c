// Reads the body of a request, JSON or a form, within a limit that holds while it comes in. What comes beyond it is
// thrown away, up to another limit: many clients read no answer before they have sent everything.
import type { IncomingMessage } from "node:http";
import { BoundedBytes } from "../std/bounded.js";

interface Refused {
  readonly ok: false;
  readonly status: 400 | 413 | 415;
  readonly error: string;
}

export type JsonBody = { readonly ok: true; readonly value: unknown } | Refused;

export type FormBody = { readonly ok: true; readonly form: URLSearchParams } | Refused;

/** How a body is read. */
interface BodyOptions {
  readonly maxBytes: number;
  readonly askForBody: () => void;
}

/** Bodies up to this many times the limit are read to their end before they are refused. */
const patience = 8;

/**
 * The body as a JSON object, or the refusal; `mayBeEmpty`: nothing is `{}`. A client that goes away in the middle gets
 * a refusal that is never read. The content type is not asked for: `curl -d` and many clients send another one, and
 * callers are proven by their token, or by coming from no browser (callers.ts), before anything is read.
 */
export async function readJson(
  request: IncomingMessage,
  options: BodyOptions & { readonly mayBeEmpty?: boolean },
): Promise<JsonBody> {
  const bytes = await bytesOf(request, options);
  if (!Buffer.isBuffer(bytes)) return bytes;
  if (options.mayBeEmpty && bytes.length === 0) return { ok: true, value: {} };
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ok: true, value };
    return { ok: false, status: 400, error: "the body is not a JSON object" };
  } catch {
    return { ok: false, status: 400, error: "the body is not valid JSON in UTF-8" };
  }
}

/** The body as a form that a browser sent without files, or the refusal. */
export async function readForm(request: IncomingMessage, options: BodyOptions): Promise<FormBody> {
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return { ok: false, status: 415, error: "send the form as application/x-www-form-urlencoded" };
  }
  const bytes = await bytesOf(request, options);
  return Buffer.isBuffer(bytes) ? { ok: true, form: new URLSearchParams(bytes.toString("utf8")) } : bytes;
}

async function bytesOf(request: IncomingMessage, { maxBytes, askForBody }: BodyOptions): Promise<Buffer | Refused> {
  if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? "")) {
    return { ok: false, status: 415, error: "send the body without content-encoding" };
  }
  const tooLarge = { ok: false, status: 413, error: `the body is larger than ${maxBytes} bytes` } as const;
  if (Number(request.headers["content-length"] ?? 0) > maxBytes * patience) return tooLarge;
  askForBody();
  const bytes = await collected(request, maxBytes);
  if (bytes === "too-large") return tooLarge;
  return bytes === "cut-off" ? { ok: false, status: 400, error: "the body broke off" } : bytes;
}

function collected(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too-large" | "cut-off"> {
  return new Promise((resolve) => {
    const bytes = new BoundedBytes(maxBytes);
    request.on("data", (chunk: Buffer) => {
      if (bytes.add(chunk) || bytes.total <= maxBytes * patience) return;
      request.pause();
      resolve("too-large");
    });
    request.once("end", () => resolve(bytes.total > maxBytes ? "too-large" : bytes.whole()));
    request.once("close", () => resolve("cut-off"));
  });
}

// Reads the JSON body of a request within a limit that holds while it comes in. What comes beyond it is thrown
// away, up to another limit: many clients read no answer before they have sent everything.
import type { IncomingMessage } from "node:http";
import { BoundedBytes } from "../std/bounded.js";

export type JsonBody =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly error: string };

/** Bodies up to this many times the limit are read to their end before they are refused. */
const patience = 8;

/**
 * The body as a JSON object, or the refusal; `mayBeEmpty`: nothing is `{}`. A client that goes away in the middle gets
 * a refusal that is never read. The content type is not asked for: `curl -d` and many clients send another one, and
 * callers are proven by their token, or by coming from no browser (callers.ts), before anything is read.
 */
export async function readJson(
  request: IncomingMessage,
  options: { readonly maxBytes: number; readonly askForBody: () => void; readonly mayBeEmpty?: boolean },
): Promise<JsonBody> {
  const { maxBytes, askForBody } = options;
  if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? "")) {
    return { ok: false, status: 415, error: "send the body without content-encoding" };
  }
  const tooLarge = { ok: false, status: 413, error: `the body is larger than ${maxBytes} bytes` } as const;
  if (Number(request.headers["content-length"] ?? 0) > maxBytes * patience) return tooLarge;
  askForBody();
  const bytes = await collected(request, maxBytes);
  if (bytes === "too-large") return tooLarge;
  if (bytes === "cut-off") return { ok: false, status: 400, error: "the body broke off" };
  if (options.mayBeEmpty && bytes.length === 0) return { ok: true, value: {} };
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ok: true, value };
    return { ok: false, status: 400, error: "the body is not a JSON object" };
  } catch {
    return { ok: false, status: 400, error: "the body is not valid JSON in UTF-8" };
  }
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

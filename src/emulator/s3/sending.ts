// How S3's answers go out: whole, or as a fault has it: cut, slow, short, corrupt, stalled. Streams stored bytes at the pace
// of whoever reads. Which call is struck was decided in injected-faults.ts.

import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../../std/clock.js";
import { codeOf } from "../../std/errors.js";
import type { FaultView } from "../injected-faults.js";
import type { Bodies } from "./bodies.js";
import type { S3Answer } from "./s3-answer.js";

/** What an answer is sent with. */
export interface Sending {
  readonly response: ServerResponse;
  readonly bodies: Bodies;
  readonly requestId: string;
  readonly clock: Clock;
  readonly closing: AbortSignal;
  /** For the Date header. */
  readonly nowMs: number;
  /** Spoils the body. */
  readonly spoiler?: FaultView | undefined;
}

/** Sends the answer; resolves when it is out or nobody reads it any more. */
export async function sendS3(answer: S3Answer, sending: Sending): Promise<void> {
  const { response, bodies, spoiler } = sending;
  const text = Buffer.from(answer.body ?? "");
  const { content } = answer;
  const total = content ? content.end - content.start : text.length;
  // An answer without a body loses a byte that was promised.
  const promised = spoiler?.kind === "cut-answer" && total === 0 ? 1 : total;
  const bytes = spoiler?.kind === "short-body" ? Math.floor(total / 2) : promised;
  response.sendDate = false;
  response.writeHead(answer.status, {
    "x-amz-request-id": sending.requestId,
    "x-amz-id-2": "emulator",
    server: "AmazonS3",
    ...(text.length > 0 && { "content-type": "application/xml" }),
    // A HEAD tells the length of what a GET would send.
    ...(answer.status !== 304 && answer.status !== 204 && { "content-length": bytes }),
    ...answer.headers,
    ...(spoiler?.kind === "short-body" && { "content-length": bytes }),
    date: new Date(sending.nowMs).toUTCString(),
  });
  if (!content) {
    if (spoiler?.kind === "cut-answer") cut(response, text.subarray(0, Math.floor(text.length / 2)));
    else response.end(text);
    return;
  }
  const end = content.start + bytes;
  const source = bodies.read(content.bodies, { start: content.start, end });
  await streamTo(response, spoiler ? spoilt(source, spoiler, { ...sending, bytes }) : source, sending.closing);
}

/** A body as a fault has it. */
async function* spoilt(
  source: AsyncIterable<Buffer>,
  fault: FaultView,
  { response, clock, closing, bytes }: Sending & { readonly bytes: number },
): AsyncGenerator<Buffer> {
  const middle = Math.floor(bytes / 2);
  let at = 0;
  for await (const piece of source) {
    const isMiddle = at <= middle && middle < at + piece.length;
    if (isMiddle && (fault.kind === "cut-answer" || fault.kind === "stalled-body")) {
      yield piece.subarray(0, middle - at);
      if (fault.kind === "cut-answer") cut(response, Buffer.alloc(0));
      await gone(response, closing);
      return;
    }
    if (isMiddle && fault.kind === "corrupt-body") piece[middle - at] = (piece[middle - at] ?? 0) ^ 0x01;
    if (fault.kind === "slow-body") await clock.sleep(fault.ms ?? 0, closing);
    at += piece.length;
    yield piece;
  }
}

async function streamTo(response: ServerResponse, source: AsyncIterable<Buffer>, closing: AbortSignal): Promise<void> {
  try {
    await pipeline(source, response);
  } catch (error) {
    const code = codeOf(error) ?? "";
    // Whoever asked is gone, or the emulator is: neither is a bug.
    if (!closing.aborted && !["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE"].includes(code)) throw error;
  }
}

/** What is written goes out first. */
function cut(response: ServerResponse, last: Buffer): void {
  response.write(last.length > 0 ? last : "", () => response.socket?.resetAndDestroy());
  response.flushHeaders();
}

function gone(response: ServerResponse, closing: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed || closing.aborted) resolve();
    response.once("close", () => resolve());
    closing.addEventListener("abort", () => resolve(), { once: true });
  });
}

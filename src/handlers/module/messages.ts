// What the daemon and the thread of a module handler say to each other. Plain data only: all of it is copied from one
// thread to the other.

import type { FailureType } from "../../job/failure.js";
import type { LogLevel } from "../../std/log-queue.js";
import type { JobDocument } from "../handler.js";

/** One run of the handler, numbered by its thread. */
export type RunId = number;

/** What the thread needs in order to start. */
export interface ThreadData {
  /** Of the handler's module, absolute. */
  readonly path: string;
  /** The daemon's half is kept; no code of the partner sees this one. */
  readonly port: MessagePort;
}

type MessagePort = import("node:worker_threads").MessagePort;

/** The calls of a job's workspace that a handler may make. */
export type WorkspaceMethod = "folder" | "input" | "inputFile" | "output";

/** Something that was thrown, on its way to the other side. */
export interface PortableError {
  readonly message: string;
  /** Present: it was a JobFailure. */
  readonly failure?: { readonly type: FailureType; readonly externalExecutionId?: string };
  /** What a failed system call said: `code`, `syscall` and `errno`, if they are there. */
  readonly system?: Readonly<Record<string, unknown>>;
  /** Where it was thrown and what it was caused by, for the log. */
  readonly origin?: { readonly stack?: string; readonly cause?: unknown };
}

/** How a handler ended. `unreadable`: a member of what it gave throws when it is read. */
export type PortableEnd =
  | { readonly kind: "gave"; readonly value: unknown }
  | { readonly kind: "unreadable" }
  | { readonly kind: "threw"; readonly error: PortableError };

export type ToThread =
  | {
      readonly type: "run";
      readonly run: RunId;
      readonly document: JobDocument;
      readonly isDraining: boolean;
      readonly trace?: { readonly traceparent: string; readonly tracestate?: string | undefined };
    }
  | { readonly type: "abort"; readonly run: RunId; readonly reason: string }
  | { readonly type: "drain"; readonly run: RunId }
  | { readonly type: "answer"; readonly ask: number; readonly value: string | undefined }
  | { readonly type: "answer"; readonly ask: number; readonly error: PortableError }
  | { readonly type: "ping" }
  | { readonly type: "close" };

export type FromThread =
  | { readonly type: "loaded" }
  /** A sentence with its remedy, as Unbuildable has it. */
  | { readonly type: "unloadable"; readonly message: string }
  | { readonly type: "settled"; readonly run: RunId; readonly end: PortableEnd }
  | {
      readonly type: "ask";
      readonly run: RunId;
      readonly ask: number;
      readonly method: WorkspaceMethod;
      readonly args: readonly string[];
    }
  | {
      readonly type: "log";
      readonly run: RunId;
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** The handler succeeded without uploading this output artifact. */
  | { readonly type: "not-uploaded"; readonly run: RunId; readonly artifact: string }
  /** Without a run: printed by code that belongs to no job. */
  | {
      readonly type: "printed";
      readonly run: RunId | undefined;
      readonly stream: "stdout" | "stderr";
      readonly text: string;
    }
  | { readonly type: "pong" }
  /** Its code has started a process, for the first time. */
  | { readonly type: "has-children" }
  /** Why the thread is about to end, and in which run, where that is known; without a reason: it does not end after all. */
  | { readonly type: "last-words"; readonly run: RunId | undefined; readonly what: string | undefined };

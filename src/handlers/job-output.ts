// What a command or a module prints, on its way to the job's log: decoded, plain, masked, cut into lines, and limited,
// while the end of stderr is kept for the failure message. Never blocks the program that prints: output over the limit
// is read and dropped.
import { StringDecoder } from "node:string_decoder";
import { shortenFront } from "../job/limits.js";
import { PlainTextStream } from "../job/plain-text.js";
import type { Log } from "../std/log.js";
import { MaskedLines } from "../std/masking.js";
import type { JobMasker } from "./masker.js";

/** Longer lines go out in several. */
const lineMaxChars = 16 * 1024;
/** Of one job, both streams together; more than that is no log any more. */
const loggedMaxChars = 10 * 1024 * 1024;
const loggedMaxLines = 100_000;
/** Under the API's 5,000 for a failure message. */
const tailMaxChars = 4_000;

type StreamName = "stdout" | "stderr";

/** Takes the output of one job's process. */
export class JobOutput {
  readonly #log: Log;
  readonly #lines: Readonly<Record<StreamName, OutputLines>>;
  readonly #tail: string[] = [];
  #tailChars = 0;
  #loggedChars = 0;
  #loggedLines = 0;
  #isOverLimit = false;

  constructor(options: { readonly masker: JobMasker; readonly log: Log }) {
    this.#log = options.log;
    const lines = (stream: StreamName) =>
      new OutputLines(options.masker, (line) => {
        if (stream === "stderr") this.#remember(line);
        this.#say(stream, line);
      });
    this.#lines = { stdout: lines("stdout"), stderr: lines("stderr") };
  }

  write(stream: StreamName, chunk: Buffer): void {
    // It is not logged any more; stderr is read on, because its end says the cause.
    if (this.#isOverLimit && stream === "stdout") return;
    this.#lines[stream].write(chunk);
  }

  /** Logs last lines that have no newline. */
  end(): void {
    this.#lines.stdout.end();
    this.#lines.stderr.end();
  }

  /** The end of stderr, masked; empty when nothing was printed there. */
  tail(): string {
    return shortenFront(this.#tail.join("\n").trim(), tailMaxChars);
  }

  #remember(line: string): void {
    this.#tail.push(line);
    this.#tailChars += line.length + 1;
    while (this.#tailChars - (this.#tail[0]?.length ?? 0) - 1 > tailMaxChars) {
      this.#tailChars -= (this.#tail.shift()?.length ?? 0) + 1;
    }
  }

  #say(stream: StreamName, line: string): void {
    if (this.#isOverLimit || line.trim() === "") return;
    this.#loggedChars += line.length;
    this.#loggedLines += 1;
    if (this.#loggedChars > loggedMaxChars || this.#loggedLines > loggedMaxLines) {
      this.#isOverLimit = true;
      const lines = this.#loggedLines - 1;
      this.#log.warn("handler-output-truncated", { lines }, "the handler printed too much; the rest is not logged");
      return;
    }
    this.#log.info("handler-output", { stream }, line);
  }
}

/** One stream's bytes to plain, masked lines. */
class OutputLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #plain = new PlainTextStream();
  readonly #lines: MaskedLines;

  constructor(masker: JobMasker, onLine: (line: string) => void) {
    this.#lines = new MaskedLines({
      mask: (text) => masker.mask(text),
      longestSecret: () => masker.longestSecret(),
      maxLineLength: lineMaxChars,
      onLine,
    });
  }

  write(chunk: Buffer): void {
    this.#lines.write(this.#plain.write(this.#decoder.write(chunk)));
  }

  end(): void {
    this.#lines.write(this.#plain.write(this.#decoder.end()) + this.#plain.end());
    this.#lines.end();
  }
}

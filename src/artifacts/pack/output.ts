// The zip file as it grows: collects small writes, keeps to the limit, and can patch what it has written. Blocking, for
// the packing thread; the descriptor is another's.
import { writeSync } from "node:fs";
import { FolderRefused } from "./pack-request.js";

const bufferBytes = 2 ** 20;

/** An open, empty file that is written from its beginning to its end. */
export class PackOutput {
  readonly #descriptor: number;
  readonly #maxBytes: number;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #held = 0;
  #written = 0;

  constructor(descriptor: number, maxBytes: number) {
    this.#descriptor = descriptor;
    this.#maxBytes = maxBytes;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#written + this.#held;
  }

  /** Appends; the bytes may be used for other things afterwards. Throws FolderRefused beyond the limit. */
  write(bytes: Buffer): void {
    if (this.position + bytes.length > this.#maxBytes) {
      throw new FolderRefused(`it is larger than artifacts.maxArchiveBytes allows (${this.#maxBytes} bytes), packed`);
    }
    if (bytes.length > bufferBytes - this.#held) this.flush();
    if (bytes.length > bufferBytes) {
      this.#put(bytes, this.#written);
      this.#written += bytes.length;
      return;
    }
    bytes.copy(this.#buffer, this.#held);
    this.#held += bytes.length;
  }

  /** Writes over bytes that were written before. */
  patch(position: number, bytes: Buffer): void {
    this.flush();
    this.#put(bytes, position);
  }

  flush(): void {
    this.#put(this.#buffer.subarray(0, this.#held), this.#written);
    this.#written += this.#held;
    this.#held = 0;
  }

  #put(bytes: Buffer, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
    }
  }
}

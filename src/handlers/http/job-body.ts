// What is posted to a service: the job document with its callback and with links to the artifacts that still work when
// the service gets them. Asked for again, as for a repeated request, it has fresh links where the old ones near their
// end.
import type { ArtifactLinks } from "../../artifacts/artifacts.js";
import { messageOf } from "../../job/failure.js";
import type { HandlerCall } from "../handler.js";
import { type CallbackAddress, jobDocument, withLinks } from "../job-document.js";

export interface HttpJobBodyOptions {
  readonly call: HandlerCall;
  readonly callback: CallbackAddress | undefined;
}

/** Links with less time left are made again before they are handed out: a service needs time to use them. */
const leftAtLeastMs = 5 * 60_000;

/** The body of the posts for one job. */
export class HttpJobBody {
  readonly #options: HttpJobBodyOptions;
  #links: ArtifactLinks | undefined;
  #body: Buffer | undefined;

  constructor(options: HttpJobBodyOptions) {
    this.#options = options;
  }

  /** The body of the next post. Throws JobFailure when there are no links that work and none can be made. */
  async bytes(): Promise<Buffer> {
    const { call } = this.#options;
    if (this.#body && !this.#isStale()) return this.#body;
    if (hasArtifacts(call)) await this.#renew();
    this.#body = Buffer.from(JSON.stringify(this.#document()));
    return this.#body;
  }

  #isStale(): boolean {
    return this.#links !== undefined && this.#leftMs() < leftAtLeastMs;
  }

  #leftMs(): number {
    return this.#links?.until.leftMs() ?? 0;
  }

  async #renew(): Promise<void> {
    const { workspace, log } = this.#options.call;
    try {
      this.#links = await workspace.links();
    } catch (error) {
      if (this.#leftMs() <= 0) throw error;
      const message = `could not renew the links to the artifacts; sending the current ones: ${messageOf(error)}`;
      log.warn("links-not-renewed", { err: error }, message);
    }
  }

  #document() {
    const { call, callback } = this.#options;
    const document = {
      ...jobDocument(call),
      ...(callback ? { callback: { url: callback.url, token: callback.token } } : {}),
    };
    return this.#links ? withLinks(document, this.#links) : document;
  }
}

/** A job without credentials or places gets names only: whether its service needs more is the service's to say. */
function hasArtifacts({ job }: HandlerCall): boolean {
  return job.access !== undefined && [...job.inputs, ...job.outputs].some(({ location }) => location !== undefined);
}

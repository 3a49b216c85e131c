// A CodePipeline without jobs, in the process of the benchmark: it answers polls with nothing, and counts them.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class EmptyEndpoint {
  readonly #server: Server;
  polls = 0;
  /** Called at each poll. */
  onPoll: () => void = () => {};

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: 300_000 }, (request, response) => {
      if (String(request.headers["x-amz-target"]).includes("PollFor")) {
        this.polls += 1;
        this.onPoll();
      }
      response.writeHead(200, { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "1" });
      response.end('{"jobs":[]}');
    });
  }

  static async listen(): Promise<EmptyEndpoint> {
    const endpoint = new EmptyEndpoint();
    await new Promise<void>((resolve) => endpoint.#server.listen(0, "127.0.0.1", resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

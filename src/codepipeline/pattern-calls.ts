// Makes a call that is like one before without the SDK's stack of middleware, by the pattern of that one's request: half
// of what such a call costs. It goes through the stack for everything else: the first call of each operation, the first
// with other credentials, and the reading of every answer but a success. It knows nothing of jobs.
import type { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import { getSmithyContext } from "@smithy/core/transport";
import type { SdkRequest } from "../network/sdk-handler.js";
import { TurnoverMap } from "../std/turnover.js";
import { RequestPattern, type SigningCredentials } from "./request-pattern.js";
import type { Answer, HttpCall, Transport } from "./transport.js";

/** What is asked of CodePipeline: a command of the SDK that is made only where the SDK is to make the request. */
export interface Asked {
  readonly Command: new (input: never) => SdkCommand;
  readonly input: object;
}

type SdkCommand = Parameters<CodePipelineClient["send"]>[0];

/** The command's input is what its class takes. To make the command itself costs as much as to sign its request. */
export function asked<Input extends object>(Command: new (input: Input) => object, input: NoInfer<Input>): Asked {
  return { Command: Command as Asked["Command"], input };
}

interface Learned {
  /** As the SDK found them: others, or the same found again, make the pattern anew. */
  readonly credentials: SigningCredentials;
  /** Absent: a request of the SDK that cannot be followed. */
  readonly pattern: RequestPattern | undefined;
  /** Of the input, as the SDK's serializer reads it. */
  readonly schema: unknown;
}

/** A call whose request the SDK makes. */
interface BySdk {
  readonly call: HttpCall;
  readonly Command: Asked["Command"];
}

export class PatternCalls {
  readonly #client: CodePipelineClient;
  readonly #transport: Transport;
  readonly #learned = new Map<Asked["Command"], Learned>();
  /** By the inputs of their commands, until the SDK has done with them. */
  readonly #bySdk = new TurnoverMap<object, BySdk>();
  // The SDK's own, since it writes times in another way than JSON does. It takes 1 % of a job.
  readonly #serializer;

  /** Adds itself to the client's stack, whose `requestHandler` is the transport. */
  constructor({ client, transport }: { readonly client: CodePipelineClient; readonly transport: Transport }) {
    this.#client = client;
    this.#transport = transport;
    this.#serializer = client.config.protocol.getPayloadCodec().createSerializer();
    client.middlewareStack.add((next) => async (args) => checked(await next(args)), {
      step: "initialize",
      name: "partnerdAnswer",
      priority: "high",
    });
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const { request } = args as unknown as { readonly request: SdkRequest };
        const made = this.#bySdk.get(args.input);
        if (made) {
          transport.attach(request, made.call);
          await this.#learn(made.Command, { input: args.input, schema: inputSchemaOf(context), request });
        }
        return next(args);
      },
      { step: "deserialize", name: "partnerdCall", priority: "low" },
    );
  }

  /** The answer's members. Rejects with whatever the SDK, its credentials or the transport throws. */
  async send({ Command, input }: Asked, call: HttpCall): Promise<object> {
    const { config } = this.#client;
    const credentials = await config.credentials();
    const known = this.#learned.get(Command);
    if (known?.credentials === credentials && known.pattern) {
      const sentMs = Date.now();
      const request = known.pattern.next(this.#bodyOf(input, known.schema), sentMs + config.systemClockOffset);
      const response = await this.#transport.exchange(request, call);
      const output = successOf(response);
      if (output) {
        // Corrects the clock.
        config.httpAuthSchemes[0]?.signer.successHandler?.(response as never, { config, _requestSentAt: sentMs });
        return output;
      }
      call.answer = response;
    }
    this.#bySdk.set(input, { call, Command });
    try {
      return await this.#client.send(new Command(input as never));
    } finally {
      this.#bySdk.delete(input);
    }
  }

  async #learn(
    Command: Asked["Command"],
    { input, schema, request }: { readonly input: object; readonly schema: unknown; readonly request: SdkRequest },
  ): Promise<void> {
    const credentials = await this.#client.config.credentials();
    if (this.#learned.get(Command)?.credentials === credentials) return;
    const isBody = Buffer.compare(this.#bodyOf(input, schema), request.body as Uint8Array) === 0;
    const pattern = isBody ? RequestPattern.of(request, credentials) : undefined;
    this.#learned.set(Command, { credentials, pattern, schema });
  }

  #bodyOf(input: object, schema: unknown): Uint8Array {
    this.#serializer.write(schema as never, input);
    return this.#serializer.flush() as Uint8Array;
  }
}

/** An operation's schema has its input as its fifth member. */
function inputSchemaOf(context: object): unknown {
  const { operationSchema } = getSmithyContext(context as Parameters<typeof getSmithyContext>[0]);
  return (operationSchema as readonly unknown[])[4];
}

/** What the SDK read, but as we read it: it makes an empty structure of a list that stands in its place. */
function checked<Result extends { readonly response: unknown; readonly output: object }>(result: Result): Result {
  const output = successOf(result.response as Answer);
  return output ? { ...result, output } : result;
}

/**
 * The answer of a call that succeeded; `undefined` for anything that the SDK must look at. Read by JSON alone, since
 * whoever asked checks every member: the SDK's reading by schema takes 3 % of a job.
 */
function successOf({ statusCode, body }: Answer): object | undefined {
  if (statusCode < 200 || statusCode > 299) return undefined;
  if (body.length === 0) return {};
  try {
    // The SDK takes its methods from a buffer that it has read.
    const output: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString());
    return typeof output === "object" && output !== null && !Array.isArray(output) ? output : undefined;
  } catch {
    return undefined;
  }
}

// Makes a call that is like one before without the SDK's stack of middleware, by the pattern of that one's request: half
// of what such a call costs. It goes through the stack for everything else: the first call of each operation, the first
// with other credentials, and the reading of every answer but a success. It knows nothing of jobs.
import type { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import { getSmithyContext } from "@smithy/core/transport";
import type { SdkRequest } from "../network/sdk-handler.js";
import { RequestPattern, type SigningCredentials } from "./request-pattern.js";
import type { Answer, HttpCall, Transport } from "./transport.js";

interface Learned {
  /** As the SDK found them: others, or the same found again, make the pattern anew. */
  readonly credentials: SigningCredentials;
  /** Absent: a request of the SDK that cannot be followed. */
  readonly pattern: RequestPattern | undefined;
}

export interface PatternCallsOptions {
  readonly client: CodePipelineClient;
  readonly transport: Transport;
  /** The call that a command's input belongs to. */
  readonly callOf: (input: object) => HttpCall | undefined;
}

/** Adds itself to the client's stack; the client's `requestHandler` is the transport. */
export function addPatternCalls({ client, transport, callOf }: PatternCallsOptions): void {
  const { config, middlewareStack } = client;
  const learned = new Map<string, Learned>();
  // The SDK's own, since it writes times in another way than JSON does. It takes 1 % of a job.
  const serializer = config.protocol.getPayloadCodec().createSerializer();
  const bodyOf = (input: object, context: object): Uint8Array => {
    serializer.write(inputSchemaOf(context) as never, input);
    return serializer.flush() as Uint8Array;
  };
  middlewareStack.add(
    (next, context) => async (args) => {
      const call = callOf(args.input);
      const credentials = await config.credentials();
      const known = learned.get(context.commandName ?? "");
      if (!call || known?.credentials !== credentials || !known.pattern) return checked(await next(args));
      const sentMs = Date.now();
      const request = known.pattern.next(bodyOf(args.input, context), sentMs + config.systemClockOffset);
      const response = await transport.exchange(request, call);
      const output = successOf(response);
      if (!output) {
        call.answer = response;
        return checked(await next(args));
      }
      // Corrects the clock.
      const sent = { config, _requestSentAt: sentMs };
      config.httpAuthSchemes[0]?.signer.successHandler?.(response as never, sent);
      return { response, output } as never;
    },
    { step: "initialize", name: "partnerdPattern", priority: "high" },
  );
  middlewareStack.add(
    (next, context) => async (args) => {
      const call = callOf(args.input);
      const { request } = args as unknown as { readonly request: SdkRequest };
      if (call) transport.attach(request, call);
      const { commandName = "" } = context;
      const credentials = await config.credentials();
      if (learned.get(commandName)?.credentials !== credentials) {
        const isBody = Buffer.compare(bodyOf(args.input, context), request.body as Uint8Array) === 0;
        const pattern = isBody ? RequestPattern.of(request, credentials) : undefined;
        learned.set(commandName, { credentials, pattern });
      }
      return next(args);
    },
    { step: "deserialize", name: "partnerdCall", priority: "low" },
  );
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

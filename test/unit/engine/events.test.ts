import { expect, it } from "vitest";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { faultOf } from "../../../src/engine/events.js";

it("shows of a failed call what may be shown, with its text masked", () => {
  const error = new GatewayError({
    kind: "denied",
    operation: "PutJobSuccessResult",
    code: "AccessDeniedException",
    message: "token abc is not allowed",
    retryAfterMs: 5,
    cause: new Error("abc"),
  });
  expect(faultOf(error, (text) => text.replaceAll("abc", "***"))).toEqual({
    kind: "denied",
    operation: "PutJobSuccessResult",
    code: "AccessDeniedException",
    message: "token *** is not allowed",
  });
});

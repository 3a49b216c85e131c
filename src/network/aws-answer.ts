// Who answered: AWS puts the id of the request on every answer, whatever its status. One without it comes from something
// in between (a proxy, a portal, a balancer), and a success of theirs is no more AWS's word than a refusal of theirs.

/** AWS's mark on the answer; `undefined`: somebody else gave it. Names are in small letters. */
export function requestIdOf(headers: Readonly<Record<string, string>>): string | undefined {
  return headers["x-amzn-requestid"] || headers["x-amz-request-id"] || undefined;
}

/** What answered was not AWS. Who asked does not know whether AWS heard of it. */
export class StrangersAnswer extends Error {
  override readonly name = "StrangersAnswer";
  readonly code: string;

  constructor(status: number) {
    super(`something in between answered HTTP ${status}: AWS's request id is missing`);
    this.code = `HTTP ${status}`;
  }
}

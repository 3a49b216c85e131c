// One call by the HTTP client in a process of its own, which then has nothing more to do and is to end by itself. Run
// from the sources: `node --import HOOK http-child.ts URL`. It writes the status, or the code of the fault.
import { HttpClient } from "../../src/network/http-client.js";
import { codeOf } from "../../src/std/errors.js";
import { Proxies } from "../../src/std/proxies.js";

const client = new HttpClient({
  proxies: Proxies.from(process.env),
  connectionTimeoutMs: 10_000,
  // Far longer than the process may live: a connection that idles holds nobody.
  idleMs: 600_000,
});
client.send(
  { url: new URL(process.argv[2] ?? ""), method: "GET", headers: {} },
  {
    answered: ({ status }) => console.log(status),
    bytes: () => true,
    ended: () => {},
    failed: (error) => console.log(codeOf(error)),
  },
);

// A partner's service: jobs come in by POST, the answer is the outcome. Every other scan takes longer: it is accepted
// with 202, and its outcome is delivered later to the callback that came with the job.
import { createServer } from "node:http";

/** Starts the service on a free port; the demo starts it in its own process. */
export function startScanService() {
  const timers = new Set();
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const job = JSON.parse(Buffer.concat(chunks).toString());
    const outcome = { kind: "succeeded", summary: `scanned ${job.configuration.Target}: nothing found` };
    if (job.configuration.Size !== "large" || !job.callback) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(outcome));
      return;
    }
    response.writeHead(202).end();
    const timer = setTimeout(async () => {
      timers.delete(timer);
      const { url, token } = job.callback;
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(outcome) });
      if (!answer.ok) console.error(`the callback was answered ${answer.status}`);
    }, 700);
    timers.add(timer);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const close = () => {
        for (const timer of timers) clearTimeout(timer);
        server.closeAllConnections();
        return new Promise((done) => server.close(done));
      };
      resolve({ url: `http://127.0.0.1:${server.address().port}/jobs`, close });
    });
  });
}

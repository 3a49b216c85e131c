#!/usr/bin/env python3
"""A service that works the jobs of the action: python3 handler.py

WEBHOOK_SECRET=whsec_… lets it take only requests that are signed with it (`secretFile` in partnerd.yaml).
"""
import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def work(job):
    """The same request may come twice: go by jobId where the work must not be done twice. Gives an outcome."""
    target = job["configuration"].get("Target")
    if not target:
        # The customer reads the message in the pipeline: say what is wrong, and what would be right.
        return {"kind": "failed", "type": "ConfigurationError", "message": "Target is missing: what to build"}
    # The work. For what takes longer than a request, answer 202 and POST the outcome to job["callback"]["url"] later,
    # with the bearer token job["callback"]["token"].
    return {"kind": "succeeded", "summary": f"built {target}"}


def is_signed(headers, body):
    """Standard Webhooks: an HMAC over id, time and body, not older than five minutes."""
    secret = os.environ.get("WEBHOOK_SECRET")
    if not secret:
        return True
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any([hmac.compare_digest(each, expected) for each in given])


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(self.headers, body):
            self.answer(401, {"error": "the signature is missing or wrong"})
            return
        self.answer(200, work(json.loads(body)))

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    print(f"listening on http://127.0.0.1:{port}/jobs", flush=True)
    if not os.environ.get("WEBHOOK_SECRET"):
        print("WEBHOOK_SECRET is not set: signatures are not checked", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Service).serve_forever()

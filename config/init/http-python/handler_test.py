"""Run it with: python3 handler_test.py"""
import base64
import hashlib
import hmac
import json
import os
import threading
import time
import unittest
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer

from handler import Service

key = b"7" * 32
os.environ["WEBHOOK_SECRET"] = "whsec_" + base64.b64encode(key).decode()


class ServiceTest(unittest.TestCase):
    def setUp(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def post(self, configuration, signed_with=key):
        """Posts a job as partnerd does."""
        body = json.dumps({"version": 1, "jobId": "job-1", "configuration": configuration}).encode()
        sent_at = str(int(time.time()))
        digest = hmac.new(signed_with, f"job-1.{sent_at}.".encode() + body, hashlib.sha256).digest()
        signature = "v1," + base64.b64encode(digest).decode()
        headers = {"webhook-id": "job-1", "webhook-timestamp": sent_at, "webhook-signature": signature}
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        try:
            connection.request("POST", "/jobs", body, headers)
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()

    def test_builds_what_the_action_names(self):
        self.assertEqual(self.post({"Target": "web"}), (200, {"kind": "succeeded", "summary": "built web"}))

    def test_tells_the_customer_what_is_missing(self):
        status, outcome = self.post({})
        self.assertEqual([status, outcome["kind"], outcome["type"]], [200, "failed", "ConfigurationError"])

    def test_takes_no_job_from_anybody_else(self):
        self.assertEqual(self.post({"Target": "web"}, b"1" * 32)[0], 401)


if __name__ == "__main__":
    unittest.main()

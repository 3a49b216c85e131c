"""Run it with: python3 handler_test.py"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

handler = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handler.py")


def outcome_of(configuration):
    """Runs the handler as partnerd does, and reads what it decided."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = os.path.join(folder, "outcome.json")
        job = json.dumps({"version": 1, "jobId": "job-1", "configuration": configuration})
        env = {**os.environ, "PARTNERD_OUTCOME": outcome}
        subprocess.run([sys.executable, handler], input=job, text=True, cwd=folder, env=env, check=True)
        with open(outcome, encoding="utf-8") as file:
            return json.load(file)


class HandlerTest(unittest.TestCase):
    def test_builds_what_the_action_names(self):
        self.assertEqual(outcome_of({"Target": "web"}), {"kind": "succeeded", "summary": "built web"})

    def test_tells_the_customer_what_is_missing(self):
        outcome = outcome_of({})
        self.assertEqual([outcome["kind"], outcome["type"]], ["failed", "ConfigurationError"])


if __name__ == "__main__":
    unittest.main()

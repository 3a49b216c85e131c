"""Run it with: python3 handler_test.py"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class HandlerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.outcome = os.path.join(folder.name, "outcome.json")
        self.env = {**os.environ, "PARTNERD_OUTCOME": self.outcome, "DESK": os.path.join(folder.name, "desk")}
        self.env.update({"WAIT_SECONDS": "0", "LOGNAME": "ana"})

    def start(self, token=None, configuration=None, execution="execution-1", **env):
        """Starts a job as partnerd does."""
        document = {
            "version": 1,
            "jobId": "job-1",
            "accountId": "123456789012",
            "configuration": configuration or {"Question": "Ship it?", "ApiKey": "a-secret"},
            "pipeline": {"pipelineName": "shop", "actionExecutionId": execution},
        }
        if token:
            document["continuationToken"] = token
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "handler.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**self.env, **env},
        )
        process.stdin.write(json.dumps(document))
        process.stdin.close()
        return process

    def outcome_of(self, process):
        process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(20), 0)
        with open(self.outcome, encoding="utf-8") as file:
            return json.load(file)

    def asked(self):
        """Asks for an approval, and gives its name."""
        outcome = self.outcome_of(self.start())
        self.assertEqual(outcome["kind"], "continued")
        return outcome["continuationToken"]

    def desk(self, *words):
        """What a person does: the exit code, and what it says."""
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "desk.py"), *words],
            env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
        return done.returncode, done.stdout

    def test_goes_on_when_a_person_approves(self):
        name = self.asked()
        self.assertEqual(self.outcome_of(self.start(name))["kind"], "continued")
        self.assertEqual(self.desk("approve", name, "looks", "good")[0], 0)
        expected = {"kind": "succeeded", "summary": "approved by ana: looks good", "externalExecutionId": name}
        self.assertEqual(self.outcome_of(self.start(name)), expected)
        self.assertEqual(self.desk(), (0, ""))

    def test_fails_when_a_person_rejects(self):
        name = self.asked()
        self.desk("reject", name)
        outcome = self.outcome_of(self.start(name))
        self.assertEqual([outcome["kind"], outcome["message"]], ["failed", "rejected by ana"])

    def test_asks_once_and_the_first_decision_counts(self):
        name = self.asked()
        self.assertEqual(self.asked(), name)
        self.assertEqual(len(self.desk()[1].splitlines()), 1)
        self.desk("approve", name)
        self.assertEqual(self.desk("reject", name)[0], 1)
        self.assertEqual(self.outcome_of(self.start(name))["kind"], "succeeded")

    def test_tells_the_desk_no_secret(self):
        self.asked()
        said = self.desk()[1]
        self.assertTrue(re.search("Ship it.*123456789012.*shop", said), said)
        self.assertNotIn("a-secret", said)

    def test_ends_when_nobody_decides_or_the_request_is_gone(self):
        # Files that lie elsewhere are nobody's decision.
        for what, document in (("request", {"askedAt": 0}), ("decision", {"verdict": "approved", "by": "me", "note": ""})):
            os.makedirs(self.env["DESK"], exist_ok=True)
            with open(os.path.join(self.env["DESK"], f"../outside.{what}.json"), "w", encoding="utf-8") as file:
                json.dump(document, file)
        for name, hours in ((self.asked(), "0"), ("0123456789ab", "1"), ("../outside", "1")):
            self.assertEqual(self.outcome_of(self.start(name, VALID_HOURS=hours))["type"], "JobFailed")

    def test_gives_up_its_slot_when_partnerd_stops_it(self):
        process = self.start(WAIT_SECONDS="60")
        self.assertIn("asked for approval", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.outcome_of(process)["kind"], "continued")

    def test_tells_the_customer_what_is_missing(self):
        outcome = self.outcome_of(self.start(configuration={"Note": "x"}))
        self.assertEqual([outcome["kind"], outcome["type"]], ["failed", "ConfigurationError"])


if __name__ == "__main__":
    unittest.main()

"""Run it with: python3 handler_test.py"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

HANDLER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handler.py")


class Job:
    """One job of the handler, run as partnerd does; `work` starts it."""

    def __init__(self, root, name, customer="client-1", execution=None, target="production", wait="0", text="run()"):
        self.folder = os.path.join(root, name)
        os.makedirs(os.path.join(self.folder, "inputs", "App"))
        with open(os.path.join(self.folder, "inputs", "App", "app.js"), "w", encoding="utf-8") as file:
            file.write(text)
        self.document = {
            "version": 1,
            "jobId": name,
            "clientId": customer,
            "configuration": {"Target": target},
            "pipeline": {"actionExecutionId": execution or name},
            "inputs": [{"name": "App"}],
        }
        self.env = {**os.environ, "DEPLOY_TO": os.path.join(root, "deployed"), "WAIT_SECONDS": wait}
        self.env["PARTNERD_OUTCOME"] = os.path.join(self.folder, "outcome.json")

    def start(self):
        process = subprocess.Popen(
            [sys.executable, HANDLER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.folder, env=self.env,
        )
        process.stdin.write(json.dumps(self.document))
        process.stdin.close()
        return process

    def outcome(self, process=None):
        process = process or self.start()
        process.stdout.read()
        process.stdout.close()
        assert process.wait(20) == 0
        with open(self.env["PARTNERD_OUTCOME"], encoding="utf-8") as file:
            return json.load(file)


class HandlerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def hold_lock(self, customer_folder):
        """Another deployment of this customer, which never ends by itself."""
        script = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print('held',flush=True); sys.stdin.read()"
        lock = os.path.join(customer_folder, "lock")
        holder = subprocess.Popen([sys.executable, "-c", script, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.stdin.close)
        self.assertEqual(holder.stdout.readline(), b"held\n")
        return holder

    def customer_folder(self):
        """Of the one customer who has deployed so far."""
        (name,) = os.listdir(os.path.join(self.root, "deployed"))
        return os.path.join(self.root, "deployed", name)

    def current(self):
        with open(os.path.join(self.customer_folder(), "production", "current", "app.js"), encoding="utf-8") as file:
            return file.read()

    def test_deploys(self):
        outcome = Job(self.root, "one").outcome()
        self.assertEqual([outcome["kind"], outcome["summary"]], ["succeeded", "deployed to production"])
        self.assertEqual(self.current(), "run()")

    def test_waits_for_a_deployment_of_the_same_customer_only(self):
        Job(self.root, "first").outcome()
        self.hold_lock(self.customer_folder())
        self.assertEqual(Job(self.root, "second").outcome()["kind"], "continued")
        self.assertEqual(Job(self.root, "third", customer="client-2").outcome()["kind"], "succeeded")

    def test_deploys_once_the_other_one_has_died(self):
        Job(self.root, "first").outcome()
        holder = self.hold_lock(self.customer_folder())
        second = Job(self.root, "second", wait="60", text="run(2)")
        process = second.start()
        self.assertIn("under way", process.stdout.readline())
        holder.kill()
        self.assertEqual(second.outcome(process)["kind"], "succeeded")
        self.assertEqual(self.current(), "run(2)")

    def test_gives_up_its_slot_when_partnerd_stops_it(self):
        Job(self.root, "first").outcome()
        self.hold_lock(self.customer_folder())
        second = Job(self.root, "second", wait="60")
        process = second.start()
        self.assertIn("under way", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(second.outcome(process)["kind"], "continued")

    def test_run_again_it_does_not_undo_a_newer_deployment(self):
        Job(self.root, "old", execution="execution-1", text="old").outcome()
        Job(self.root, "new", execution="execution-2", text="new").outcome()
        self.assertEqual(Job(self.root, "again", execution="execution-1", text="old").outcome()["kind"], "succeeded")
        self.assertEqual(self.current(), "new")

    def test_tells_the_customer_what_is_wrong(self):
        outcome = Job(self.root, "one", target="../../etc").outcome()
        self.assertEqual([outcome["kind"], outcome["type"]], ["failed", "ConfigurationError"])


if __name__ == "__main__":
    unittest.main()

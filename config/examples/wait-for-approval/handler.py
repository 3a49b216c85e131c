#!/usr/bin/env python3
"""Holds a pipeline until a person approves: asks at the desk (desk.py), and looks there for the decision.

A job looks for a while, then returns `continued`: days can pass, and restarts of partnerd, without a slot that is held.
"""
import hashlib
import json
import os
import signal
import sys
import threading
import time

from desk import Desk

WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "20"))
VALID_HOURS = float(os.environ.get("VALID_HOURS", "20"))

# SIGTERM says that the daemon stops, or that the job's time is over.
stopping = threading.Event()


def work(job, desk):
    """Gives an outcome: succeeded, continued or failed."""
    name = job.get("continuationToken")
    if name is None:
        question = job["configuration"].get("Question")
        if not question:
            return failed("ConfigurationError", "Question is missing: what a person has to approve")
        pipeline = job["pipeline"]
        # The same for every job of one action execution: a job that is run again asks nobody twice.
        name = hashlib.sha256((pipeline.get("actionExecutionId") or job["jobId"]).encode()).hexdigest()[:12]
        # What a person needs to know, and nothing else of the job: its configuration may hold secrets.
        desk.ask(name, {
            "question": question,
            "customer": job.get("accountId") or job.get("clientId"),
            "pipeline": pipeline.get("pipelineName"),
            "action": pipeline.get("actionName"),
        })
        print(f"asked for approval {name}", flush=True)
    until = time.monotonic() + WAIT_SECONDS
    while True:
        outcome = decided(desk, name)
        if outcome:
            return {**outcome, "externalExecutionId": name}
        if time.monotonic() >= until or stopping.wait(0.5):
            # The token is all that the next job gets: a name at the desk, and never a secret.
            summary = f"waiting for approval {name}"
            return {"kind": "continued", "continuationToken": name, "summary": summary, "externalExecutionId": name}


def decided(desk, name):
    """The outcome, once there is one."""
    request = desk.request(name)
    if request is None:
        return failed("JobFailed", f"the request for approval {name} was taken back")
    decision = desk.decision(name)
    if decision is None:
        if time.time() - request["askedAt"] < VALID_HOURS * 3600:
            return None
        return failed("JobFailed", f"nobody decided about approval {name} within {VALID_HOURS:g} hours")
    said = f"by {decision['by']}" + (f": {decision['note']}" if decision["note"] else "")
    if decision["verdict"] == "approved":
        return {"kind": "succeeded", "summary": f"approved {said}"}
    return failed("JobFailed", f"rejected {said}")


def failed(kind, message):
    return {"kind": "failed", "type": kind, "message": message}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    outcome = work(json.load(sys.stdin), Desk())
    with open(os.environ["PARTNERD_OUTCOME"], "w", encoding="utf-8") as file:
        json.dump(outcome, file)

#!/usr/bin/env python3
"""Deploys the input artifact, for one customer one deployment at a time; those of other customers run meanwhile.

A job that finds its customer's deployment under way waits for a while, then returns `continued`: CodePipeline offers a
new job, and the slot is free until then. What it prints becomes log lines of the job.
"""
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("DEPLOY_TO", os.path.join(HERE, "deployed"))
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "20"))
TARGETS = ("staging", "production")

# SIGTERM says that the job's time is over, or that the daemon stops and waits no longer.
stopping = threading.Event()


def work(job):
    """Gives an outcome: succeeded, continued or failed."""
    target = job["configuration"].get("Target")
    if target not in TARGETS:
        return failed("ConfigurationError", f"Target must be one of {', '.join(TARGETS)}")
    if len(job["inputs"]) != 1:
        return failed("ConfigurationError", "the action needs one input artifact: what to deploy")
    # Ids come from outside and may hold anything: a hash of one is a safe name.
    customer = os.path.join(ROOT, short_hash(job.get("clientId") or job["accountId"]))
    os.makedirs(customer, exist_ok=True)
    # The lock is the kernel's: it ends with this process, however that ends.
    with open(os.path.join(customer, "lock"), "w", encoding="utf-8") as lock:
        if not taken(lock):
            return continued("another deployment of this customer is under way")
        # The same for every job of one action execution: a job that is run again finds what was done before.
        release = short_hash(job["pipeline"].get("actionExecutionId") or job["jobId"])
        try:
            deploy(os.path.join("inputs", job["inputs"][0]["name"]), os.path.join(customer, target), release)
        except Stopped:
            return continued("stopped before the deployment")
    return {"kind": "succeeded", "summary": f"deployed to {target}", "externalExecutionId": release}


def taken(lock):
    """Waits for the customer's lock, as long as that is worth a slot."""
    until = time.monotonic() + WAIT_SECONDS
    is_told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not is_told:
                print("another deployment of this customer is under way", flush=True)
            is_told = True
        if time.monotonic() >= until or stopping.wait(0.5):
            return False


def deploy(source, place, release):
    """Here your deployment goes. It is done wholly or not at all, and once: `release` says whose it is."""
    folder = os.path.join(place, "releases", release)
    if os.path.exists(folder + ".done"):
        return  # Run again: a newer release may be current by now.
    if not os.path.isdir(folder):
        shutil.rmtree(folder + ".new", ignore_errors=True)  # of a process that died
        shutil.copytree(source, folder + ".new", symlinks=True, copy_function=copy_unless_stopped)
        os.rename(folder + ".new", folder)
    new, current = os.path.join(place, "current.new"), os.path.join(place, "current")
    if os.path.lexists(new):
        os.remove(new)
    os.symlink(os.path.join("releases", release), new)
    os.replace(new, current)
    with open(folder + ".done", "w", encoding="utf-8"):
        print(f"{release} is current", flush=True)


class Stopped(Exception):
    """The job ends before it has changed anything that counts."""


def copy_unless_stopped(source, target):
    if stopping.is_set():
        raise Stopped()
    return shutil.copy2(source, target)


def short_hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def continued(summary):
    """A new job of the same action will try again. It needs no more than its own document: the token only has to be."""
    return {"kind": "continued", "continuationToken": "again", "summary": summary}


def failed(kind, message):
    return {"kind": "failed", "type": kind, "message": message}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    outcome = work(json.load(sys.stdin))
    with open(os.environ["PARTNERD_OUTCOME"], "w", encoding="utf-8") as file:
        json.dump(outcome, file)

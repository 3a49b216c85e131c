#!/usr/bin/env python3
"""Works one job of the action, in an empty folder of its own. What it prints becomes log lines of the job."""
import json
import os
import sys


def work(job):
    """Gives an outcome: succeeded, continued or failed."""
    target = job["configuration"].get("Target")
    if not target:
        # The customer reads the message in the pipeline: say what is wrong, and what would be right.
        return {"kind": "failed", "type": "ConfigurationError", "message": "Target is missing: what to build"}
    print(f"building {target}", flush=True)
    # The work. Inputs lie in inputs/NAME/; what is put into outputs/NAME/ is uploaded after a success.
    # What takes longer than minutes gives {"kind": "continued", "continuationToken": "…"}.
    return {"kind": "succeeded", "summary": f"built {target}"}


if __name__ == "__main__":
    outcome = work(json.load(sys.stdin))
    with open(os.environ["PARTNERD_OUTCOME"], "w", encoding="utf-8") as file:
        json.dump(outcome, file)

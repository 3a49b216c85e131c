#!/usr/bin/env python3
"""The desk where approvals are asked for and decided: a folder with two small files for each. For people:

    ./desk.py                      lists what waits for a decision
    ./desk.py approve NAME [NOTE]  lets the pipeline go on; the first decision counts
    ./desk.py reject NAME [NOTE]   fails its action
"""
import getpass
import json
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Desk:
    def __init__(self, folder=os.environ.get("DESK", os.path.join(HERE, "approvals"))):
        self.folder = folder

    def ask(self, name, request):
        """Asks once: a request that is there stays as it is."""
        self._create(f"{name}.request.json", {**request, "askedAt": time.time()})

    def decide(self, name, verdict, by, note):
        """False when somebody has decided before."""
        return self._create(f"{name}.decision.json", {"verdict": verdict, "by": by, "note": note})

    def request(self, name):
        return self._read(name, "request")

    def decision(self, name):
        return self._read(name, "decision")

    def waiting(self):
        """Names of requests without a decision."""
        found = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        names = sorted(file[: -len(".request.json")] for file in found if file.endswith(".request.json"))
        return [name for name in names if self.decision(name) is None]

    def _create(self, file, document):
        """Whole or not at all, and never over what is there."""
        os.makedirs(self.folder, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(document, stream)
            os.link(new, os.path.join(self.folder, file))
            return True
        except FileExistsError:
            return False
        finally:
            os.remove(new)

    def _read(self, name, what):
        # A name comes from a continuation token or a command line, and becomes a file's name.
        if not re.fullmatch("[0-9a-f]{12}", name):
            return None
        try:
            with open(os.path.join(self.folder, f"{name}.{what}.json"), encoding="utf-8") as stream:
                return json.load(stream)
        except FileNotFoundError:
            return None


def main(desk, words):
    if not words:
        for name in desk.waiting():
            print(name, json.dumps(desk.request(name)))
        return 0
    verdict = {"approve": "approved", "reject": "rejected"}.get(words[0])
    if verdict is None or len(words) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    name, note = words[1], " ".join(words[2:])
    if desk.request(name) is None:
        print(f"nobody asks for {name}", file=sys.stderr)
        return 1
    if not desk.decide(name, verdict, getpass.getuser(), note):
        print(f"{name} is {desk.decision(name)['verdict']} already", file=sys.stderr)
        return 1
    print(f"{name} is {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Desk(), sys.argv[1:]))

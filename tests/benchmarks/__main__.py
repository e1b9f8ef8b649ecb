"""Measure all groups, or some, and write ``docs/_data/benchmarks.json``.

    python tests/benchmarks [GROUP …] [--rounds N] [--into FILE]

The names of the groups are those of the files beside this one. Groups that are
not measured now keep what is known of them.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from rounds import ROOT, measure

GROUPS = ("structures", "remote", "size", "workers", "build", "weight")


def source() -> str:
    """Return where the objects came from, in words."""
    said = set(json.loads(os.environ["ATLAS_SOURCES"]).values())
    return " and ".join(sorted({words.split()[0] for words in said}))


def say(message: str) -> None:
    """Tell how far it is; a whole run takes a while."""
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS])
    parser.add_argument("--rounds", type=int, help="default: the group's own")
    parser.add_argument(
        "--into", type=Path, default=ROOT / "docs/_data/benchmarks.json"
    )
    asked = parser.parse_args()
    known = json.loads(asked.into.read_text()) if asked.into.exists() else {}
    for name in asked.groups or GROUPS:
        group = importlib.import_module(name)
        result = measure(group, asked.rounds or group.ROUNDS, say)
        known[name] = {"source": source()} | result
        # Written after each group: a later one may fail.
        ordered = {name: known[name] for name in GROUPS if name in known}
        text = json.dumps(ordered, indent=1, ensure_ascii=False)
        asked.into.write_text(text + "\n")


if __name__ == "__main__":
    main()

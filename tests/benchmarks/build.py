"""The build of the whole site, in a copy of the repository of its own.

The environment of packages is there, and the data are on this machine: in a
mirror, or in the cache of an earlier build.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rounds import ROOT, tell, timed

ONE_PAGE = "examples/explore_atlas.py"


def one_job(folder: Path) -> dict[str, float]:
    """One notebook at a time, after the examples."""
    return build_all(folder, 1)


def two_jobs(folder: Path) -> dict[str, float]:
    """Two notebooks at a time, after the examples: what `make html` does."""
    return build_all(folder, 2)


VARIANTS = {"one_job": one_job, "two_jobs": two_jobs}
BASELINE = "one_job"
COMPARISONS = [""]
ROUNDS = 1
TARGETS = [
    ("", "two_jobs", "cold_s", "value", 240),
    ("", "two_jobs", "unchanged_s", "value", 5),
    ("", "two_jobs", "page_s", "value", 15),
]


def copy_repository(folder: Path) -> None:
    """Copy what is tracked or new, and link what is fetched and installed."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.check_output(listed, cwd=ROOT, text=True).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in (".venv", ".cache"):
        if (ROOT / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)


def build(folder: Path, n_jobs: int) -> float:
    """Return how long `make html` takes, in seconds."""
    source = os.environ.get("ATLAS_SOURCE") or "auto"
    if source not in ("auto", "cloud", "standin"):
        source = str(Path(source).resolve())
    # A make that calls another tells it of its own options.
    environment = {n: v for n, v in os.environ.items() if "MAKE" not in n}
    options = f"-n -W -T --keep-going -D gallery_jobs={n_jobs}"
    _, seconds = timed(
        lambda: subprocess.run(
            ["make", "-o", ".venv/ready", "html", f"SPHINXOPTS={options}"],
            cwd=folder,
            env=environment | {"ATLAS_SOURCE": source},
            stdout=sys.stderr,
            check=True,
        )
    )
    return seconds


def build_all(folder: Path, n_jobs: int) -> dict[str, float]:
    """Return the seconds of a build of everything, and of the next ones."""
    copy_repository(folder)
    costs = {"cold_s": build(folder, n_jobs)}
    costs["unchanged_s"] = build(folder, n_jobs)
    page = folder / ONE_PAGE
    page.write_text(page.read_text().replace("This is RSP", "Here is RSP"))
    costs["page_s"] = build(folder, n_jobs)
    # The results of the examples are kept, and every page is written again.
    shutil.rmtree(folder / "docs/_build")
    costs["warm_s"] = build(folder, n_jobs)
    return costs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tell({}, VARIANTS[sys.argv[1]](Path(folder)))

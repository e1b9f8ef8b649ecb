"""`make html` fails when it should, and does no more than it must."""

import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, run

PROGRAM = '''# /// script
# requires-python = ">=3.11"
# ///
"""
Draw a line
===========

A line.
"""

import matplotlib.pyplot as plt

# %%
# Draw it.
fig, ax = plt.subplots(figsize=(4, 3))
ax.plot([0, 1])
fig.alt = "A line that rises from the left to the right."
plt.show()
print("the number is", 41 + 1)
'''


INDEX = """
Home
====

.. toctree::

   aws_examples/index
   data
   glossary
   orientation
   tags
"""


class House:
    """A copy of the repository with one small example."""

    def __init__(self, root: Path):
        self.root = root
        listed = run(["git", "ls-files", "-co", "--exclude-standard"])
        for name in listed.stdout.splitlines():
            if not name.startswith("examples/") and (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        (root / ".venv").symlink_to(ROOT / ".venv")
        (root / "examples").mkdir()
        header = (ROOT / "examples/GALLERY_HEADER.rst").read_text()
        (root / "examples/GALLERY_HEADER.rst").write_text(header)
        for page in (root / "docs").glob("*.rst"):
            page.unlink()
        (root / "docs/index.rst").write_text(INDEX)
        for page in ("data", "glossary", "orientation", "tags"):
            (root / f"docs/{page}.rst").write_text(f"{page}\n===========\n")
        with open(root / "docs/conf.py", "a") as conf:
            names = ["draw_line", "draw_other", "draw_third"]
            conf.write(f"\ngallery_order = {names}\n")
        self.example = root / "examples" / "draw_line.py"
        self.example.write_text(PROGRAM)

    def make(self, *words: str, source: str = "standin"):
        """Call make here; return the completed process."""
        return run(["make", *words], source, self.root)

    def ran(self, *words: str, source: str = "standin") -> int:
        """Call make, which succeeds; return how many examples it ran."""
        done = self.make(*words, source=source)
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.search(r"executed (\d+) out of \1 ", done.stdout)
        return int(found[1]) if found else 0

    def page(self, stem: str = "draw_line") -> Path:
        """Return where the page of an example is built."""
        return self.root / f"docs/_build/html/aws_examples/{stem}.html"


@pytest.fixture
def house(tmp_path, site) -> House:
    """Return a copy; the environment is there, for the site was built."""
    return House(tmp_path)


def change(path: Path, old: str, new: str) -> None:
    """Replace a piece of text that must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_builds_again_only_what_changed(house):
    assert house.ran("html") == 1
    assert "the number is 42" in house.page().read_text()
    assert house.ran("html") == 0
    change(house.example, "41 + 1", "41 + 2")
    assert house.ran("html") == 1
    assert "the number is 43" in house.page().read_text()
    second = house.example.with_name("draw_other.py")
    second.write_text(PROGRAM.replace("Draw a line", "Draw other"))
    assert house.ran("one", "PATTERN=draw_other") == 1
    assert "the number is 42" in house.page("draw_other").read_text()
    assert "the number is 43" in house.page().read_text()
    # Renamed: no trace of the old name is left.
    second.rename(second.with_name("draw_third.py"))
    assert house.ran("html") == 2
    left = [p for p in house.root.rglob("*draw_other*") if p.is_file()]
    assert left == []
    # Another source, lock, configuration or extension: all of it again.
    mirror = house.root / "mirror"
    mirror.mkdir()
    (mirror / "SHA256SUMS").write_text("")
    assert house.ran("html", source=str(mirror)) == 2
    (mirror / "SHA256SUMS").write_text(f"{'0' * 64}  an/object\n")
    assert house.ran("html", source=str(mirror)) == 2
    for name in ("requirements.lock", "docs/conf.py", "docs/_ext/new.py"):
        path = house.root / name
        with open(path, "a") as file:
            file.write("\n# changed\n")
        # Older than the environment, which is not to be made again here.
        os.utime(path, (0, 0))
        assert house.ran("html", source=str(mirror)) == 2, name
    assert house.ran("html", source=str(mirror)) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("41 + 1", "41 / 0", "ZeroDivisionError: division by zero"),
        ("fig.alt =", "fig.old =", "a figure has no alt text"),
        ("Draw it.", "Draw :doc:`/it`.", "unknown document"),
        ("Draw it.", "Draw :func:`it`.", "reference target not found"),
    ],
)
def test_what_is_wrong_fails_the_build(house, old, new, said):
    change(house.example, old, new)
    done = house.make("html")
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "draw_line" in done.stdout + done.stderr


def test_no_page_shows_a_traceback_as_its_result(house):
    assert house.ran("html") == 1
    change(house.example, "41 + 1", "41 / 0")
    for _ in range(2):
        assert house.make("html").returncode != 0
        assert not house.page().exists()
    change(house.example, "41 / 0", "41 + 1")
    assert house.ran("html") == 1
    assert "the number is 42" in house.page().read_text()


def test_card_tells_the_peak_memory_of_its_own_page(house):
    """Neither the peak of the page before it, nor less for what that freed."""
    change(house.example, "41 + 1", 'len(b"x" * 4 * 10**8) // 10**7 + 2')
    in_pieces = PROGRAM.replace(
        "41 + 1", 'len([b"x" * 10**5 for _ in range(1000)]) - 958'
    )
    for stem in "draw_other", "draw_third":
        text = in_pieces.replace("Draw a line", stem)
        house.example.with_name(f"{stem}.py").write_text(text)
    assert house.ran("html") == 3
    used = [
        int(re.search(r"most (\d+) MB of memory", page.read_text())[1])
        for page in map(house.page, ("draw_line", "draw_other", "draw_third"))
    ]
    assert 400 <= used[0] < 500
    assert 100 <= used[1] < 160
    assert 100 <= used[2] < 160


def test_what_a_page_writes_lands_beside_the_generated_page(house):
    write = 'open("written.txt", "w").write("so")'
    change(house.example, "41 + 1", f"40 + {write}")
    change(house.example, "A line.", "A line, and ``written.txt``.")
    beside = house.root / "docs/aws_examples"
    there = {path.name for path in house.example.parent.iterdir()}
    assert house.ran("html") == 1
    change(house.example, '"so"', '"again"')
    assert house.ran("html") == 1
    assert (beside / "written.txt").read_text() == "again"
    assert {path.name for path in house.example.parent.iterdir()} == there


def test_without_results_nothing_is_run(house):
    assert house.ran("html-noplot") == 0
    assert "the number is 42" not in house.page().read_text()
    assert house.ran("html") == 1


READER = PROGRAM.replace("# %%", "import pooch\n\n# %%").replace(
    "41 + 1",
    'open(pooch.retrieve("https://gin.g-node.org/a/number", None)).read()',
)
CLOUD = """
import sys
sys.path.insert(0, "docs/_ext")
import atlas_launch
from atlas_store import Cloud
sys.exit(atlas_launch.main(
    {words!r}, lambda root: Cloud(root, origin="{origin}/".__add__)
))
"""


def test_cloud_then_cache_then_mirror_give_the_same_page(house, tmp_path):
    """What was fetched once serves the next build, and other machines."""
    house.example.write_text(READER)
    hosts = tmp_path / "hosts"
    (hosts / "gin.g-node.org/a").mkdir(parents=True)
    (hosts / "gin.g-node.org/a/number").write_text("42 from afar")
    handler = partial(SimpleHTTPRequestHandler, directory=hosts)
    origin = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{origin.server_port}"

    def launch(*words):
        program = CLOUD.format(words=list(words), origin=address)
        command = [house.root / ".venv/bin/python", "-c", program]
        done = run(command, "cloud", house.root)
        assert done.returncode == 0, done.stdout + done.stderr

    def told() -> str:
        text = house.page().read_text()
        return re.search(r"the number is 42 [\w ]+", text)[0]

    sphinx = [".venv/bin/sphinx-build", "-q", "-n", "-W"]
    sphinx += ["-d", "docs/_build/doctrees", "docs", "docs/_build/html"]
    launch(*sphinx)
    first = told()
    assert "From: the cloud" in BeautifulSoup(
        house.page().read_text(), "html.parser"
    ).select_one(".atlas-card").text.replace("\n", " ")
    launch("--mirror", str(tmp_path / "copy"))
    origin.shutdown()
    origin.server_close()
    for folder in ("docs/_build", "docs/aws_examples"):
        shutil.rmtree(house.root / folder)
    launch(*sphinx)
    assert told() == first
    shutil.rmtree(house.root / ".cache")
    assert house.ran("html", source=str(tmp_path / "copy")) == 1
    assert told() == first
    assert "a mirror of the cloud" in house.page().read_text()

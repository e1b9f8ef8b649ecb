"""Only a site that was made from the cloud is published, and it says so."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import origin as host
import pytest
from atlas_launch import HOSTS
from conftest import ROOT, run
from folders import passes_sha256sum
from test_build import PROGRAM, House

CSV = HOSTS["gin.g-node.org"][1]
INDEX = HOSTS["s3/brainglobe"][1]
NUMBER = "s3/brainglobe/atlas/number"
READER = PROGRAM.replace("# %%", "import pooch\n\n# %%").replace(
    "41 + 1", 'open(pooch.retrieve("{}", None)).readline()'
)
# Holds one table.
STANDIN = f"""
VERSION = "tiny"
def part_of(name):
    return "table" if name == {CSV!r} else None
def write_part(part, folder, cache):
    path = folder / {CSV!r}
    path.parent.mkdir(parents=True)
    path.write_bytes(b"42 made up")
    return []
"""
CATALOGUE = ":orphan:\n\nCatalogue\n=========\n\n.. atlas-catalogue::\n"


class Published(House):
    """A repository of two examples, each of which reads another host."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.example.write_text(READER.format(f"https://{CSV}"))
        other = self.example.with_name("draw_other.py")
        url = "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/number"
        text = READER.replace("Draw a line\n=", "Draw other\n")
        other.write_text(text.format(url))
        (root / "docs/catalogue.rst").write_text(CATALOGUE)
        (root / "fake").mkdir()
        (root / "fake/atlas_standin.py").write_text(STANDIN)
        self.git("init", "--quiet")
        (root / ".git/info/exclude").write_text("/.venv\n/standin\n")
        self.commit()

    @property
    def site(self) -> Path:
        """Return the folder of the built site."""
        return self.root / "docs/_build/html"

    def git(self, *words) -> str:
        """Call git here; return what it printed."""
        name = ("-c", "user.name=a", "-c", "user.email=a@localhost")
        done = run(["git", *name, *words], cwd=self.root)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def build(self, origin: host.Origin, source: str = "cloud") -> str:
        """Build with hosts of the test; return what was printed."""
        command = [sys.executable, ROOT / "tests/origin.py", self.root]
        sphinx = [sys.executable, "-m", "sphinx", "-n", "-W", "docs"]
        done = run(
            [*command, origin.root, *sphinx, self.site],
            source,
            self.root,
            PYTHONPATH=str(self.root / "fake"),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def publish(self, site: Path) -> subprocess.CompletedProcess:
        """Ask whether a site may be published."""
        program = self.root / "docs/_ext/gallery_version.py"
        return run([sys.executable, program, site], cwd=self.root)


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Published:
    """Return a repository."""
    return Published(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def origin():
    """Return hosts that have all that the two examples read."""
    with host.Origin() as server:
        server.at[CSV] = host.good(b"42 from afar\n")
        server.at[INDEX] = host.good(b"[atlases]\nsome = 1.0\n")
        server.at[NUMBER] = host.good(b"43 from afar\n")
        yield server


@pytest.fixture(scope="module")
def real(house, origin, tmp_path_factory) -> Path:
    """Return a site of which every page was made from the cloud."""
    house.build(origin)
    kept = tmp_path_factory.mktemp("sites") / "real"
    return Path(shutil.copytree(house.site, kept))


@pytest.fixture
def copy(real, tmp_path) -> Path:
    """Return a copy of that site, to be spoilt."""
    return Path(shutil.copytree(real, tmp_path / "site"))


def test_site_from_the_cloud_is_accepted_and_sealed(house, copy):
    done = house.publish(copy)
    assert done.returncode == 0, done.stderr
    listed = (copy / "SHA256SUMS").read_text()
    for name in ("_version.json", "_data.sha256", "index.html"):
        assert f"  {name}\n" in listed
    files = [p for p in copy.rglob("*") if p.is_file()]
    files = [p for p in files if p.name[0] != "." and p.name != "SHA256SUMS"]
    assert listed.count("\n") == len(files)
    assert passes_sha256sum(copy)


def test_version_says_what_the_site_was_made_from(house, real):
    version = json.loads((real / "_version.json").read_text())
    assert version["commit"] == house.git("rev-parse", "HEAD")
    assert version["dirty"] is False
    assert version["repository"] == "unknown"
    pages = version["pages"]
    assert pages["aws_examples/draw_line"] == "cloud"
    assert pages["aws_examples/draw_other"] == "cloud"
    assert pages["catalogue"] == "cloud"
    assert pages["index"] == "none"
    lock = ["sha256sum", house.root / "requirements.lock"]
    assert version["dependency_lock"] == run(lock).stdout.split()[0]
    data = run(["sha256sum", real / "_data.sha256"]).stdout.split()[0]
    assert version["data_lock"] == data
    # The list is that of the objects: it can be held against the objects.
    cache = house.root / ".cache/atlas"
    check = ["sha256sum", "--strict", "--quiet", "-c", real / "_data.sha256"]
    assert run(check, cwd=cache).returncode == 0
    names = [s.split()[1] for s in (real / "_data.sha256").open()]
    assert names == sorted([CSV, INDEX, NUMBER])


def edit(**changes):
    """Return what changes the record of a site."""

    def spoil(site: Path) -> None:
        path = site / "_version.json"
        version = json.loads(path.read_text()) | changes
        path.write_text(json.dumps(version))

    return spoil


def mark(source: str):
    """Return what gives one page another source."""

    def spoil(site: Path) -> None:
        pages = json.loads((site / "_version.json").read_text())["pages"]
        edit(pages=pages | {"aws_examples/draw_line": source})(site)

    return spoil


SPOILT = {
    "no record": (
        lambda site: (site / "_version.json").unlink(),
        "_version.json cannot be read: FileNotFoundError",
    ),
    "torn record": (
        lambda site: (site / "_version.json").write_text("{"),
        "_version.json cannot be read: JSONDecodeError",
    ),
    "record of nothing": (
        lambda site: (site / "_version.json").write_text("{}"),
        "_version.json cannot be read: KeyError",
    ),
    "no commit": (edit(commit="unknown"), "its commit is unknown"),
    "changed files": (edit(dirty=True), "files differ from the commit"),
    "unknown whether changed": (edit(dirty=None), "is not known"),
    "another list of objects": (
        lambda site: (site / "_data.sha256").write_text(""),
        "_data.sha256 is not the list that _version.json names",
    ),
    "stand-in": (mark("stand-in"), "aws_examples/draw_line: stand-in"),
    "mirror": (mark("mirror"), "aws_examples/draw_line: mirror"),
    "both": (
        mark("cloud and mirror"), "aws_examples/draw_line: cloud and mirror",
    ),
    "not run": (mark("not run"), "aws_examples/draw_line: not run"),
    "page besides": (
        lambda site: shutil.copy(site / "index.html", site / "more.html"),
        "more: in the site, but not in _version.json",
    ),
    "page lost": (
        lambda site: (site / "aws_examples/draw_other.html").unlink(),
        "aws_examples/draw_other: recorded, but not in the site",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_any_other_site_is_refused_by_its_reason(house, copy, spoil, said):
    spoil(copy)
    done = house.publish(copy)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert not (copy / "SHA256SUMS").exists()


def test_site_with_one_page_from_the_stand_in_is_refused(house, origin, real):
    there = origin.at.pop(CSV)
    shutil.rmtree(house.root / ".cache/atlas")
    try:
        house.build(origin, "auto")
    finally:
        origin.at[CSV] = there
    done = house.publish(house.site)
    assert done.returncode == 1
    assert "  aws_examples/draw_line: stand-in\n" in done.stderr
    assert "draw_other" not in done.stderr
    # Its card shows on other pages.
    assert "  index: shows stand-in\n" in done.stderr
    # The pages speak for themselves, whatever the record says.
    mark("cloud")(house.site)
    done = house.publish(house.site)
    assert "  aws_examples/draw_line: shows stand-in\n" in done.stderr


def test_site_from_a_mirror_is_refused(house, origin, real, tmp_path):
    """What was fetched is a mirror: nobody asked the hosts."""
    house.build(origin)
    copied = shutil.copytree(house.root / ".cache/atlas", tmp_path / "copy")
    house.build(origin, str(copied))
    done = house.publish(house.site)
    assert done.returncode == 1
    for page in ("draw_line", "draw_other"):
        assert f"  aws_examples/{page}: mirror\n" in done.stderr
    mark("cloud")(house.site)
    done = house.publish(house.site)
    assert "  aws_examples/draw_line: shows mirror\n" in done.stderr


def test_changed_files_and_examples_that_were_not_run_are_refused(house):
    done = house.make("html-noplot")
    assert done.returncode == 0, done.stderr
    (house.root / "docs/data.rst").write_text("changed\n=======\n")
    assert house.make("html-noplot").returncode == 0
    done = house.publish(house.site)
    house.git("checkout", "--quiet", "docs/data.rst")
    assert "  aws_examples/draw_line: not run\n" in done.stderr
    assert "  files differ from the commit\n" in done.stderr

"""Only a site that was made from the cloud is published, and it says so."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import atlas_drift
import origin as host
import pytest
import yaml
from atlas_launch import HOSTS
from atlas_store import Cloud, Limits, sha256
from conftest import ROOT, run
from folders import passes_sha256sum
from test_build import PROGRAM, House, change

CSV = HOSTS["gin.g-node.org"][1]
INDEX = HOSTS["s3/brainglobe"][1]
NUMBER = "s3/brainglobe/atlas/number"
READER = PROGRAM.replace("# %%", "import pooch\n\n# %%").replace(
    "41 + 1", 'open(pooch.retrieve("{}", None)).readline().split(",")[-1]'
)
# A table of one structure, for nothing else is let through.
TABLE = b"id,parent_structure_id,42 from afar\n1,,\n"
# Holds that table.
STANDIN = host.STANDIN.format(
    name=CSV, content=TABLE.replace(b"from afar", b"made up")
)
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

    def launch(self, origin, source: str, *command):
        """Run a command with the hosts of the test; return what it did."""
        launcher = [sys.executable, ROOT / "tests/origin.py", self.root]
        return run(
            [*launcher, origin.root, *command],
            source,
            self.root,
            PYTHONPATH=str(self.root / "fake"),
        )

    def build(self, origin, source: str = "cloud") -> None:
        """Build the site from the hosts of the test."""
        sphinx = [sys.executable, "-m", "sphinx", "-n", "-W", "docs"]
        done = self.launch(origin, source, *sphinx, self.site)
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self, origin, source: str):
        """Run the first example alone."""
        name = self.example.relative_to(self.root)
        program = ["--example", name, sys.executable, name]
        return self.launch(origin, source, *program)

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
        server.at[CSV] = host.good(TABLE)
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
    # As if it had been accepted before.
    (copy / "SHA256SUMS").write_text("")
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


# What a pull request builds -------------------------------------------------


def test_what_was_fetched_serves_without_a_network(house, origin):
    assert house.ask(origin, "cloud").returncode == 0
    origin.asked.clear()
    done = house.ask(origin, "offline")
    assert done.stdout == "the number is 42 from afar\n\n"
    assert "every object comes from the mirror" in done.stderr
    assert not origin.asked


@pytest.mark.parametrize("held", ["another", "nothing"])
def test_what_was_not_fetched_is_made_up_and_said_to_be(house, origin, held):
    assert house.ask(origin, "cloud").returncode == 0
    origin.asked.clear()
    sums = house.root / ".cache/atlas/SHA256SUMS"
    other = f"{'0' * 64}  another/object\n"
    sums.write_text(other if held == "another" else "")
    done = house.ask(origin, "offline")
    assert done.stdout == "the number is 42 made up\n\n"
    assert "SYNTHETIC DATA" in done.stderr
    assert (f"lacks https://{CSV}" in done.stderr) == (held == "another")
    assert not origin.asked
    sums.unlink()


def test_what_is_wrong_is_not_tried_with_the_stand_in(house, origin):
    """A failure that only the real data show must not be hidden."""
    assert house.ask(origin, "cloud").returncode == 0
    change(house.example, "print(", "assert plt is None\nprint(")
    done = house.ask(origin, "offline")
    house.git("checkout", "--quiet", "examples")
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert "SYNTHETIC DATA" not in done.stderr


CHANGED = {
    "nothing": ([], ""),
    "an example": (["examples/draw_line.py"], "draw_line"),
    "prose": (["docs/data.rst", "examples/GALLERY_HEADER.rst"], ""),
    "prose that shows a picture": (["docs/index.rst"], "draw_other"),
    "an example whose picture an example shows": (
        ["examples/draw_other.py"], "draw_other draw_third",
    ),
    "an example that shows a picture": (
        ["examples/draw_third.py"], "draw_other draw_third",
    ),
    "prose with a small gallery": (["docs/glossary.rst"], "draw_line"),
    "what decides no result": (
        ["README.md", "tests/test_style.py", "docs/_static/gallery.css"], "",
    ),
    # A page whose numbers change changes what is noted of them.
    "what is noted of results": (["docs/_data/answers.json"], ""),
    "the lock": (["requirements.lock"], "every example"),
    "an extension": (["docs/_ext/gallery_key.py"], "every example"),
    "a new extension": (["docs/_ext/new.py"], "every example"),
    "the configuration": (["docs/conf.py"], "every example"),
}  # fmt: skip
PICTURE = (
    "\n.. figure:: aws_examples/images/sphx_glr_draw_other_001_2_00x.png\n"
)


@pytest.fixture(scope="module")
def branch(tmp_path_factory) -> Published:
    """Return a repository where pages show pictures of examples."""
    house = Published(tmp_path_factory.mktemp("branch"))
    third = house.example.with_name("draw_third.py")
    third.write_text(f"{PROGRAM}\n# %%\n# {PICTURE.strip()}\n")
    with open(house.root / "docs/index.rst", "a") as index:
        index.write(PICTURE)
    small = "\n.. minigallery::\n   ../examples/draw_line.py\n"
    (house.root / "docs/glossary.rst").write_text(small)
    house.commit()
    house.git("tag", "base")
    return house


def touched(house: Published) -> tuple[str, re.Pattern]:
    """Return what is to be run for a branch, in words and as a pattern."""
    program = house.root / "docs/_ext/changed_examples.py"
    done = run([sys.executable, program, "base"], cwd=house.root)
    assert done.returncode == 0, done.stderr
    told = done.stderr.removeprefix("To run: ").removesuffix("\n")
    return told, re.compile(done.stdout.rstrip("\n"))


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(("paths", "run"), CHANGED.values(), ids=CHANGED)
def test_branch_runs_what_it_touches(branch, paths, run, committed):
    for path in paths:
        with open(branch.root / path, "a") as file:
            file.write('\nnew = "value"\n')
    if committed:
        branch.commit()
    told, pattern = touched(branch)
    branch.git("reset", "--quiet", "--hard", "base")
    branch.git("clean", "--quiet", "--force", "docs/_ext")
    assert told == (run or "no example")
    stems = {"draw_line", "draw_other", "draw_third"}
    expected = stems if run == "every example" else set(run.split())
    # As Sphinx-Gallery asks it.
    found = {s for s in stems if pattern.search(f"/a/examples/{s}.py")}
    assert found == expected
    for other in ("draw_lines", "redraw_line"):
        found = pattern.search(f"/a/examples/{other}.py")
        assert bool(found) == (run == "every example")


def test_new_example_and_its_place_run_it_alone(branch):
    (branch.root / "examples/draw_new.py").write_text(PROGRAM)
    change(branch.root / "docs/conf.py", "'draw_third'", "'draw_new'")
    (branch.root / "examples/draw_third.py").unlink()
    told, _ = touched(branch)
    branch.git("reset", "--quiet", "--hard", "base")
    (branch.root / "examples/draw_new.py").unlink()
    assert told == "draw_new"


def test_what_came_to_the_base_meanwhile_is_not_of_the_branch(branch):
    branch.git("checkout", "--quiet", "-b", "work")
    change(branch.example, "A line.", "One line.")
    branch.commit()
    branch.git("checkout", "--quiet", "-B", "later", "base")
    change(branch.root / "examples/draw_other.py", "A line.", "One line.")
    branch.commit()
    branch.git("tag", "--force", "base")
    branch.git("checkout", "--quiet", "work")
    told, _ = touched(branch)
    assert told == "draw_line"


def test_make_runs_only_what_a_branch_touches(tmp_path):
    house = Published(tmp_path)
    house.example.write_text(PROGRAM)
    other = PROGRAM.replace("Draw a line\n=", "Draw other\n")
    house.example.with_name("draw_other.py").write_text(other)
    (house.root / "docs/catalogue.rst").unlink()
    house.commit()
    assert house.ran("changed", "BASE=HEAD") == 0
    assert "number is 42" not in house.page().read_text()
    change(house.example, "41 + 1", "41 + 2")
    assert house.ran("changed", "BASE=HEAD") == 1
    assert "the number is 43" in house.page().read_text()
    assert "number is 42" not in house.page("draw_other").read_text()


# Whether the hosts changed --------------------------------------------------

PART = "s3/brainglobe/atlas/annotation-sets/mouse-annotation"
MANIFEST = "s3/brainglobe/atlas/atlases/mouse_25um/{}/manifest.json"
DECLARES = (
    '{{"location": "/atlases/mouse_25um/{}", "annotation_set": '
    '{{"location": "/annotation-sets/mouse-annotation/{}"}}}}'
)
HELD = {
    CSV: b"table",
    INDEX: b"[atlases]\nmouse_25um = 3.0\n",
    MANIFEST.format("3_0"): DECLARES.format("3_0", "3_0").encode(),
    f"{PART}/3_0/array.zarr/zarr.json": b"{}",
    f"{PART}/3_0/array.zarr/c/0/0": b"voxels",
}
CHUNK = f"{PART}/3_0/array.zarr/c/0/0"
NEXT = {
    INDEX: b"[atlases]\nmouse_25um = 3.1\nrat = 1.0\n",
    MANIFEST.format("3_1"): DECLARES.format("3_1", "3_2").encode(),
}
DRIFT = {
    "nothing": ({}, []),
    "another digest": (
        {CHUNK: host.good(b"VOXELS")},
        [f"c/0/0 has changed: it was {sha256(b'voxels')}, and is "
         f"{sha256(b'VOXELS')}"],
    ),
    "a key gone": (
        {CHUNK: host.status(404, host.NO_SUCH_KEY)}, ["c/0/0 has gone"],
    ),
    "a file gone": (
        {CSV: host.status(404)}, ["https://gin.g-node.org does not answer"],
    ),
    "a key that cannot be had": ({CHUNK: host.status(403)}, ["403"]),
    "a host gone": (
        {name: host.status(500) for name in HELD if name[:2] == "s3"},
        ["s3://brainglobe does not answer", "last_versions.conf cannot be"],
    ),
    "new versions": (
        {name: host.good(content) for name, content in NEXT.items()},
        [
            "rat 1.0 has no manifest",
            "annotation-sets/mouse-annotation: pages read 3_0, the manifests "
            "name 3_2",
            "atlases/mouse_25um: pages read 3_0, the manifests name 3_1",
        ],
    ),
    "an index that lists another atlas too": (
        {
            INDEX: host.good(HELD[INDEX] + b"two = 3.1\n"),
            MANIFEST.format("3_1").replace("mouse_25um", "two"): host.good(
                DECLARES.format("3_1", "3_2").encode()
            ),
        },
        [],
    ),
    "no index": (
        {INDEX: host.good(b"<html>")}, ["last_versions.conf cannot be read"],
    ),
}  # fmt: skip


def as_listed(objects: dict[str, bytes]) -> str:
    """Return the list that a site has of the objects it was made from."""
    return "".join(f"{sha256(objects[n])}  {n}\n" for n in sorted(objects))


@pytest.mark.parametrize(("changes", "said"), DRIFT.values(), ids=DRIFT)
def test_what_changed_at_the_hosts_is_told(changes, said, tmp_path, capsys):
    (tmp_path / "list").write_text(as_listed(HELD))
    with host.Origin() as origin:
        for name, content in HELD.items():
            origin.at[name] = host.good(content)
        origin.at.update(changes)
        limits = Limits(connect=1, read=1, total=3, backoff=0.01)
        status = atlas_drift.main(
            str(tmp_path / "list"),
            lambda root: Cloud(root, origin.url, limits),
        )
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == len(said), lines
    for line, part in zip(lines, said, strict=True):
        assert part in line
    assert last == f"{len(HELD)} objects, {len(said)} differences"
    assert status == bool(said)


@pytest.mark.parametrize(
    "text", [None, "", "<html>no such page</html>", "0123  a/b\n"]
)
def test_without_a_list_the_hosts_are_not_said_to_be_well(
    text, tmp_path, capsys
):
    if text is not None:
        (tmp_path / "list").write_text(text)
    assert atlas_drift.main(str(tmp_path / "list")) == 2
    assert str(tmp_path / "list") in capsys.readouterr().err


def test_the_list_is_that_of_the_published_site(monkeypatch, capsys):
    with host.Origin() as origin:
        monkeypatch.setenv("SITE_URL", f"{origin.root}/gallery")
        assert atlas_drift.main() == 2
        assert origin.asked == {"gallery/_data.sha256": 1}
    monkeypatch.setenv("SITE_URL", "")
    assert atlas_drift.main() == 2
    assert "LIST" in capsys.readouterr().err


# Who is told ----------------------------------------------------------------

# GitHub's client, of which the issues are in a file.
GH = """#!{python}
import json, pathlib, sys
path = pathlib.Path({state!r})
state = json.loads(path.read_text())
state["calls"].append(sys.argv[1:])
what, do, *rest = sys.argv[1:]
if do == state.get("refuses"):
    sys.exit("refused")
options = dict(zip(rest[-2::-2], rest[:0:-2]))
issues = state["issues"]
if (what, do) == ("issue", "list"):
    asked = options["--state"], options["--label"]
    print(json.dumps([
        {{"number": int(n), "title": i["title"]}} for n, i in issues.items()
        if (i["state"], i["label"]) == asked
    ]))
elif (what, do) == ("issue", "create"):
    assert ["label", "create"] in [c[:2] for c in state["calls"]]
    issues[str(len(issues) + 1)] = {{
        "title": options["--title"], "label": options["--label"],
        "state": "open", "said": [options["--body"]],
    }}
elif (what, do) == ("issue", "comment"):
    issues[rest[0]]["said"].append(options["--body"])
elif (what, do) == ("issue", "close"):
    issues[rest[0]]["state"] = "closed"
    issues[rest[0]]["said"].append(options["--comment"])
else:
    assert (what, do) == ("label", "create"), sys.argv
path.write_text(json.dumps(state))
"""


@pytest.fixture
def scheduled(tmp_path):
    """Return what reports how checks ended, and the issues after that."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"calls": [], "issues": {}}))
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(GH.format(python=sys.executable, state=str(state)))
    gh.chmod(0o755)

    def report(run_id: int, **ended: str) -> dict:
        checks = {n: {"result": r, "outputs": {}} for n, r in ended.items()}
        done = run(
            ["make", "report"],
            PATH=f"{gh.parent}:{os.environ['PATH']}",
            CHECKS=json.dumps(checks),
            GITHUB_SERVER_URL="https://github.com",
            GITHUB_REPOSITORY="someone/atlas",
            GITHUB_RUN_ID=str(run_id),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(state.read_text())["issues"]

    report.state = state
    return report


def test_a_check_has_one_issue_from_its_failure_to_its_success(scheduled):
    assert scheduled(1, links="success", drift="success") == {}
    issues = scheduled(2, links="failure", drift="success")
    assert [i["title"] for i in issues.values()] == ["Scheduled check: links"]
    assert "someone/atlas/actions/runs/2" in issues["1"]["said"][0]
    issues = scheduled(3, links="failure", drift="failure")
    assert [i["title"] for i in issues.values()] == [
        "Scheduled check: links",
        "Scheduled check: drift",
    ]
    assert "/runs/3" in issues["1"]["said"][1]
    issues = scheduled(4, links="success", drift="failure")
    assert [i["state"] for i in issues.values()] == ["closed", "open"]
    assert "/runs/4" in issues["1"]["said"][2]
    assert len(issues["2"]["said"]) == 2
    issues = scheduled(5, links="failure", drift="success")
    assert [i["state"] for i in issues.values()] == [
        *("closed", "closed", "open"),
    ]


def test_what_ran_out_of_time_failed_and_what_was_skipped_did_not(scheduled):
    issues = scheduled(1, links="cancelled", rebuild="skipped")
    assert [i["title"] for i in issues.values()] == ["Scheduled check: links"]
    issues = scheduled(2, links="skipped", rebuild="skipped")
    assert len(issues["1"]["said"]) == 1
    assert issues["1"]["state"] == "open"


def test_an_issue_of_somebody_else_is_left_alone(scheduled):
    state = json.loads(scheduled.state.read_text())
    title = "Scheduled check: links"
    other = {"title": title, "label": "", "state": "open", "said": []}
    scheduled.state.write_text(json.dumps(state | {"issues": {"1": other}}))
    issues = scheduled(1, links="failure")
    assert issues["1"] == other
    assert issues["2"]["title"] == title
    assert scheduled(2, links="success")["1"] == other


def test_a_failure_to_report_is_a_failure(scheduled):
    state = json.loads(scheduled.state.read_text()) | {"refuses": "create"}
    scheduled.state.write_text(json.dumps(state))
    with pytest.raises(AssertionError, match="refused"):
        scheduled(1, links="failure")


# The workflows --------------------------------------------------------------

GITHUB = ROOT / ".github"
ARTIFACT = "actions/upload-artifact"
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in (GITHUB / "workflows").glob("*.yml")
}
JOBS = {
    f"{workflow} {name}": job
    for workflow, content in WORKFLOWS.items()
    for name, job in content["jobs"].items()
}


def steps(job: str, action: str) -> list[dict]:
    """Return what the steps of a job that use an action are given."""
    return [
        step.get("with", {})
        for step in JOBS[job]["steps"]
        if step.get("uses", "").startswith(f"{action}@")
    ]


def test_each_job_may_do_what_it_must_and_no_more():
    read = {"contents": "read"}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "gallery test": read,
        "gallery changed": read,
        "gallery build": read,
        "gallery attest": {"id-token": "write", "attestations": "write"},
        "gallery deploy": {"id-token": "write", "pages": "write"},
        "gallery notebooks": {"contents": "write"},
        "scheduled rebuild": read,
        "scheduled links": read,
        "scheduled drift": read,
        "scheduled report": read | {"issues": "write"},
    }
    for path in GITHUB.rglob("*.yml"):
        # The platform's own token is the only secret.
        assert "secrets" not in path.read_text()
    for name in JOBS:
        for checkout in steps(name, "actions/checkout"):
            assert checkout["persist-credentials"] is False


def test_only_a_tested_publishable_site_is_attested_then_published():
    commands = [s["run"] for s in JOBS["gallery build"]["steps"] if "run" in s]
    assert commands == ["make html", "make publishable"]
    last = JOBS["gallery build"]["steps"][-3:]
    assert all("upload" in step["uses"] for step in last)
    assert JOBS["gallery build"]["env"] == {"ATLAS_SOURCE": "cloud"}
    assert JOBS["gallery build"]["if"] == "github.event_name == 'push'"
    assert JOBS["gallery attest"]["needs"] == ["test", "build"]
    assert JOBS["gallery deploy"]["needs"] == ["test", "build", "attest"]
    assert JOBS["gallery notebooks"]["needs"] == "deploy"
    for name, job in JOBS.items():
        text = json.dumps(job)
        assert "always()" not in text
        assert "continue-on-error" not in text
        assert "||" not in text
        for cache in steps(name, "actions/cache"):
            assert cache["path"] == ".cache/atlas"
    assert WORKFLOWS["scheduled"]["concurrency"]["group"] != "pages"
    assert JOBS["gallery deploy"]["concurrency"]["cancel-in-progress"] is False


def test_a_pull_request_keeps_no_object_and_asks_no_host():
    job = JOBS["gallery changed"]
    assert job["env"] == {"ATLAS_SOURCE": "offline"}
    assert steps("gallery changed", "actions/cache") == []
    [kept] = steps("gallery build", "actions/cache")
    assert steps("gallery changed", "actions/cache/restore") == [kept]
    [site] = steps("gallery changed", "actions/upload-artifact")
    assert site["path"] == "docs/_build/html"


def test_what_a_job_needs_of_the_site_is_in_its_artifact(real, tmp_path):
    sent = {a["name"]: a for a in steps("gallery build", ARTIFACT)}
    wanted = {
        a["name"]
        for job in ("attest", "notebooks")
        for a in steps(f"gallery {job}", "actions/download-artifact")
    }
    assert wanted == set(sent)
    attested = steps("gallery attest", "actions/attest-build-provenance")
    names = [Path(p).name for p in attested[0]["subject-path"].split()]
    assert names == [Path(p).name for p in sent["records"]["path"].split()]
    assert names == ["_version.json", "SHA256SUMS"]
    # What is pushed is what was sent.
    for path in sent["notebooks"]["path"].split():
        path = path.removeprefix("docs/_build/html/")
        assert list(real.glob(path)), path


def test_updates_wait_for_a_week():
    dependabot = yaml.safe_load((GITHUB / "dependabot.yml").read_text())
    found = {u["package-ecosystem"]: u for u in dependabot["updates"]}
    assert set(found) == {"github-actions", "pip"}
    for update in found.values():
        assert update["cooldown"]["default-days"] >= 7


def test_lint_tells_that_actionlint_is_not_here(tmp_path):
    for name in ("make", "sh", "python3"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = run(["make", "-n", "lint"], PATH=str(tmp_path))
    told = run(["sh", "-c", done.stdout.splitlines()[-1]])
    assert told.returncode == 0
    assert "actionlint is not here" in told.stderr
    (tmp_path / "actionlint").symlink_to(shutil.which("true"))
    done = run(["make", "-n", "lint"], PATH=str(tmp_path))
    assert done.stdout.splitlines()[-1] == str(tmp_path / "actionlint")

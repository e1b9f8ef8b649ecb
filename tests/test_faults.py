"""What happens when something fails: each fault, and what comes of it.

Every case has one of three outcomes. It *recovers*: the right bytes come in
the end, or the result says what it leaves out. It *stops*: before a figure is
drawn, with a message that names the object and the way out, and nothing of
what went wrong is ever read later. Or it is *unknowable*: what was published
is wrong but possible, and there is nothing to compare it with.

What the cases find is compared with ``docs/_data/faults.json``, from which a
page of the site is made; only ``make faults`` writes that file, so that tests
leave no trace in the repository. Its dates and versions are not compared, nor
does it hold digests, ports or folders: it is the same wherever it is made.

Hosts are on 127.0.0.1. The times are limits against hanging, in seconds, and
no promise of speed.
"""

import contextlib
import datetime
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import atlas_launch
import atlas_store
import damage
import matplotlib
import origin as host
import pytest
from atlas_store import (
    Cloud,
    Folder,
    Limits,
    Refused,
    StandIn,
    address,
    sha256,
    start,
)
from bs4 import BeautifulSoup
from conftest import ENVIRONMENT, ROOT, steady
from folders import list_objects, objects_in, passes_sha256sum, write_folder
from origin import LOGIN, PIN, RIGHT, WRONG, nowhere
from test_build import PROGRAM, House

RECORD = ROOT / "docs" / "_data" / "faults.json"
VERSIONS = ("pooch", "requests", "s3fs", "sphinx-gallery", "zarr")
RECOVERS, STOPS, UNKNOWABLE = "recovers", "stops", "unknowable"
# A fetch of these tests gives up before, and so does a program that reads.
LIMITS = Limits(
    connect=1, read=1, total=3, tries=4, backoff=0.01, max_bytes=10_000
)
FETCH_S, PROGRAM_S = 10, 120
KEY = "s3/brainglobe/atlas/an/array/c/0/0"
FILE = "gin.g-node.org/BrainGlobe/table.csv"
# What is to be found, and what was: (where, fault), in order.
EXPECTED: list[tuple[str, str]] = []
FOUND: dict[tuple[str, str], dict] = {}


def table(where: str, cases: dict):
    """Test each case of a table, under its name."""
    EXPECTED.extend((where, fault) for fault in cases)
    marked = [
        pytest.param(name, case, id=name) for name, case in cases.items()
    ]
    return pytest.mark.parametrize(("fault", "case"), marked)


def shorten(message: str) -> str:
    """Leave out of a message what is long, or differs between machines."""
    message = re.sub(r"http://[\w.:]+/", "https://", message)
    message = message.replace("https://s3/", "s3://")
    message = re.sub(r"(\S+) cannot be fetched: \1: ", r"\1: ", message)
    message = re.sub(r" \(asked \d+ times?\)", "", message)
    message = re.sub(r"(?:only \d+|\d{6,}) (bytes|more)", r"… \1", message)
    message = re.sub(r".* operation: |\[Errno -?\d+\] ", "", message)
    name = r"[^\s/]+(?:\.csv|\.zip|\.ome\.zarr/\S+)"
    message = re.sub(rf"(s3|https)://\S+/({name})", r"\1://…/\2", message)
    return re.sub(r"[0-9a-f]{32,}", "…", message)


def note(where, fault, done_to, outcome, message, within_s) -> None:
    """Keep what a case found, for the record."""
    FOUND[where, fault] = {
        "where": where,
        "fault": fault,
        "done_to": done_to,
        "outcome": outcome,
        "message": shorten(message),
        "within_s": within_s,
    }


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


# The network ---------------------------------------------------------------

NO_BUCKET = host.status(404, b"<Error><Code>NoSuchBucket</Code></Error>")
MOVED = host.status(302, Location="/login")


class Answer(NamedTuple):
    """How a host answers, to whom, and what must come of it.

    The last behaviour stays, unless the case recovers: then the right answer
    follows. ``says`` is in the message; of a case that recovers, it is how
    often the host was asked. A ``place`` stands for a host that is not there.
    """

    outcome: str
    says: str
    behaviours: list[Callable] = ()
    name: str = KEY
    pinned: bool = False
    place: Callable[[str], str] | None = None


NETWORK = {
    "404 of a host": Answer(STOPS, "status 404", [host.status(404)], FILE),
    "404: no such bucket": Answer(STOPS, "status 404", [NO_BUCKET]),
    "404 of a pinned file": Answer(
        STOPS, "status 404", [host.status(404, host.NO_SUCH_KEY)], FILE, True
    ),
    "403": Answer(STOPS, "status 403", [host.status(403)]),
    "500 twice, then good": Answer(RECOVERS, "3", [host.status(500)] * 2),
    "500 for ever": Answer(STOPS, "status 500", [host.status(500)]),
    "503 twice, then good": Answer(RECOVERS, "3", [host.status(503)] * 2),
    "503 for ever": Answer(STOPS, "status 503", [host.status(503)], FILE),
    "429, come back in 1 s": Answer(
        RECOVERS, "2", [host.status(429, Retry_After=1)]
    ),
    "429, come back after the limit": Answer(
        STOPS, "status 429", [host.status(429, Retry_After=20)]
    ),
    "redirect to a login page": Answer(STOPS, "status 302", [MOVED], FILE),
    "redirect of a bucket": Answer(
        STOPS, "status 302", [host.status(302, Location="/right")]
    ),
    "redirect of a pinned file to a login page": Answer(
        STOPS, PIN, [MOVED], FILE, True
    ),
    "login page in place of a chunk": Answer(STOPS, "no ETag", [LOGIN]),
    "redirect loop": Answer(
        STOPS,
        "Exceeded 5 redirects",
        [host.status(302, Location=f"/{FILE}")],
        FILE,
        True,
    ),
    "truncated": Answer(RECOVERS, "2", [host.truncated(RIGHT)]),
    "truncated thrice": Answer(RECOVERS, "4", [host.truncated(RIGHT)] * 3),
    "truncated for ever": Answer(
        STOPS, "breaks off", [host.truncated(RIGHT)]
    ),
    "truncated for ever, pinned": Answer(
        STOPS, "breaks off", [host.truncated(RIGHT)], FILE, True
    ),
    "hangs before the headers": Answer(RECOVERS, "2", [host.hang]),
    "hangs before the headers, for ever": Answer(
        STOPS, "timed out", [host.hang]
    ),
    "hangs midway": Answer(RECOVERS, "2", [host.hang_midway(RIGHT)]),
    "hangs midway, for ever": Answer(
        STOPS, "timed out", [host.hang_midway(RIGHT)]
    ),
    "drips, a byte at a time": Answer(
        STOPS, "bytes came in 3 s", [host.drip(RIGHT, 0.2)]
    ),
    "announces too much": Answer(
        STOPS,
        "larger than 10000",
        [host.status(200, Content_Length=10_001)],
        FILE,
        True,
    ),
    "sends too much": Answer(
        STOPS,
        "larger than 10000",
        [host.good(bytes(20_000), Content_Length=None)],
        FILE,
        True,
    ),
    "wrong bytes, pinned": Answer(
        STOPS, sha256(WRONG), [host.good(WRONG)], FILE, True
    ),
    "wrong bytes once": Answer(
        RECOVERS, "2", [host.good(WRONG, ETag=f'"{"0" * 32}"')]
    ),
    "wrong bytes for ever": Answer(
        STOPS, "do not match", [host.good(WRONG, ETag=f'"{"0" * 32}"')]
    ),
    "no length and no digest": Answer(
        STOPS,
        "neither length nor digest",
        [host.good(RIGHT, Content_Length=None, ETag=None)],
        FILE,
    ),
    "no length, digest of parts": Answer(
        STOPS,
        "neither length nor digest",
        [host.good(RIGHT, Content_Length=None, ETag='"ab-2"')],
    ),
    "connection reset": Answer(RECOVERS, "2", [host.reset]),
    "connection reset for ever": Answer(STOPS, "reset", [host.reset]),
    "connection refused": Answer(
        STOPS, "refuses the connection", place=nowhere
    ),
    "name not found": Answer(
        STOPS, "not found", place="http://nowhere.invalid/{}".format
    ),
}  # fmt: skip


@table("network", NETWORK)
def test_a_host_fails(origin, cache, fault, case):
    recovers = case.outcome == RECOVERS
    if case.behaviours:
        last = [host.good(RIGHT)] if recovers else []
        origin.at[case.name] = host.in_turn(*case.behaviours, *last)
    cloud = Cloud(cache, case.place or origin.url, LIMITS)
    pin = PIN if case.pinned else None
    fetch = start(cloud.read, case.name, pin)
    if recovers:
        assert fetch.result(timeout=FETCH_S) == RIGHT
        assert str(origin.asked[case.name]) == case.says
        message = f"It is asked {case.says} times."
    else:
        with pytest.raises(Refused) as refusal:
            fetch.result(timeout=FETCH_S)
        message = str(refusal.value)
        for part in (address(case.name), case.says, cloud.way_out):
            assert part in message
        assert objects_in(cache) == set()
        with pytest.raises(Refused):
            Cloud(cache, nowhere, LIMITS).read(case.name)
    assert_good_later(origin, cache, case.name, pin)
    done_to = {KEY: "a chunk", FILE: "a table"}[case.name]
    done_to += ", pinned" if case.pinned else ""
    note("network", fault, done_to, case.outcome, message, FETCH_S)


def assert_good_later(origin, cache, name=KEY, pin=None) -> None:
    """Check that a host that is well again gives the right bytes."""
    origin.at[name] = host.good(RIGHT)
    assert Cloud(cache, origin.url, LIMITS).read(name, pin) == RIGHT
    assert objects_in(cache) == {name}
    assert passes_sha256sum(cache)


# The reader's disk ---------------------------------------------------------

READ_ALL = """
import sys
from atlas_store import Cloud, Limits, sha256
root, hosts, *names = sys.argv[1:]
limits = Limits(backoff=0.01)
cloud = Cloud(root, lambda name: f"{hosts}/{name}", limits)
print(*[sha256(cloud.read(name)) for name in names])
"""
# A limit on the size of files stops a write half-way, as a full disk does.
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
"""
# Each `fsync` ends a file: the object first, the record of it second.
KILLED = """
import os, signal
syncs = iter(range({n}))
os.fsync = lambda file: next(syncs, None) is None and os.kill(
    os.getpid(), signal.SIGKILL)
"""
# Root may write anywhere; not without the capability to override permissions.
BOUND = ["setpriv", "--bounding-set", "-dac_override"]


def reader(origin, cache, *names, before="", within=()) -> subprocess.Popen:
    """Start a process that reads objects into a cache."""
    command = [*within, sys.executable, "-c", before + READ_ALL]
    return subprocess.Popen(
        [*command, cache, origin.root, *names],
        env=ENVIRONMENT
        | {"PYTHONPATH": str(Path(atlas_store.__file__).parent)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def refusal_of(process: subprocess.Popen) -> str:
    """Return the last line that a process prints before it fails."""
    out, err = process.communicate(timeout=FETCH_S)
    assert (out, process.returncode) == ("", 1), err
    return err.splitlines()[-1].removeprefix("atlas_store.Refused: ")


def fill_disk(origin, cache) -> str:
    """Let a file be cut off while it is written."""
    return refusal_of(reader(origin, cache, KEY, before=FULL))


def forbid_writing(origin, cache) -> str:
    """Let nobody write in the cache."""
    cache.mkdir()
    cache.chmod(0o555)
    as_reader = BOUND if os.geteuid() == 0 else []
    try:
        return refusal_of(reader(origin, cache, KEY, within=as_reader))
    finally:
        cache.chmod(0o755)


def forbid_writing_what_is_held(origin, cache) -> str:
    """Let nobody write in a cache that holds the object already."""
    Cloud(cache, origin.url, LIMITS).read(KEY)
    origin.at.clear()
    cache.chmod(0o555)
    as_reader = BOUND if os.geteuid() == 0 else []
    out, err = reader(origin, cache, KEY, within=as_reader).communicate()
    cache.chmod(0o755)
    assert out == f"{sha256(RIGHT)}\n", err
    return "It is read from there."


def put_a_file_there(origin, cache) -> str:
    """Let the cache be a file."""
    cache.write_text("")
    message = refusal_of(reader(origin, cache, KEY))
    cache.unlink()
    return message


def kill_while_writing(n: int) -> Callable:
    """Kill the process while it writes its n-th file."""

    def fault(origin, cache) -> str:
        killed = reader(origin, cache, KEY, before=KILLED.format(n=n))
        killed.communicate(timeout=FETCH_S)
        assert killed.returncode == -signal.SIGKILL
        assert ".partial" in objects_in(cache)
        with pytest.raises(Refused):
            Cloud(cache, nowhere, LIMITS).read(KEY)
        return "What it left is never read; the object is fetched again."

    return fault


def kill_while_fetching(origin, cache) -> str:
    """Kill the process while half of the object has come."""
    origin.at[KEY] = host.hang_midway(RIGHT)
    killed = reader(origin, cache, KEY)
    while not origin.asked[KEY]:
        time.sleep(0.01)
    killed.kill()
    killed.communicate(timeout=FETCH_S)
    assert objects_in(cache) == set()
    return "Nothing is left; the object is fetched again."


def let_six_read(origin, cache) -> str:
    """Let six processes fetch one object and one of their own at once."""
    shared = [f"s3/b/{n}" for n in range(8)]
    own = [f"s3/b/own/{n}" for n in range(6)]
    for name in shared + own:
        origin.at[name] = host.late(name.encode(), 0.05)
    apart = cache.with_name("shared")
    readers = {name: reader(origin, apart, *shared, name) for name in own}
    for name, process in readers.items():
        read = [sha256(n.encode()) for n in (*shared, name)]
        printed = process.communicate(timeout=6 * FETCH_S)
        assert printed == (" ".join(read) + "\n", "")
    lines = (apart / "SHA256SUMS").read_text().splitlines()
    assert sorted(s.split()[1] for s in lines) == sorted(shared + own)
    assert passes_sha256sum(apart)
    return "Each gets every object whole, and the records agree."


class OnDisk(NamedTuple):
    """What happens to a cache, and what must come of it."""

    outcome: str
    says: tuple[str, ...]
    happen: Callable[[host.Origin, Path], str]


DISK = {
    "disk full": OnDisk(STOPS, ("File too large", "room"), fill_disk),
    "read-only": OnDisk(STOPS, ("Permission denied",), forbid_writing),
    "read-only, but it holds the object": OnDisk(
        RECOVERS, (), forbid_writing_what_is_held
    ),
    "a file in its place": OnDisk(STOPS, ("File exists",), put_a_file_there),
    "killed while fetching": OnDisk(RECOVERS, (), kill_while_fetching),
    "killed while writing the object": OnDisk(
        RECOVERS, (), kill_while_writing(0)
    ),
    "killed while writing its record": OnDisk(
        RECOVERS, (), kill_while_writing(1)
    ),
    "six processes at once": OnDisk(RECOVERS, (), let_six_read),
}


@table("disk", DISK)
def test_a_cache_fails(origin, cache, fault, case):
    origin.at[KEY] = host.good(RIGHT)
    message = case.happen(origin, cache)
    if case.outcome == STOPS:
        for part in (address(KEY), str(cache), "ATLAS_CACHE", *case.says):
            assert part in message
        assert not cache.exists() or KEY not in objects_in(cache)
    assert_good_later(origin, cache)
    message = message.replace(str(cache), "the folder")
    note("disk", fault, "the cache", case.outcome, message, FETCH_S)


# The data, read by the pages -----------------------------------------------

LAUNCH = [sys.executable, atlas_launch.__file__]
WALK, MEASURE = "structures/walk_hierarchy", "volumes/measure_structures"
SLICE, EXPLORE = "cloud/read_slice", "explore_atlas"


class Ran(NamedTuple):
    """What a program did: its status, what it printed, figures' digests."""

    status: int
    printed: str
    error: str
    figures: list[str]

    @property
    def message(self) -> str:
        """Return the last error that names an object, or else the last.

        s3fs may complain, after it, of reads that it did not wait for.
        """
        errors = re.findall(r"(?m)^[\w.]+Error: (.*)$", self.error)
        return ([e for e in errors if "://" in e] or errors)[-1]

    @property
    def stopped(self) -> bool:
        """Tell whether it failed by itself before it showed a figure."""
        return self.status == 1 and not self.figures


def run_page(command: list, cwd: Path, **variables) -> Ran:
    """Run a program that leaves its figures in a folder of its own."""
    cwd.mkdir()
    drawing = {
        "MPLBACKEND": "module://drawing",
        "MPLCONFIGDIR": matplotlib.get_configdir(),
        "PYTHONPATH": str(ROOT / "tests"),
    }
    # `timeout` ends the children too; its own status is 124.
    done = subprocess.run(
        ["timeout", str(PROGRAM_S), *command],
        cwd=cwd,
        env=ENVIRONMENT | drawing | variables,
        capture_output=True,
        text=True,
    )
    figures = [sha256(p.read_bytes()) for p in sorted(cwd.iterdir())]
    return Ran(done.returncode, steady(done.stdout), done.stderr, figures)


def run_from(mirror: Path, page: str, cwd: Path) -> Ran:
    """Run a page of the site as every make target does."""
    program = [sys.executable, ROOT / "examples" / f"{page}.py"]
    return run_page([*LAUNCH, *program], cwd, ATLAS_SOURCE=str(mirror))


@pytest.fixture(scope="session")
def intact(tmp_path_factory) -> Path:
    """Return a mirror of what these pages read, taken from the stand-in."""
    standin = StandIn(atlas_launch.STANDIN)
    levels = [f"{damage.ANNOTATION}/s{n}" for n in range(4)]
    slabs = [f"{levels[n]}/c/{i}/0/0" for n, i in damage.SLABS]
    single = [damage.TABLE, damage.ARCHIVE, damage.TERMINOLOGY]
    described = [
        f"{place}/zarr.json" for place in (damage.ANNOTATION, *levels)
    ]
    for name in (*single, *described, *slabs):
        with contextlib.suppress(atlas_store.Absent):
            standin.read(name)
    whole = [f"{levels[1]}/c/", f"{levels[3]}/c/"]
    names = [n for n in standin.sums if n.startswith(tuple(whole))]
    objects = {n: standin.read(n) for n in (*single, *described, *names)}
    folder = tmp_path_factory.mktemp("intact")
    return write_folder(folder, objects, complete=whole)


@pytest.fixture(scope="session")
def as_it_should(intact, tmp_path_factory) -> Callable[[str], Ran]:
    """Return a function that runs a page on what is not damaged, once."""
    ran = {}

    def run(page: str) -> Ran:
        if page not in ran:
            cwd = tmp_path_factory.mktemp("intact-run") / "cwd"
            ran[page] = run_from(intact, page, cwd)
            assert (ran[page].status, len(ran[page].figures)) == (0, 1)
        return ran[page]

    return run


class Damage(NamedTuple):
    """What is done to an object, and who reads it.

    A copy that is damaged always stops the page. The outcome is that of data
    which were published so; ``says`` is then in the error or is printed, or
    is why nothing can tell.
    """

    name: str
    do: Callable[[Path], None]
    page: str
    outcome: str
    says: tuple[str, ...] = ()


CHUNK, LEVEL = damage.CHUNK, f"{damage.LEVEL}/zarr.json"
IMAGE, TERMS = f"{damage.ANNOTATION}/zarr.json", damage.TERMINOLOGY
DATA = {
    "chunk deleted": Damage(
        CHUNK, damage.delete(CHUNK), MEASURE, UNKNOWABLE,
        ("A chunk that is not stored means background.",),
    ),
    "chunk truncated": Damage(
        CHUNK, damage.truncate(CHUNK), SLICE, STOPS, ("cut short",)
    ),
    "chunk bit-flipped": Damage(
        CHUNK, damage.flip_unseen, MEASURE, UNKNOWABLE,
        ("zstd refuses most flips; this one unpacks to other labels.",),
    ),
    "chunk zeroed": Damage(
        CHUNK, damage.zero(CHUNK), SLICE, STOPS, ("not packed",)
    ),
    "chunks swapped": Damage(CHUNK, damage.swap, SLICE, UNKNOWABLE,
        ("Both are whole, and of the right size.",),
    ),
    "separator edited": Damage(
        LEVEL, damage.edit(damage.separator), SLICE, STOPS, ('"."',)
    ),
    "endianness edited": Damage(
        LEVEL, damage.edit(damage.endianness), SLICE, STOPS, ("big end",)
    ),
    "fill value edited": Damage(
        LEVEL, damage.edit(damage.fill_value), MEASURE, STOPS, ("315, not 0",)
    ),
    "dtype edited": Damage(
        LEVEL, damage.edit(damage.dtype), MEASURE, STOPS, ("float32",)
    ),
    "shape edited": Damage(
        IMAGE,
        damage.edit(damage.shape),
        MEASURE,
        STOPS,
        ("13.2 long at s0, but 10 at s1",),
    ),
    "huge shape declared": Damage(
        LEVEL, damage.huge, SLICE, STOPS, ("it declares",)
    ),
    "scale of one level edited": Damage(
        IMAGE,
        damage.scale(2, "s1"),
        MEASURE,
        STOPS,
        ("13.2 long at s0, but 26.4 at s1",),
    ),
    "scale of all levels edited": Damage(
        IMAGE, damage.scale(1.25), MEASURE, UNKNOWABLE,
        ("The levels agree with each other.",),
    ),
    "duplicate id": Damage(
        TERMS,
        damage.rows(TERMS, damage.duplicate),
        WALK,
        STOPS,
        ("two rows have the id",),
    ),
    "duplicate id in the table of the first page": Damage(
        damage.TABLE,
        damage.rows(damage.TABLE, damage.duplicate),
        EXPLORE,
        STOPS,
        ("two rows have the id",),
    ),
    "missing parent": Damage(
        TERMS,
        damage.rows(TERMS, damage.orphan),
        WALK,
        STOPS,
        ("the parent 254 of", "has no row"),
    ),
    "cycle": Damage(
        TERMS,
        damage.rows(TERMS, damage.circle),
        WALK,
        STOPS,
        ("is above itself",),
    ),
    "label without a row": Damage(
        TERMS,
        damage.rows(TERMS, damage.unnamed),
        MEASURE,
        RECOVERS,
        ("Ids without a row: [672]",),
    ),
    "zip with an escaping member": Damage(
        damage.ARCHIVE, damage.escape, EXPLORE, STOPS, ("leave its folder",)
    ),
    "zip bomb": Damage(
        damage.ARCHIVE, damage.bomb, EXPLORE, STOPS, ("it unpacks to",)
    ),
}  # fmt: skip
OBJECTS = {
    CHUNK: "a chunk of the annotation",
    LEVEL: "the metadata of a level",
    IMAGE: "the metadata of the annotation",
    TERMS: "the table of structures",
    damage.TABLE: "the table of the first page",
    damage.ARCHIVE: "the archive of the first page",
}


@pytest.fixture
def mirror(intact, tmp_path) -> Path:
    """Return a copy to damage."""
    return shutil.copytree(intact, tmp_path / "mirror")


@table("copy", DATA)
def test_a_copy_is_damaged(mirror, tmp_path, fault, case):
    case.do(mirror)
    ran = run_from(mirror, case.page, tmp_path / "cwd")
    assert ran.stopped, ran.error
    place = address(case.name.rpartition("/")[0])
    for part in (place, "is damaged in the mirror", Folder.way_out):
        assert part in ran.message
    note("copy", fault, OBJECTS[case.name], STOPS, ran.message, PROGRAM_S)


@table("published", DATA)
def test_it_was_published_so(mirror, as_it_should, tmp_path, fault, case):
    case.do(mirror)
    list_objects(mirror)
    ran = run_from(mirror, case.page, tmp_path / "cwd")
    if case.outcome == STOPS:
        assert ran.stopped, ran.error
        message = ran.message
        for part in (address(case.name), *case.says, "tell its publisher"):
            assert part in message
    else:
        right = as_it_should(case.page)
        assert (ran.status, len(ran.figures)) == (0, 1), ran.error
        assert (ran.printed, ran.figures) != (right.printed, right.figures)
        if case.outcome == RECOVERS:
            assert set(case.says) <= set(ran.printed.splitlines())
        message = " ".join(case.says)
    done_to = OBJECTS[case.name]
    note("published", fault, done_to, case.outcome, message, PROGRAM_S)


# Pages by themselves, without the launcher ----------------------------------

# The hosts are ours; all else, as pooch and its cache, is the reader's own.
ALONE = """
import os, runpy, sys, requests
ask = requests.Session.request
requests.Session.request = lambda self, method, url, **more: ask(
    self, method, url.replace("https:/", os.environ["HOSTS"]), **more)
runpy.run_path(sys.argv[1])
"""
MISMATCH = "does not match the known hash"


def run_alone(origin, program: Path, folder: Path, cwd: str) -> Ran:
    """Run a program whose files are kept below a folder."""
    command = [sys.executable, "-c", ALONE, program]
    own = {"HOSTS": origin.root, "XDG_CACHE_HOME": str(folder)}
    return run_page(command, folder / cwd, **own)


class Download(NamedTuple):
    """How the host gives the archive, and what pooch says of it."""

    behaviour: Callable[[Path], Callable]
    says: str


def given(do: Callable[[Path], None]):
    """Give the archive as it is after some damage."""

    def behaviour(mirror: Path) -> Callable:
        do(mirror)
        return host.good((mirror / damage.ARCHIVE).read_bytes())

    return behaviour


ARCHIVES = {
    "bit-flipped": Download(given(damage.flip(damage.ARCHIVE)), MISMATCH),
    "truncated": Download(
        lambda mirror: host.truncated((mirror / damage.ARCHIVE).read_bytes()),
        "IncompleteRead",
    ),
    "login page": Download(lambda mirror: LOGIN, MISMATCH),
    "with an escaping member": Download(given(damage.escape), MISMATCH),
    "zip bomb": Download(given(damage.bomb), MISMATCH),
}


@table("alone", ARCHIVES)
def test_the_pin_refuses_an_archive(origin, mirror, tmp_path, fault, case):
    program = tmp_path / "page.py"
    text = (ROOT / "examples" / f"{EXPLORE}.py").read_text()
    # The page pins the real files; here the stand-in's are the right ones.
    pins = iter(re.findall("sha256:([0-9a-f]{64})", text))
    for name in damage.TABLE, damage.ARCHIVE:
        content = (mirror / name).read_bytes()
        text = text.replace(next(pins), sha256(content))
        origin.at[name] = host.good(content)
    program.write_text(text)
    right = origin.at[damage.ARCHIVE]
    origin.at[damage.ARCHIVE] = case.behaviour(mirror)
    ran = run_alone(origin, program, tmp_path, "first")
    assert ran.stopped, ran.error
    assert case.says in ran.message
    assert address(damage.ARCHIVE) in ran.error
    [kept] = (tmp_path / "brainglobe_atlases").iterdir()
    assert kept.name.endswith("structures.csv")
    assert not list(tmp_path.rglob("escaped"))
    origin.at[damage.ARCHIVE] = right
    again = run_alone(origin, program, tmp_path, "again")
    assert (again.status, len(again.figures)) == (0, 1), again.error
    done_to = OBJECTS[damage.ARCHIVE]
    note("alone", fault, done_to, STOPS, ran.message, PROGRAM_S)


WEB = "brainglobe.s3.us-west-2.amazonaws.com"
HIERARCHIES = {"missing parent": damage.orphan, "cycle": damage.circle}


@table("alone", HIERARCHIES)
def test_the_page_on_hierarchies_stops(origin, mirror, tmp_path, fault, case):
    damage.rows(TERMS, case)(mirror)
    name = TERMS.replace("s3/brainglobe", WEB)
    origin.at[name] = host.good((mirror / TERMS).read_bytes())
    program = ROOT / "examples" / f"{WALK}.py"
    ran = run_alone(origin, program, tmp_path, "cwd")
    assert ran.stopped, ran.error
    assert "rows of the table are out of the root's reach" in ran.message
    note("alone", fault, OBJECTS[TERMS], STOPS, ran.message, PROGRAM_S)


# The build -----------------------------------------------------------------

BUILD = {"object damaged": FILE}


@table("build", BUILD)
def test_the_build_stops(tmp_path, fault, case):
    house = House(tmp_path / "house")
    read = f'import pooch\npooch.retrieve("{address(case)}", None)\n'
    house.example.write_text(PROGRAM.replace("fig, ax", f"{read}fig, ax"))
    mirror = write_folder(tmp_path / "mirror", {case: RIGHT})
    (mirror / case).write_bytes(WRONG)
    sphinx = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going"]
    built = subprocess.run(
        ["timeout", str(PROGRAM_S), *LAUNCH, *sphinx, "docs", "html"],
        cwd=house.root,
        env=ENVIRONMENT | {"ATLAS_SOURCE": str(mirror)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 2, built.stderr
    for part in (address(case), "is damaged", Folder.way_out, "draw_line"):
        assert part in built.stderr
    images = house.root / "docs/aws_examples/images"
    assert not list(images.glob("sphx_glr_draw_line_*"))
    [message] = set(re.findall(rf"{address(case)} is damaged.*", built.stderr))
    note("build", fault, "a table that a page reads", STOPS, message,
         PROGRAM_S)  # fmt: skip
    assert not house.page().exists()


# The record ----------------------------------------------------------------


def test_the_record_is_what_was_found(request):
    """Compare the cases that ran, or write the record of all of them."""
    found = {key: FOUND[key] for key in EXPECTED if key in FOUND}
    if request.config.getoption("--write-faults"):
        assert list(found) == EXPECTED, "a case is missing or failed"
        record = {
            "date": datetime.date.today().isoformat(),
            "versions": {n: importlib.metadata.version(n) for n in VERSIONS},
            "faults": list(found.values()),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False)
        RECORD.write_text(f"{text}\n", encoding="utf-8")
    kept = json.loads(RECORD.read_text(encoding="utf-8"))["faults"]
    recorded = {(row["where"], row["fault"]): row for row in kept}
    assert list(recorded) == EXPECTED, "renew it with `make faults`"
    for key, row in found.items():
        assert row == recorded[key], "renew it with `make faults`"


def test_the_page_shows_every_fault(tmp_path):
    docs = ROOT / "docs"
    shutil.copytree(docs / "_data", tmp_path / "_data")
    shutil.copy(docs / "faults.rst", tmp_path / "index.rst")
    (tmp_path / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(docs / '_ext')!r})\n"
        "extensions = ['gallery_faults']\n"
    )
    sphinx = [sys.executable, "-m", "sphinx", "-q", tmp_path, tmp_path / "out"]
    subprocess.run(sphinx, check=True, capture_output=True)
    html = (tmp_path / "out" / "index.html").read_text()
    page = BeautifulSoup(html, "html.parser")
    shown = [
        [cell.get_text() for cell in row.select("td")]
        for row in page.select("table.atlas-faults tbody tr")
    ]
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    columns = ("fault", "done_to", "outcome", "message")
    assert shown == [
        [fault[name] for name in columns] for fault in record["faults"]
    ]
    assert record["date"] in page.get_text()

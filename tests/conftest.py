"""What tests share: the rooms of the house, and the built site."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import atlas_launch
import atlas_standin
import origin as host
import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
ANSWERS = ROOT / "docs" / "_data" / "answers.json"
STANDIN = atlas_launch.STANDIN / atlas_standin.VERSION
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
each_example = pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda path: path.stem
)
# What the tests were asked to read from; a directory is named in full, so
# that it means the same wherever a test runs a program.
SOURCE = os.environ.get("ATLAS_SOURCE") or "auto"
WORDS = ("auto", "cloud", "offline", "standin")
if SOURCE not in WORDS:
    SOURCE = str(Path(SOURCE).resolve())


# `make test` would make a make that it calls tell of its directories. And no
# site knows its address, wherever the tests run, but one that is told.
ENVIRONMENT = {n: v for n, v in os.environ.items() if "MAKE" not in n}
ENVIRONMENT |= {"SITE_URL": ""}
_printed: dict[tuple[Path, str], str] = {}


def run(
    command: list, source: str = SOURCE, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess:
    """Run a command that reads from one source; return what it printed."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=ENVIRONMENT | {"ATLAS_SOURCE": source} | variables,
        capture_output=True,
        text=True,
    )


def run_example(example: Path, source: str, cwd: Path) -> str:
    """Return what an example prints; one run serves all tests of a source."""
    if source not in ("standin", SOURCE):
        return run_afresh(example, source, cwd)
    if (example, source) not in _printed:
        _printed[example, source] = run_afresh(example, source, cwd)
    return _printed[example, source]


def run_afresh(example: Path, source: str, cwd: Path) -> str:
    """Run an example in a fresh interpreter; a warning is an error."""
    launch = [sys.executable, ROOT / "docs/_ext/atlas_launch.py", "--example"]
    done = run(
        [*launch, example.relative_to(ROOT), sys.executable, example],
        source,
        cwd,
        PYTHONWARNINGS="error",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def steady(printed: str) -> str:
    """Leave out the lines that say how long something took."""
    lines = printed.splitlines(keepends=True)
    return "".join(s for s in lines if not s.startswith("measured"))


@pytest.fixture
def origin() -> Iterator[host.Origin]:
    """Give a host with the right bytes and a login page."""
    with host.Origin() as server:
        server.at["login"] = host.LOGIN
        server.at["right"] = host.good(host.RIGHT)
        yield server


@pytest.fixture
def agree(request, record_property) -> Callable[..., None]:
    """Return what holds a number of a page against another route to it.

    What agrees on a mirror is noted, and shown by ``docs/how-we-know.rst``.
    """
    is_real = SOURCE not in WORDS
    is_real = is_real and "standin" not in request.node.name

    def hold(page, what, shown, other, unit, by, tolerance=0.0) -> None:
        # As a page prints it, with commas.
        shown, other = (float(str(n).replace(",", "")) for n in (shown, other))
        assert abs(shown - other) <= tolerance, f"{page}, {what}"
        if is_real:
            row = {
                "page": page,
                "what": what,
                "shown": float(f"{shown:.9g}"),
                "other": float(f"{other:.9g}"),
                "unit": unit,
                "tolerance": float(f"{tolerance:.2g}"),
                "by": by,
                "test": request.node.nodeid.partition("[")[0],
            }
            record_property("answer", row)

    return hold


def pytest_terminal_summary(terminalreporter) -> None:
    """Note every answer that agreed; what was not asked now stays noted."""
    rows = [
        row
        for report in terminalreporter.getreports("passed")
        for name, row in getattr(report, "user_properties", ())
        if name == "answer"
    ]
    noted = json.loads(ANSWERS.read_text())
    known = {(row["page"], row["what"]): row for row in [*noted, *rows]}
    if [*known.values()] != noted:
        rows = [known[key] for key in sorted(known)]
        ANSWERS.write_text(json.dumps(rows, indent=1, ensure_ascii=False))
        ANSWERS.open("a").write("\n")


def pytest_addoption(parser):
    """Let `make faults` write what the tests of faults find."""
    parser.addoption("--write-faults", action="store_true")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let no test be skipped in CI, but for want of a mirror."""
    report = yield
    if report.skipped and "no mirror" not in str(report.longrepr):
        report.outcome = "failed" if os.environ.get("CI") else "skipped"
    return report


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Return the mirror that the tests are run with."""
    if SOURCE in WORDS:
        pytest.skip("no mirror: run with ATLAS_SOURCE=path/to/mirror")
    return Path(SOURCE)


@pytest.fixture(params=["standin" if SOURCE in WORDS else "mirror"])
def source(request) -> tuple[str, Path]:
    """Return the source to read from, and the folder of its objects.

    With a mirror it is that; without one, as in CI's second run, the stand-in.
    """
    if request.param == "standin":
        return "standin", STANDIN
    root = request.getfixturevalue("mirror")
    return str(root), root


@contextmanager
def alone() -> Iterator[None]:
    """Let one of the processes that share the tests build at a time."""
    with open(ROOT / "Makefile") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def site(testrun_uid) -> Path:
    """Return the site, as `make html` builds it.

    Once in a run: while one process looks at pages, no other writes them.
    """
    stamp = ROOT / "docs" / "_build" / "tested"
    with alone():
        if not stamp.exists() or stamp.read_text() != testrun_uid:
            built = run(["make", "html"])
            assert built.returncode == 0, built.stdout + built.stderr
            stamp.write_text(testrun_uid)
    return ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="module")
def browser():
    """Return a real Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        pytest.skip("no Chromium: install the package chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox"]
        )


@pytest.fixture(scope="session")
def published(site, tmp_path_factory) -> Path:
    """Return the same site, built as one that knows its address."""
    folder = tmp_path_factory.mktemp("published") / "gallery"
    launch = [sys.executable, "docs/_ext/atlas_launch.py", sys.executable]
    sphinx = ["-m", "sphinx", "-q", "-n", "-W", "-d", f"{folder}.doctrees"]
    with alone():
        built = run(
            [*launch, *sphinx, "docs", folder],
            SITE_URL="https://atlas.example/gallery",
            GITHUB_REPOSITORY="someone/atlas",
        )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class AsPagesDo(SimpleHTTPRequestHandler):
    """Answer with the site's own page what is not found."""

    def send_error(self, code, *rest) -> None:
        """Send 404.html of the site, which is the first folder."""
        site = self.path.split("/")[1]
        content = Path(self.directory, site, "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve what is in a folder; yield the address."""
    handler = partial(AsPagesDo, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

"""The launcher leads unchanged programs, and all that they start, aside."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import atlas_launch
import numpy as np
import origin as host
import pytest
import zarr
from atlas_store import Folder, sha256
from conftest import ROOT, run
from folders import (
    flip_bit,
    list_objects,
    objects_in,
    passes_sha256sum,
    write_folder,
)

LAUNCHER = [sys.executable, atlas_launch.__file__]
TINY = np.arange(64, dtype="u2").reshape(8, 8)
TINY[4:, 4:] = 0  # This chunk is background, and zarr writes none of it.
CSV = "gin.g-node.org/data/table.csv"
READ_ZARR = """
import zarr
array = zarr.open_array("s3://brainglobe/tiny.zarr", mode="r", zarr_format=3,
                        storage_options={"anon": True})
print(int(array[:].sum()))
"""
READ_POOCH = f"""
import pathlib, pooch
print(pathlib.Path(pooch.retrieve("https://{CSV}", None)).read_text())
"""
CHUNK = "s3/brainglobe/tiny.zarr/c/0/1"


@pytest.fixture
def mirror(tmp_path):
    """Return a mirror of a small array and a table."""
    array = tmp_path / "mirror" / "s3" / "brainglobe" / "tiny.zarr"
    zarr.create_array(array, data=TINY, chunks=(4, 4))
    complete = ["s3/brainglobe/tiny.zarr/"]
    return write_folder(tmp_path / "mirror", {CSV: b"1,2"}, complete)


def launch(source, *command, **variables) -> subprocess.CompletedProcess:
    """Run a command, or a program's text, as every make target does."""
    if len(command) == 1:
        command = [sys.executable, "-W", "error", "-c", *command]
    return run([*LAUNCHER, *command], str(source), **variables)


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (READ_ZARR, f"{TINY.sum()}\n"),
        (READ_POOCH, "1,2\n"),
        (READ_POOCH.replace("import pathlib", "from pooch import retrieve\n"
                            "import pathlib")
         .replace("pooch.retrieve", "retrieve"), "1,2\n"),
        (f"import importlib.util\nimportlib.util.find_spec('pooch')"
         f"{READ_POOCH}", "1,2\n"),
        # A mirror's copy need not be the one that an example pins.
        (READ_POOCH.replace("None", repr("sha256:" + 64 * "0")), "1,2\n"),
        (READ_POOCH.replace("None", "None, 'a.csv', None, None"), "1,2\n"),
    ],
    ids=[
        "zarr", "pooch", "from pooch", "looked for", "pinned", "by position",
    ],
)  # fmt: skip
def test_an_unchanged_program_reads_the_mirror(mirror, program, printed):
    done = launch(mirror, program)
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr
    assert done.stderr == "atlas: every object comes from the mirror\n"


@pytest.mark.parametrize(
    ("program", "harm", "said"),
    [
        (READ_ZARR, lambda mirror: flip_bit(mirror / CHUNK), "damaged"),
        (READ_ZARR, lambda mirror: (mirror / "COMPLETE").unlink(), "not held"),
        (READ_POOCH, lambda mirror: (mirror / CSV).unlink(), "damaged"),
    ],
    ids=[
        "chunk flipped", "not known to be complete", "file deleted",
    ],
)  # fmt: skip
def test_what_is_in_doubt_stops_the_program(mirror, program, harm, said):
    digests = set(Folder(mirror).sums.values())
    harm(mirror)
    done = launch(mirror, program)
    assert done.stdout == ""
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert said in message
    assert Folder.way_out in message
    named = "s3://brainglobe/tiny.zarr/", f"https://{CSV}"
    assert any(name in message for name in named)
    if said == "damaged":
        told = re.search("SHA-256 (.{64}), found (.+?)[.] ", message)
        assert told[1] in digests
        assert told[2] not in digests


def test_a_chunk_that_a_complete_array_lacks_is_background(mirror):
    (mirror / CHUNK).unlink()
    list_objects(mirror)
    done = launch(mirror, READ_ZARR)
    assert done.stdout == f"{TINY.sum() - TINY[:4, 4:].sum()}\n"


def test_what_pooch_cannot_get_is_told(mirror):
    url = "https://brainglobe.s3.us-west-2.amazonaws.com/tiny.zarr/no"
    done = launch(mirror, READ_POOCH.replace(f"https://{CSV}", url))
    assert (done.stdout, done.returncode) == ("", 1)
    message = "s3://brainglobe/tiny.zarr/no does not exist."
    assert done.stderr.splitlines()[-1] == f"ValueError: {message}"


def test_the_environment_leads_nowhere_else(mirror):
    names = "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy"
    elsewhere = dict.fromkeys(names, "http://127.0.0.1:1")
    elsewhere["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    done = launch(mirror, READ_ZARR + READ_POOCH, **elsewhere)
    assert done.stdout == f"{TINY.sum()}\n1,2\n", done.stderr


def test_the_readers_own_cache_stays_empty(mirror, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    done = launch(mirror, READ_POOCH, XDG_CACHE_HOME=str(own))
    assert done.stdout == "1,2\n"
    assert list(own.iterdir()) == []


WORKERS = f"""
import multiprocessing
def read(n):
    import pooch
    return open(pooch.retrieve("https://{CSV}", None)).read()
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(read, range(2)))
"""
KERNEL = f"""
import nbclient, nbformat
cell = nbformat.v4.new_code_cell({READ_ZARR!r} + {READ_POOCH!r})
book = nbformat.v4.new_notebook(cells=[cell])
nbclient.NotebookClient(book).execute()
print(book.cells[0].outputs[0].text)
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [(WORKERS, "['1,2', '1,2']\n"), (KERNEL, f"{TINY.sum()}\n1,2\n\n")],
    ids=["workers", "kernel"],
)
def test_children_read_the_mirror_too(mirror, tmp_path, program, printed):
    (tmp_path / "program.py").write_text(program)
    done = launch(mirror, sys.executable, tmp_path / "program.py")
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_the_exit_status_is_the_programs_own(mirror, ends, status):
    done = launch(mirror, ends)
    assert (done.returncode, done.stdout) == (status, "")


def test_to_end_the_launcher_ends_its_command(mirror):
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(9)"
    launcher = subprocess.Popen(
        [*LAUNCHER, sys.executable, "-c", program],
        env=os.environ | {"ATLAS_SOURCE": str(mirror)},
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(launcher.stdout.readline())
    launcher.terminate()
    assert launcher.wait(timeout=5) == 128 + signal.SIGTERM
    launcher.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_a_source_that_is_no_mirror_is_told(tmp_path, make):
    make(tmp_path / "mirrow")
    done = launch(tmp_path / "mirrow", "print('ran')")
    assert done.stdout == ""
    assert done.returncode == 1
    for part in (str(tmp_path / "mirrow"), "SHA256SUMS", "make mirror"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_no_command_is_told(mirror):
    done = launch(mirror)
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


# A project of two examples, whose hosts are the test's own -----------------

# Holds a table of its own, and lets nothing be absent.
STANDIN = host.STANDIN.format(name=CSV, content=b"made up")
WARNING = "SYNTHETIC DATA"


class Project:
    """Examples in a folder, and the hosts that they read."""

    def __init__(self, root: Path, origin: host.Origin, **examples: str):
        self.root, self.origin = root, origin
        self.cache = root / "cache"
        (root / "examples").mkdir()
        for name, text in examples.items():
            self.example(name).write_text(text)
        (root / "fake").mkdir()
        (root / "fake" / "atlas_standin.py").write_text(STANDIN)

    def example(self, name: str) -> Path:
        """Return the file of an example."""
        return self.root / "examples" / f"{name}.py"

    def launch(self, *arguments, source="auto"):
        """Run the launcher, as if this were its repository."""
        launcher = [sys.executable, ROOT / "tests" / "origin.py", self.root]
        return run(
            [*launcher, self.origin.root, *arguments],
            source=str(source),
            PYTHONPATH=str(self.root / "fake"),
            ATLAS_CACHE=str(self.cache),
        )

    def run(self, name: str, source="auto"):
        """Do what `make run` does."""
        example = f"examples/{name}.py"
        program = sys.executable, self.example(name)
        return self.launch("--example", example, *program, source=source)


@pytest.fixture
def origin():
    with host.Origin() as server:
        yield server


@pytest.fixture
def project(tmp_path, origin, mirror):
    """Return a project whose hosts answer with the mirror's objects."""
    for _, probe in atlas_launch.HOSTS.values():
        origin.at[probe] = host.good(b"an answer")
    for name in Folder(mirror).sums:
        content = (mirror / name).read_bytes()
        origin.at[name] = host.good(content)
    root = tmp_path / "project"
    root.mkdir()
    both = READ_ZARR + READ_POOCH
    return Project(root, origin, table=READ_POOCH, both=both)


def test_auto_reads_the_cloud_while_it_answers(project):
    done = project.run("table")
    assert (done.stdout, done.returncode) == ("1,2\n", 0), done.stderr
    assert "https://gin.g-node.org comes from the cloud" in done.stderr
    assert CSV in objects_in(project.cache)


def test_auto_needs_no_network_for_what_the_cache_holds(project):
    first = project.run("both")
    assert first.returncode == 0, first.stderr
    project.origin.at.clear()
    project.origin.asked.clear()
    second = project.run("both")
    assert (second.stdout, second.returncode) == (first.stdout, 0)
    assert second.stderr == first.stderr
    assert project.origin.asked.keys().isdisjoint(objects_in(project.cache))


@pytest.mark.parametrize(
    "harm",
    [
        lambda project: (project.cache / CSV).unlink(),
        lambda project: project.example("table").write_text(f"\n{READ_POOCH}"),
        lambda project: (project.cache / "pages/table.json").write_text("{"),
    ],
    ids=["object deleted", "example changed", "record damaged"],
)
def test_auto_warns_of_synthetic_data(project, harm):
    assert project.run("table").returncode == 0
    project.origin.at.clear()
    harm(project)
    done = project.run("table")
    assert (done.stdout, done.returncode) == ("made up\n", 0), done.stderr
    assert WARNING in done.stderr
    assert sha256(b"made up") not in (project.cache / "SHA256SUMS").read_text()


def test_a_stand_in_makes_what_is_asked_for_and_no_more(project):
    done = project.run("table", source="standin")
    assert (done.stdout, done.returncode) == ("made up\n", 0), done.stderr
    done = project.run("both", source="standin")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "has no stand-in" in done.stderr.splitlines()[-1]
    assert not project.origin.asked


def test_a_page_of_a_real_and_a_synthetic_host_is_refused(project):
    for name in list(project.origin.at):
        if name.startswith("gin"):
            del project.origin.at[name]
    done = project.run("both")
    assert done.returncode == 1
    assert "do not mix" in done.stderr.splitlines()[-1]
    assert "made up" not in done.stdout


def test_a_failed_program_is_not_remembered(project):
    project.example("table").write_text(READ_POOCH + "raise SystemExit(1)")
    assert project.run("table").returncode == 1
    assert not (project.cache / "pages").exists()


def test_a_mirror_needs_no_origin(project, tmp_path):
    copy = tmp_path / "copy"
    stale = write_folder(copy, {"s3/b/old": b""}, complete=["s3/"])
    made = project.launch("--mirror", copy)
    assert made.returncode == 0, made.stderr
    assert passes_sha256sum(copy)
    assert not (stale / "COMPLETE").exists()
    # The background chunk, which the array's reader asked for.
    absent = (copy / "ABSENT").read_text()
    assert absent == "s3/brainglobe/tiny.zarr/c/1/1\n"
    project.origin.at.clear()
    project.origin.asked.clear()
    done = project.run("both", source=copy)
    assert (done.stdout, done.returncode) == (f"{TINY.sum()}\n1,2\n", 0)
    assert not project.origin.asked


def test_a_mirror_is_made_only_of_programs_that_run(project, tmp_path):
    project.example("table").write_text("raise SystemExit(3)")
    made = project.launch("--mirror", tmp_path / "copy")
    assert made.returncode == 3
    assert not (tmp_path / "copy").exists()

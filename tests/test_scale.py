"""The pages on large arrays: their counts, their memory, their computers.

What the pages count chunk by chunk at 10 µm is found here from the level of
25 µm: both sources sample the finer level from it, so that each of its voxels
stands for a known number of the others.
"""

import ast
import csv
import json
import os
import re
import socket
import sys
from collections import Counter

import numpy as np
import pytest
import zarr
from conftest import ROOT, STANDIN, run, run_example

PAGES = ROOT / "examples" / "cloud"
LABELS = (
    "s3/brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr"
)
TABLE = (
    "s3/brainglobe/atlas/terminologies/allen_mouse-terminology/3_0/"
    "terminology.csv"
)
# kB: 1 GB.
LIMIT = 10**9 // 1024


def launched(page, source, *command, **variables):
    """Run a command as a page that reads from a source; return the process."""
    launch = [sys.executable, ROOT / "docs/_ext/atlas_launch.py", "--example"]
    name = PAGES.relative_to(ROOT) / f"{page}.py"
    return run([*launch, name, *command], source, **variables)


@pytest.fixture(scope="module")
def counts():
    """Return a function: folder -> {id: voxels at 10 µm}, of tissue."""
    found = {}

    def counts_of(folder):
        if folder not in found:
            found[folder] = upsampled_counts(folder)
        return found[folder]

    return counts_of


def upsampled_counts(folder):
    coarse = zarr.open_array(folder / LABELS / "s1", mode="r")[:]
    fine = zarr.open_array(folder / LABELS / "s0", mode="r")
    # 2 and 3 by turns: a centre on a border goes to the voxel behind it.
    weights = [np.bincount((20 * np.arange(n) + 10) // 50) for n in fine.shape]
    if folder == STANDIN:  # whose sides are mirror images
        weights[2][:228] = weights[2][:227:-1]
    assert tuple(len(w) for w in weights) == coarse.shape
    assert {int(n) for w in weights for n in w} == {2, 3}
    plane_weights = np.outer(*weights[1:]).ravel()
    ids = np.unique(coarse)
    total = np.zeros(len(ids), dtype="int64")
    for plane, weight in zip(coarse, weights[0], strict=True):
        place = np.searchsorted(ids, plane.ravel())
        n = np.bincount(place, plane_weights, minlength=len(ids))
        total += weight * n.astype("int64")
    assert total.sum() == fine.size
    return dict(zip(ids.tolist(), total.tolist(), strict=True))


def by_structure(folder, counts):
    """Return {acronym: voxels of it and all below}, by the table's paths."""
    with (folder / TABLE).open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    acronyms = {int(r["identifier"]): r["abbreviation"] for r in rows}
    total = Counter()
    for row in rows:
        for i in json.loads(row["root_identifier_path"]):
            total[acronyms[i]] += counts.get(int(row["annotation_value"]), 0)
    return total


def test_volumes_at_10_um(source, tmp_path, counts, agree):
    text = run_example(PAGES / "bound_memory.py", *source[:1], tmp_path)
    folder = source[1]
    fine = by_structure(folder, counts(folder))
    coarse = zarr.open_array(folder / LABELS / "s2", mode="r")[:]
    coarse = np.unique(coarse, return_counts=True)
    coarse = dict(zip(*(column.tolist() for column in coarse), strict=True))
    coarse = by_structure(folder, coarse)
    lines = re.findall(
        r"(?m)^(\w+) +([\d.]+) mm³, at 50 µm ([+-][\d.]+)%", text
    )
    assert len(lines) == 6
    for acronym, mm3, percent in lines:
        by = "voxels of 25 µm, each with its weight at 10 µm"
        what = f"{acronym}, 10 µm"
        other = fine[acronym] / 1e6
        agree("bound_memory", what, mm3, other, "mm³", by, 0.00051)
        change = 100 * (coarse[acronym] * 125 / fine[acronym] - 1)
        row = f"{acronym}, 50 against 10 µm", percent, change, "%", by, 0.0051
        agree("bound_memory", *row)
    differ = {
        acronym: n
        for acronym, n in fine.items()
        if n and abs(coarse[acronym] * 125 - n) > 0.05 * n
    }
    found = re.search(r"(\d+) of (\d+) structures differ", text)
    what = "that differ by more than 5 % at 50 µm"
    agree("bound_memory", what, found[1], len(differ), "structures", by)
    assert int(found[2]) == sum(n > 0 for n in fine.values())
    largest = max(differ, key=differ.get)
    shown = re.search(rf"the largest of them {largest}, ([\d.]+) mm³", text)[1]
    row = f"{largest}, the largest of them", shown, differ[largest] / 1e6
    agree("bound_memory", *row, "mm³", by, 0.00051)
    assert "Ids without a row: []" in text
    assert "\n50 µm: 9,630,720 voxels, 38,522,880 bytes\n" in text
    assert "1,203,840,000 voxels in 1024 chunks" in text
    mb = 83 * 100 * 143 * 4 / 1e6
    assert f"8 chunks of {mb:.2f} MB at a time" in text
    assert f"{8 * 6 * mb:.0f} MB at most\n" in text


def test_rsp_at_10_um_agrees_with_the_published_25_um(mirror, tmp_path, agree):
    text = run_example(PAGES / "bound_memory.py", str(mirror), tmp_path)
    [mm3] = re.findall(r"RSP +([\d.]+) mm³", text)
    by = "the figure published for 25 µm"
    what = "RSP, 10 against 25 µm"
    agree("bound_memory", what, mm3, 10.500984, "mm³", by, 0.0105)


def test_page_runs_in_a_gigabyte_and_the_whole_array_does_not():
    page = PAGES / "bound_memory.py"
    opened = re.split(r"(?m)^# %%\n", page.read_text())[:2]
    naive = "".join(opened) + "print(levels[10][:].shape)"
    limited = ["bash", "-c", f'ulimit -d {LIMIT} && exec "$0" "$@"']
    limited += [sys.executable, "-W", "error"]
    done = launched("bound_memory", "standin", *limited, "-c", naive)
    assert done.returncode != 0
    assert "MemoryError: Unable to allocate 4.48 GiB" in done.stderr
    done = launched("bound_memory", "standin", *limited, page)
    assert done.returncode == 0, done.stderr
    assert "1,203,840,000 voxels in 1024 chunks" in done.stdout
    # A person who runs it sees how far it is.
    assert "1024/1024" in done.stderr


def test_the_process_holds_to_the_stated_bound(tmp_path):
    """What the process takes while it streams, as the system counts it."""
    page = (PAGES / "bound_memory.py").read_text()
    before, streamed = page.split("# Stream the chunks\n")
    streamed = streamed.split("# Draw the memory\n")[0]
    program = tmp_path / "program.py"
    program.write_text(
        f"{before}\nimport psutil, resource\n"
        "before = psutil.Process().memory_info().rss\n"
        f"# {streamed}\n"
        "peak = 1024 * resource.getrusage(0).ru_maxrss\n"
        "print('grown by', (peak - before) // 10**6)\n"
    )
    done = launched("bound_memory", "standin", sys.executable, program)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    [bound] = re.findall(r"(\d+) MB at most\n\S*1,203", text)
    [held] = re.findall(r"measured (\d+) MB at most", text)
    [grown] = re.findall(r"grown by (\d+)", text)
    # Three copies of a chunk for each thread, and not all of them at once.
    assert int(held) < int(bound) / 2
    # The system counts besides what was freed and is kept for the next.
    assert int(held) < int(grown) < 1.1 * int(bound), text


def assert_workers_agree(text, counts):
    """Hold what the page on Dask prints against the voxels of each id."""
    tissue = {i: n for i, n in counts.items() if i}
    mm3 = f"{len(tissue)} ids, {sum(tissue.values()) / 1e6:.6f} mm³ of tissue"
    for name in "plain loop", "one worker", "all workers":
        assert f"{name}: {mm3}\n" in text
    # 128 rows of the grid, and a tree of eights above them.
    assert f"[{128 + 16 + 2 + 1}, {128 + 16 + 2 + 1}] tasks" in text


def test_workers_agree_with_the_weights(source, tmp_path, counts, agree):
    text = run_example(PAGES / "scale_out.py", *source[:1], tmp_path)
    assert_workers_agree(text, counts(source[1]))
    shown = re.search(r"all workers: \d+ ids, ([\d.]+) mm³", text)[1]
    other = sum(n for i, n in counts(source[1]).items() if i) / 1e6
    by = "voxels of 25 µm, each with its weight at 10 µm"
    agree("scale_out", "tissue, 10 µm", shown, other, "mm³", by, 5e-7)
    assert "128 rows of chunks, 4,815,360,000 bytes\n" in text
    # The rows 7, 4 and 7, 5 of the grid, without the grid.
    fine = zarr.open_array(source[1] / LABELS / "s0", mode="r")
    ids = np.unique(fine[7 * 83 : 8 * 83, 400:600])
    assert f"{83 * 200 * 1140:,} voxels in, {12 * len(ids):,} bytes" in text


@pytest.fixture
def page():
    """Return the page on Dask, its line to change, and others for it."""
    text = (PAGES / "scale_out.py").read_text()
    [own] = re.findall(r"(?m)^with .*:$", text)
    others = re.findall(r"(?m)^#     (with .*:)$", text)
    return text, own, *others


def test_page_runs_on_a_scheduler_by_changing_one_line(page, tmp_path, counts):
    text, own, other, _ = page
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other, n_addresses = re.subn(
        r'(?<=Client\("tcp://)[^"]*', f"127.0.0.1:{port}", other
    )
    assert n_addresses == 1
    program = tmp_path / "program.py"
    program.write_text(text.replace(own, other))
    dask = f"{sys.executable} -m dask"
    at = "--host 127.0.0.1 --dashboard-address 127.0.0.1:0"
    worker = f"tcp://127.0.0.1:{port} {at} --nthreads 1 --no-nanny"
    commands = f"""
        trap 'kill -KILL $(jobs -p)' EXIT
        {dask} scheduler {at} --port {port} &
        {dask} worker {worker} --local-directory {tmp_path} &
        {dask} worker {worker} --local-directory {tmp_path} &
        {sys.executable} -W error {program}"""
    done = launched("scale_out", "standin", "bash", "-c", commands)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(rf"Registered to: .*:{port}\n", done.stderr)) == 2
    # The stand-in holds what was read of it: let that be all of 25 µm.
    whole = ROOT / "examples/volumes/measure_structures.py"
    run_example(whole, "standin", tmp_path)
    assert_workers_agree(done.stdout, counts(STANDIN))


def test_page_asks_slurm_for_its_jobs(page, tmp_path):
    text, _, _, other = page
    [jobs] = re.findall(r"``jobs = (\{.*?\})``", text)
    log = tmp_path / "log"
    for name, answer in ("sbatch", "Submitted batch job 1"), ("scancel", ""):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(
            f"#!/bin/sh\n(echo {name} $*; cat $1) >> {log}\necho {answer}\n"
        )
        command.chmod(0o755)
    program = f"""
import time
from pathlib import Path
from distributed import Client
from dask_jobqueue import SLURMCluster
jobs = {jobs}
{other}
    while Path("{log}").read_text().count("sbatch") < jobs["n_workers"]:
        time.sleep(0.1)
"""
    done = run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        PATH=f"{command.parent}:{os.environ['PATH']}",
        DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS=(
            '{"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}'
        ),
    )
    assert done.returncode == 0, done.stderr
    submitted = log.read_text()
    n_jobs = ast.literal_eval(jobs)["n_workers"]
    for line in (
        "sbatch /",
        "#SBATCH --cpus-per-task=1\n",
        "#SBATCH --mem=2G\n",
        "dask_worker tcp://127.0.0.1:",
        "scancel 1\n",
    ):
        assert submitted.count(line) == n_jobs, line


def test_workers_are_processes_that_nobody_else_can_reach(page):
    text, own, *_ = page
    imports, choice = (
        next(cell for cell in re.split(r"(?m)^# %%\n", text) if words in cell)
        for words in ("import zarr", "\nlocal = ")
    )
    program = f"""{imports}{choice}
import os
import psutil
{own}
    client.wait_for_workers(2)
    pids = client.run(os.getpid)
    urls = client.run(os.getenv, "AWS_ENDPOINT_URL")
    children = psutil.Process().children(recursive=True)
    assert len({{*pids.values()}} & {{child.pid for child in children}}) == 2
    assert {{*urls.values()}} == {{os.environ["AWS_ENDPOINT_URL"]}}
    for process in [psutil.Process(), *children]:
        for place in process.net_connections():
            print(place.laddr.ip)
assert not [child for child in children if child.is_running()]
"""
    python = [sys.executable, "-W", "error"]
    done = launched("scale_out", "standin", *python, "-c", program)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"127.0.0.1"}

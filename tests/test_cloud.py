"""What reads from the cloud cost, counted again by the server and from files.

The pages count the answers that reach them. Here the build's server counts
what it sends, and the files of the folder tell which chunks there are.
"""

import csv
import json
import re
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import s3fs
import zarr
from brainglobe_atlasapi import BrainGlobeAtlas
from conftest import ROOT, run, run_example
from origin import Origin, good, hang, status

PAGES = ROOT / "examples" / "cloud"
BUCKET = "s3/brainglobe/atlas"
SETS = f"{BUCKET}/annotation-sets/allen_mouse-annotation/3_0"
LABELS = f"{SETS}/annotations_compressed.ome.zarr"
MASKS = f"{SETS}/annotations.ome.zarr"
TABLE = f"{BUCKET}/terminologies/allen_mouse-terminology/3_0/terminology.csv"
COST = r"(?m)^(\w+) +(\d+) requests,(?: +(\d+) absent,)? +([\d.]+) kB$"


def launched(page: str, program: str, source: str, tmp_path: Path):
    """Run a program as if it were the page; return what the server counted."""
    path = tmp_path / "program.py"
    path.write_text(
        f"{program}\n"
        "import os, urllib.request\n"
        'end = os.environ["ATLAS_SERVER"] + "/-/page?name="\n'
        'end = urllib.request.Request(end, method="POST")\n'
        "print(urllib.request.urlopen(end).read().decode())\n"
    )
    launch = [sys.executable, ROOT / "docs/_ext/atlas_launch.py", "--example"]
    name = (PAGES / f"{page}.py").relative_to(ROOT)
    done = run([*launch, name, sys.executable, path], source, tmp_path)
    assert done.returncode == 0, done.stderr
    printed, _, counted = done.stdout.rstrip().rpartition("\n")
    return printed, json.loads(counted)


def costs(printed: str) -> dict[str, tuple]:
    """Return requests, absent chunks and kB of each step that a page names."""
    return {
        name: (int(requests), int(absent or 0), float(kb))
        for name, requests, absent, kb in re.findall(COST, printed)
    }


def subtree(folder: Path, acronym: str) -> list[int]:
    """Return the values of a structure and all below, by the table's paths."""
    with (folder / TABLE).open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    [top] = [
        int(r["identifier"]) for r in rows if r["abbreviation"] == acronym
    ]
    return [
        int(row["annotation_value"])
        for row in rows
        if top in json.loads(row["root_identifier_path"])
    ]


def files(folder: Path, array: str, keys) -> tuple[int, int, float]:
    """Return how many chunks there should be, how many are not, and kB."""
    paths = [Path(folder, array, "c", *map(str, key)) for key in keys]
    sizes = [path.stat().st_size for path in paths if path.exists()]
    return len(paths), len(paths) - len(sizes), sum(sizes) / 1000


@pytest.mark.parametrize(
    ("page", "unlisted"),
    [
        ("read_slice", [f"{LABELS}/zarr.json"]),
        (
            "read_mask",
            [
                f"{LABELS}/zarr.json",
                f"{LABELS}/s2/zarr.json",
                f"{MASKS}/zarr.json",
                f"{MASKS}/s2/zarr.json",
                f"{MASKS}/annotation_values/zarr.json",
                f"{MASKS}/annotation_values/c/0",
            ],
        ),
    ],
)
def test_page_counts_what_the_server_sends(page, unlisted, source, tmp_path):
    text = (PAGES / f"{page}.py").read_text()
    printed, counted = launched(page, text, source[0], tmp_path)
    listed = costs(printed)
    unlisted = [source[1] / name for name in [*unlisted, TABLE]]
    requests = sum(n for n, _, _ in listed.values()) + len(unlisted)
    assert counted["requests"] == requests
    expected = sum(path.stat().st_size for path in unlisted)
    expected += 1000 * sum(kb for _, _, kb in listed.values())
    assert counted["bytes"] == pytest.approx(expected, abs=50 * len(listed))


def test_read_slice_reads_these_chunks(source, tmp_path, agree):
    printed = run_example(PAGES / "read_slice.py", source[0], tmp_path)
    box = re.search(
        r"box: (\d+) to (\d+) (\d+) to (\d+) (\d+) to (\d+)", printed
    )
    box = np.array(box.groups(), dtype=int).reshape(3, 2)
    array = zarr.open_array(source[1] / LABELS / "s1", mode="r")
    middle = box[0].sum() // 2
    ends = {
        "section": [(middle, middle + 1), (0, 320), (0, 456)],
        "box": box.tolist(),
        "all": [(0, 528), (0, 320), (0, 456)],
    }
    found = costs(printed)
    assert [*found] == ["metadata", "overview", *ends]
    for name, sides in ends.items():
        keys = [
            sorted({n // size for n in range(*side)})
            for side, size in zip(sides, array.chunks, strict=True)
        ]
        n, absent, kb = files(source[1], f"{LABELS}/s1", product(*keys))
        by = "the files of the chunks in question"
        for what, shown, row in zip(
            ("requests", "absent", "sent"),
            found[name],
            [
                (n, "requests", by),
                (absent, "chunks", by),
                (kb, "kB", by, 0.051),
            ],
            strict=True,
        ):
            agree("read_slice", f"{name}, {what}", shown, *row)
        n_wanted = np.prod([stop - start for start, stop in sides])
        share = re.search(rf"\n{name}: ([\d.]+)% of", printed)[1]
        expected = 100 * n_wanted / (n * np.prod(array.chunks))
        row = f"{name}, wanted of what is sent", share, expected, "%"
        agree("read_slice", *row, by, 0.051)
    coarse = files(source[1], f"{LABELS}/s3", product(range(2), repeat=3))
    assert found["overview"][:2] == coarse[:2]
    row = found["overview"][2], coarse[2], "kB", by, 0.051
    agree("read_slice", "overview, sent", *row)


def test_read_slice_finds_the_whole_structure_in_its_box(
    source, tmp_path, agree
):
    printed = run_example(PAGES / "read_slice.py", source[0], tmp_path)
    rsp = subtree(source[1], "RSP")
    fine, coarse = (
        np.isin(zarr.open_array(source[1] / LABELS / s, mode="r")[:], rsp)
        for s in ("s1", "s3")
    )
    sides = []
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        inside = np.flatnonzero(coarse.any(axis=others))
        # A voxel of 100 um has four of 25 um, and one more is on each side.
        low, high = 4 * max(inside[0] - 1, 0), 4 * (inside[-1] + 2)
        sides.append(f"{low} to {high}")
        inside = np.flatnonzero(fine.any(axis=others))
        assert low <= inside[0] <= inside[-1] < high
    assert f"\nbox: {' '.join(sides)}\n" in printed
    assert f"\nRSP: {fine.sum():,} voxels in the box, 0 outside\n" in printed
    shown = re.search(r"\nRSP: ([\d,]+)", printed)[1]
    by = "the whole array, and the table's paths"
    what = "RSP in its box, 25 µm"
    agree("read_slice", what, shown, fine.sum(), "voxels", by)


def test_read_slice_of_the_real_atlas(mirror, tmp_path):
    printed = run_example(PAGES / "read_slice.py", str(mirror), tmp_path)
    assert "\nRSP: 672,063 voxels in the box, 0 outside\n" in printed
    # The published archive lists 210 of 256 chunks.
    assert costs(printed)["all"][:2] == (256, 46)


def opening() -> str:
    """Return what opens the group in read_slice."""
    text = (PAGES / "read_slice.py").read_text()
    found = re.search(r"(?ms)^s3fs\..*?^group = .*?^\)$", text)[0]
    return f"import numpy as np, s3fs, zarr\n{found}\n"


def test_read_slice_asks_for_no_sizes(tmp_path):
    program = opening() + 'group["s1"][264]\n'
    counted = {}
    for option in '"max_concurrency": 1,', "":
        text = program.replace('"max_concurrency": 1,', option)
        _, page = launched("read_slice", text, "standin", tmp_path)
        counted[option] = page["requests"]
    # The metadata of group and level, and 8 by 4 chunks; then HEAD and GET.
    assert [*counted.values()] == [34, 68]


CHUNK = "brainglobe" + LABELS.removeprefix("s3/brainglobe") + "/s1/c/1/0/0"


@pytest.fixture
def bucket(tmp_path):
    """Return a server with a small annotation, and a reader of a chunk."""
    array = zarr.create_array(
        tmp_path / "s1", shape=(4, 4, 4), chunks=(2, 4, 4), dtype="uint32"
    )
    array[:] = 7
    (tmp_path / "zarr.json").write_text(
        '{"attributes": {}, "zarr_format": 3, "node_type": "group"}'
    )
    program = opening()
    assert '"read_timeout": 10,' in program
    program = program.replace('"read_timeout": 10', '"read_timeout": 0.3')
    program += 'print(np.unique(group["s1"][2]))\n'
    with Origin() as server:
        for path in tmp_path.rglob("*"):
            if path.is_file():
                name = Path(CHUNK).parents[4] / path.relative_to(tmp_path)
                server.at[str(name)] = good(path.read_bytes())
        assert CHUNK in server.at

        def read(without=""):
            assert without in program
            return run(
                [sys.executable, "-c", program.replace(without, "")],
                cwd=tmp_path,
                AWS_ENDPOINT_URL=server.root,
                NO_PROXY="127.0.0.1",
            )

        yield server, read


def test_read_slice_searches_no_older_metadata(bucket):
    server, read = bucket
    assert read().stdout == "[7]\n"
    assert sorted(Path(name).name for name in server.asked) == [
        "0",
        "zarr.json",
        "zarr.json",
    ]
    server.asked.clear()
    assert read(without="zarr_format=3,").stdout == "[7]\n"
    names = {Path(name).name for name in server.asked}
    assert names > {"0", "zarr.json", ".zgroup"}


def test_limits_of_read_slice_bound_a_read_that_hangs(bucket):
    server, read = bucket
    server.at[CHUNK] = hang
    done = read()
    assert done.returncode != 0
    assert f"{server.root}/{CHUNK}" in done.stderr
    assert server.asked[CHUNK] == 4
    # What the page says of the library, nested just so.
    assert s3fs.S3FileSystem.retries == 5
    assert s3fs.S3FileSystem.read_timeout == 15


def test_absent_chunk_is_background_unless_listing_is_forbidden(bucket):
    server, read = bucket
    assert read().stdout == "[7]\n"
    del server.at[CHUNK]
    assert read().stdout == "[0]\n"
    server.at[CHUNK] = status(403, b"<Error><Code>AccessDenied</Code></Error>")
    done = read()
    assert done.stdout == ""
    assert "PermissionError" in done.stderr


def test_read_mask_agrees_with_the_annotation(source, tmp_path, agree):
    printed = run_example(PAGES / "read_mask.py", source[0], tmp_path)
    labels = zarr.open_array(source[1] / LABELS / "s2", mode="r")[:]
    found = np.unique(labels, return_counts=True)
    n_own = dict(zip(*(column.tolist() for column in found), strict=True))
    for acronym in "RSP", "Isocortex", "root":
        ids = subtree(source[1], acronym)
        n = sum(n_own.get(i, 0) for i in ids)
        line = rf"\n{acronym}: (\S+) voxels = (\S+) mm³; 0 differ .* (\d+) ids"
        found = re.search(line, printed)
        by = "the annotation, whole, and the table's paths"
        what = f"mask of {acronym}, 50 µm"
        agree("read_mask", what, found[1], n, "voxels", by)
        row = f"volume of {acronym}, 50 µm", found[2], n / 8000, "mm³"
        agree("read_mask", *row, by, 0.00051)
        agree("read_mask", f"in {acronym}", found[3], len(ids), "ids", by)


def test_read_mask_reads_these_chunks(source, tmp_path, agree):
    printed = run_example(PAGES / "read_mask.py", source[0], tmp_path)
    folder = source[1] / MASKS
    numbers = zarr.open_array(folder / "annotation_values", mode="r")[:]
    found = costs(printed)
    assert [*found] == ["RSP", "Isocortex", "root", "annotation"]
    for acronym, i in ("RSP", 254), ("Isocortex", 315), ("root", 997):
        [number] = np.flatnonzero(numbers == i)
        keys = [(number, half, 0, 0) for half in (0, 1)]
        n, _, kb = files(source[1], f"{MASKS}/s2", keys)
        assert found[acronym][:2] == (n, 0)
        row = found[acronym][2], kb, "kB", "the files of the chunks", 0.051
        agree("read_mask", f"mask of {acronym}, sent", *row)
    keys = product(range(4), repeat=3)
    n, _, kb = files(source[1], f"{LABELS}/s2", keys)
    assert found["annotation"][:2] == (n, 0)
    row = found["annotation"][2], kb, "kB", "the files of the chunks", 0.051
    agree("read_mask", "annotation, sent", *row)
    assert "\none chunk of a mask opens to 16.8 MB\n" in printed
    line = re.search(r"\n(\d+) masks; (\d+) structures have none", printed)
    with (source[1] / TABLE).open(encoding="utf-8") as table:
        n_rows = len(table.readlines()) - 1
    row = "stored", line[1], len(numbers), "masks", "the list beside them"
    agree("read_mask", *row)
    row = "without a mask", line[2], n_rows - len(numbers), "structures"
    agree("read_mask", *row, "the lines of the table's text")


def test_read_mask_of_the_real_atlas(mirror, tmp_path):
    printed = run_example(PAGES / "read_mask.py", str(mirror), tmp_path)
    assert "\nRSP: 83,858 voxels = 10.482 mm³; 0 differ" in printed
    # No voxel of 50 um has these, nor a part of them.
    [none] = re.findall(r"structures have none: (.*)", printed)
    with (mirror / TABLE).open(newline="", encoding="utf-8") as table:
        acronyms = [row["abbreviation"] for row in csv.DictReader(table)]
    drawn = zarr.open_array(mirror / LABELS / "s2", mode="r")[:]
    drawn = set(np.unique(drawn).tolist())
    assert none.split() == ["RSPd4", "tspd", "c"]
    for acronym in "RSPd4", "tspd", "c":
        assert acronym in acronyms
        assert not drawn & set(subtree(mirror, acronym))


def test_peer_reads_the_same_mask(mirror, tmp_path):
    (tmp_path / "brainglobe-atlasapi").symlink_to(mirror / BUCKET)
    peer = BrainGlobeAtlas(
        "allen_mouse_50um", brainglobe_dir=tmp_path, check_latest=False
    )
    printed = run_example(PAGES / "read_mask.py", str(mirror), tmp_path)
    n = np.count_nonzero(peer.get_structure_mask("RSP"))
    assert f"\nRSP: {n:,} voxels" in printed

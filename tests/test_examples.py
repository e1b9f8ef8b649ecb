"""Each example runs alone, and its numbers are right.

"Right" is told by something that shares no code with the example: what the
stand-in's generator counted while it painted, the published figures of the
real data, or voxels that a test put into a mirror itself.
"""

import csv
import hashlib
import io
import re
import shlex
import zipfile
from pathlib import Path

import atlas_standin
import nbformat
import numpy as np
import pytest
import zarr
from bs4 import BeautifulSoup
from conftest import (
    ROOT,
    SOURCE,
    STANDIN,
    each_example,
    run,
    run_afresh,
    run_example,
    steady,
)

EXPLORE = ROOT / "examples" / "explore_atlas.py"
GIN = "gin.g-node.org/BrainGlobe/atlases-v2/raw/master/annotations/"
GIN += "allen_mouse_v1/"
TABLE = "structures.csv"
IN_BUCKET = "s3/brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
IN_BUCKET += "annotations_compressed.ome.zarr/s1"


def rsp_of(printed: str) -> tuple[int, float]:
    """Return the voxels and the volume (mm³) that the first page prints."""
    found = re.search(
        r"RSP, both hemispheres: ([\d,]+) voxels = ([\d.]+) mm³", printed
    )
    return int(found[1].replace(",", "")), float(found[2])


def test_explore_atlas_agrees_with_the_generator(tmp_path):
    printed = run_example(EXPLORE, "standin", tmp_path)
    counts = atlas_standin.voxel_counts(STANDIN / ".work")
    parents = {
        int(row["id"]): int(row["parent_id"] or 0)
        for row in atlas_standin.read_structures()
    }

    def inside_rsp(structure_id):
        while structure_id not in (254, 0):
            structure_id = parents[structure_id]
        return structure_id == 254

    expected = sum(n for i, n in counts.items() if inside_rsp(i))
    assert expected > 0
    assert rsp_of(printed) == (expected, round(expected * 0.025**3, 3))


def test_explore_atlas_on_the_real_atlas(mirror, tmp_path, agree):
    printed = run_example(EXPLORE, str(mirror), tmp_path)
    assert rsp_of(printed) == (672_063, 10.501)
    n, mm3 = rsp_of(printed)
    table = (mirror / GIN / TABLE).read_text()
    paths = re.findall(r"/997/[\d/]+", table)
    ids = [int(p.split("/")[-2]) for p in paths if "/254/" in p]
    assert len(ids) > 10
    other = np.isin(zarr.open_array(mirror / IN_BUCKET, mode="r")[:], ids)
    by = "the bucket's own array, whole, and the paths of the table"
    page = "explore_atlas", "both sides of RSP, 25 µm"
    agree(*page, n, other.sum(), "voxels", by)
    by = "the figure published with the file: 672,063 voxels"
    page = "explore_atlas", "volume of RSP, 25 µm"
    agree(*page, mm3, 672_063 * 0.025**3, "mm³", by, 0.0005)
    by = "the paths of the table"
    n, alike = re.search(
        r"VISp: (\d+) by hierarchy, (\d+) by prefix", printed
    ).groups()
    visp = sum("/385/" in path for path in paths)
    agree("explore_atlas", "VISp and below", n, visp, "structures", by)
    row = "called VISp…", alike, table.count("\nVISp"), "structures"
    agree("explore_atlas", *row, "the lines of the table's text")
    assert "RSPd4" in re.search(r"Without a voxel.*", printed)[0]
    right, left, both = re.search(
        r"right ([\d,]+) \+ left ([\d,]+) = ([\d,]+)", printed
    ).groups()
    assert both == "672,063"
    by = "the bucket's own array, halved at plane 228"
    for side, n, half in (
        ("right", right, other[..., :228]),
        ("left", left, other[..., 228:]),
    ):
        what = f"RSP, {side} side, 25 µm"
        agree("explore_atlas", what, n, half.sum(), "voxels", by)


@pytest.fixture
def small_mirror(tmp_path) -> Path:
    """Return a mirror whose RSP is three boxes that the test knows."""
    folder = tmp_path / "mirror" / GIN
    folder.mkdir(parents=True)
    rows = [
        ("root", 997, "root", "/997/", ""),
        ("RSP", 254, "Retrosplenial area", "/997/254/", "997.0"),
        ("VISp", 385, "Primary visual area", "/997/385/", "997.0"),
        ("VISpl", 425, "Visual, posterolateral", "/997/425/", "997.0"),
    ]
    for n, acronym in enumerate(("RSPagl", "RSPd", "RSPv"), start=70_000):
        name = f"Retrosplenial area, {acronym}"
        rows.append((acronym, n, name, f"/997/254/{n}/", "254.0"))
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(
        ["acronym", "id", "name", "structure_id_path", "parent_structure_id"]
    )
    writer.writerows(rows)
    (folder / "structures.csv").write_text(table.getvalue())
    voxels = np.zeros((528, 320, 456), dtype="uint32")
    voxels[310:330, 10:20, 200:256] = 70_000
    voxels[320:330, 30:40, 10:21] = 70_001
    voxels[100, 100, 455] = 254
    voxels[320:325, 100:200, 100:200] = 385
    with zarr.storage.ZipStore(folder / "25um.zarr.zip", mode="w") as store:
        zarr.create_array(store, data=voxels, chunks=(66, 40, 114))
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    root = tmp_path / "mirror"
    (root / "SHA256SUMS").write_text(
        "".join(
            f"{hashlib.sha256(p.read_bytes()).hexdigest()}  "
            f"{p.relative_to(root)}\n"
            for p in names
        )
    )
    return root


def test_numbers_follow_the_data(small_mirror, tmp_path):
    n = 20 * 10 * 56 + 10 * 10 * 11 + 1
    (tmp_path / "cwd").mkdir()
    printed = run_example(EXPLORE, str(small_mirror), tmp_path / "cwd")
    assert rsp_of(printed) == (n, round(n * 25**3 / 1e9, 3))
    assert "VISp: 1 by hierarchy, 2 by prefix" in printed


def test_damaged_data_stop_the_program(small_mirror, tmp_path):
    archive = small_mirror / GIN / "25um.zarr.zip"
    content = bytearray(archive.read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    done = run(["make", "run", f"EXAMPLE={EXPLORE}"], str(small_mirror))
    assert done.returncode != 0
    assert "mm³" not in done.stdout
    for said in (
        "25um.zarr.zip is damaged",
        expected,
        hashlib.sha256(content).hexdigest(),
        "ATLAS_SOURCE=cloud",
    ):
        assert said in done.stderr


def test_make_run_prints_only_what_the_program_prints(tmp_path):
    name = EXPLORE.relative_to(ROOT)
    done = run(["make", "run", f"EXAMPLE={name}"], "standin")
    assert done.returncode == 0, done.stderr
    assert done.stdout == run_example(EXPLORE, "standin", tmp_path)


@each_example
def test_published_notebook_was_run(example, site):
    """The notebook on the site holds outputs, in order and without errors."""
    [path] = (site / "aws_examples").rglob(f"{example.stem}.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    install, *cells = (c for c in notebook.cells if c.cell_type == "code")
    comment, line = install.source.splitlines()
    assert comment.startswith("# ")
    assert line.startswith("%pip install -q ")
    needed = re.findall(r'(?m)^# +"(.*)",$', example.read_text())
    assert needed
    assert set(needed) <= set(shlex.split(line))
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert any("image/png" in o.get("data", ()) for o in outputs)
    with zipfile.ZipFile(
        next((site / "aws_examples").rglob(f"{example.stem}.zip"))
    ) as both:
        [packed] = [n for n in both.namelist() if n.endswith(".ipynb")]
        assert both.read(packed) == path.read_bytes()


@each_example
def test_page_and_notebook_print_what_the_program_prints(
    example, site, tmp_path
):
    """Run alone, it prints the same again, and says what files it leaves."""
    printed = run_afresh(example, SOURCE, tmp_path)
    assert printed.strip()
    for left in tmp_path.iterdir():
        assert f"``{left.name}``" in example.read_text(), "it does not say so"
    [path] = (site / "aws_examples").rglob(f"{example.stem}.ipynb")
    in_notebook = "".join(
        output.text
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    [path] = site.rglob(f"{example.stem}.html")
    soup = BeautifulSoup(path.read_text(), "html.parser")
    on_page = "\n".join(
        pre.text for pre in soup.select(".sphx-glr-script-out pre")
    )
    assert steady(in_notebook) == steady(printed)
    assert steady(on_page).split() == steady(printed).split()

"""What the page on publishing writes is read by programs that are not ours.

What they should find is drawn here once more, from the source's own arrays,
with the published shape and middle of the mouse atlas.
"""

import csv
import json
import re
import sys

import ngff_zarr
import numpy as np
import pytest
import zarr
from brainglobe_atlasapi import BrainGlobeAtlas
from conftest import ROOT, run, run_afresh

PAGE = ROOT / "examples" / "sharing" / "publish_annotation.py"
BUCKET = "s3/brainglobe/atlas"
ALLEN = (
    f"{BUCKET}/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr/s3"
)
TEMPLATE = "templates/allen-adult-mouse-stpt-template/2015/template.ome.zarr"
MINE = "annotation-sets/my_cp-annotation/1_0"
HOME = "my_atlas/brainglobe-atlasapi"
THIRDS = ["CPa-L", "CPa-R", "CPm-L", "CPm-R", "CPp-L", "CPp-R"]
_made: dict = {}


@pytest.fixture
def made(source, tmp_path_factory):
    """Return what the page prints from a source, and where it wrote."""
    name, _ = source
    if name not in _made:
        cwd = tmp_path_factory.mktemp("published")
        _made[name] = run_afresh(PAGE, name, cwd), cwd
    return _made[name]


@pytest.fixture
def allen(source) -> np.ndarray:
    """Return the labels that the page divides."""
    return zarr.open_array(source[1] / ALLEN, mode="r")[:]


@pytest.fixture
def drawn(allen) -> np.ndarray:
    """Return the labels that the page should write."""
    places = np.argwhere(allen == 672)
    ordered = sorted(places[:, 0].tolist())
    first, second = (
        np.interp(share * (len(ordered) - 1), range(len(ordered)), ordered)
        for share in (1 / 3, 2 / 3)
    )
    drawn = np.zeros_like(allen)
    drawn[allen != 0] = 1
    for i, j, k in places.tolist():
        part = 10 + 10 * (i >= first) + 10 * (i >= second)
        # The last axis begins on the right and is 114 voxels long.
        drawn[i, j, k] = part + (1 if k >= 57 else 2)
    return drawn


@pytest.fixture
def peer(made):
    """Return the written atlas, as BrainGlobe's own reader opens it."""
    return BrainGlobeAtlas(
        "my_cp_100um", brainglobe_dir=made[1] / "my_atlas", check_latest=False
    )


def test_page_counts_the_voxels_that_it_divided(made, allen, agree):
    n = np.count_nonzero(allen == 672)
    assert f"CP: {n:,} of {n:,} voxels = {n / 1000:.3f} mm³" in made[0]
    shown, mm3 = re.search(r"CP: (\S+) of .* = (\S+)", made[0]).groups()
    by = "the whole array of the atlas that was divided"
    agree("publish_annotation", "CP, 100 µm", shown, n, "voxels", by)
    row = "volume of CP, 100 µm", mm3, n / 1000, "mm³", by
    agree("publish_annotation", *row)


def test_thirds_are_thirds(drawn):
    n = np.array([np.sum(drawn // 10 == part) for part in (1, 2, 3)])
    assert (abs(n / n.sum() - 1 / 3) < 0.05).all()


def test_peer_reads_the_arrays(peer, made, source, drawn):
    assert peer.resolution == (100, 100, 100)
    assert peer.shape == drawn.shape == (132, 80, 114)
    assert np.array_equal(peer.annotation, drawn)
    assert peer.annotation.dtype == np.uint32
    assert np.array_equal(np.unique(peer.hemispheres[..., :57]), [2])
    assert np.array_equal(np.unique(peer.hemispheres[..., 57:]), [1])
    side = made[1] / HOME / MINE / "hemispheres.ome.zarr/s0"
    stored = zarr.open_array(side, mode="r")[:]
    assert np.array_equal(stored, peer.hemispheres)
    grey = zarr.open_array(source[1] / BUCKET / TEMPLATE / "s3", mode="r")
    assert np.array_equal(peer.template, grey[:])


def test_peer_finds_the_masks(peer, drawn):
    families = {"root": drawn > 0, "CP": drawn > 9}
    ids = (11, 12, 21, 22, 31, 32)
    families |= {a: drawn == i for a, i in zip(THIRDS, ids, strict=True)}
    for acronym, expected in families.items():
        mask = peer.get_structure_mask(acronym)
        assert np.array_equal(mask > 0, expected), acronym
        assert expected.sum() > 3000


def test_peer_finds_the_hierarchy(peer):
    assert peer.get_structure_descendants("CP") == THIRDS
    assert peer.get_structure_ancestors("CPm-R") == ["root", "CP"]
    assert peer.hierarchy.depth() == 2
    assert peer.structures["CPa-L"]["rgb_triplet"] == [0xE6, 0x9F, 0]
    name = peer.structures["CPp-R"]["name"]
    assert name == "Caudoputamen, posterior third, right"


def test_peer_finds_a_point_on_its_side(peer, drawn):
    """The left and the front are where they are in the animal."""
    for acronym, i in zip(THIRDS, (11, 12, 21, 22, 31, 32), strict=True):
        voxel = np.argwhere(drawn == i)[100]
        at = peer.structure_from_coords(voxel, as_acronym=True)
        assert at == acronym
        side = peer.hemisphere_from_coords(voxel, as_string=True)
        assert side[0].upper() == acronym[-1]
    front, back = (np.argwhere(peer.annotation == i)[:, 0] for i in (11, 31))
    assert front.max() < back.min()


@pytest.mark.parametrize(
    "path",
    [
        TEMPLATE,
        f"{MINE}/hemispheres.ome.zarr",
        f"{MINE}/annotations.ome.zarr",
        f"{MINE}/annotations_compressed.ome.zarr",
    ],
    ids=lambda path: path.split("/")[-1].split(".")[0],
)
def test_ome_zarr_is_valid_and_in_its_place(path, made):
    store = made[1] / HOME / path
    read = ngff_zarr.from_ngff_zarr(store, validate=True, version="0.5")
    assert len(read.images) == 2
    for step, image in enumerate(read.images, start=1):
        assert list(image.dims)[-3:] == ["z", "y", "x"]
        for axis in "zyx":
            assert image.scale[axis] == pytest.approx(0.1 * step)
            assert image.translation[axis] == pytest.approx(0.045)
            assert image.axes_units[axis] == "millimeter"
    metadata = json.loads((store / "zarr.json").read_text())
    assert metadata["attributes"]["ome"]["version"] == "0.5"
    [image] = metadata["attributes"]["ome"]["multiscales"]
    assert [a["orientation"]["value"] for a in image["axes"][-3:]] == [
        "anterior-to-posterior",
        "superior-to-inferior",
        "right-to-left",
    ]
    # Each coarse voxel holds what is at its position in the fine level.
    fine, coarse = (image.data.compute() for image in read.images)
    rng = np.random.default_rng(seed=1)
    where = rng.integers(coarse.shape, size=(5000, coarse.ndim))
    for index in where:
        at_mm = 0.045 + 0.2 * index[-3:]
        near = np.rint((at_mm - 0.045) / 0.1).astype(int)
        lead = tuple(index[:-3])
        assert coarse[tuple(index)] == fine[(*lead, *near)]
    for n in range(2):
        names = zarr.open_array(store / f"s{n}", mode="r").metadata
        assert list(names.dimension_names) == list(read.images[n].dims)


def test_position_is_that_of_the_atlas_that_was_divided(made, source, allen):
    """At each position in mm there is the tissue that Allen has there."""
    name = "annotations_compressed.ome.zarr"
    theirs = ngff_zarr.from_ngff_zarr((source[1] / ALLEN).parent).images[3]
    own = ngff_zarr.from_ngff_zarr(made[1] / HOME / MINE / name).images[0]
    assert own.translation == pytest.approx(theirs.translation)
    assert own.scale == pytest.approx(theirs.scale)
    own = own.data.compute()
    assert np.array_equal(own > 0, allen > 0)
    assert np.array_equal(own > 2, allen == 672)


def test_coarse_volumes_are_right_on_average(made):
    store = zarr.open_group(
        made[1] / HOME / MINE / "annotations_compressed.ome.zarr", mode="r"
    )
    fine, coarse = store["s0"][:], store["s1"][:]
    assert set(np.unique(coarse)) == set(np.unique(fine))
    for ids in [1], [11, 12, 21, 22, 31, 32]:
        n_fine, n_coarse = np.isin(fine, ids).sum(), np.isin(coarse, ids).sum()
        assert 8 * n_coarse == pytest.approx(n_fine, rel=0.03)


def test_table_has_the_published_columns_and_no_loose_end(made):
    file = made[1] / HOME / "terminologies/my_cp-terminology/1_0"
    with (file / "terminology.csv").open(newline="", encoding="utf-8") as csv_:
        rows = list(csv.DictReader(csv_))
    assert ",".join(rows[0]) == (
        "identifier,parent_identifier,annotation_value,name,abbreviation,"
        "color_hex_triplet,root_identifier_path"
    )
    ids = [row["identifier"] for row in rows]
    assert ids == ["1", "2", "11", "12", "21", "22", "31", "32"]
    for row in rows:
        path = json.loads(row["root_identifier_path"])
        assert row["annotation_value"] == row["identifier"] == str(path[-1])
        above = str(path[-2]) if len(path) > 1 else ""
        assert row["parent_identifier"] == above
        assert re.fullmatch("#[0-9A-F]{6}", row["color_hex_triplet"])


def test_manifest_leads_to_what_was_written(made):
    home = made[1] / HOME
    text = (home / "atlases/my_cp_100um/1_0/manifest.json").read_text()
    manifest = json.loads(text)
    assert "3_0" not in text
    assert "allen_mouse" not in text
    assert (manifest["name"], manifest["version"]) == ("my_cp", "1.0")
    assert manifest["location"] == "/atlases/my_cp_100um/1_0"
    assert manifest["citation"].startswith("unpublished, after Wang et al")
    for part, file in {
        "annotation_set": "annotations_compressed.ome.zarr/zarr.json",
        "terminology": "terminology.csv",
        "template": "template.ome.zarr/zarr.json",
    }.items():
        assert manifest[part]["version"] in ("1.0", "2015")
        assert (home / manifest[part]["location"][1:] / file).is_file()


def test_page_runs_again_over_what_it_wrote(made, source):
    printed, cwd = made
    stray = cwd / HOME / MINE / "annotations_compressed.ome.zarr/s0/c/9"
    stray.mkdir()
    assert run_afresh(PAGE, source[0], cwd) == printed
    assert not stray.exists()


def test_a_fault_stops_the_page_before_it_writes(tmp_path):
    text, line = PAGE.read_text(), "\npaths = {"
    assert text.count(line) == 1
    program = tmp_path / "faulty.py"
    program.write_text(text.replace(line, f"\nlabels[5, 5, 5] = 77{line}"))
    launch = [sys.executable, ROOT / "docs/_ext/atlas_launch.py", "--example"]
    done = run(
        [*launch, PAGE.relative_to(ROOT), sys.executable, program],
        "standin",
        tmp_path,
    )
    assert done.returncode != 0
    said = done.stderr.splitlines()[-1]
    assert said == "ValueError: labels without a row: {77}"
    assert not (tmp_path / "my_atlas").exists()


@pytest.mark.parametrize(
    ("i", "row", "message"),
    [
        (5, None, "labels without a row: {5}"),
        (4, (9, "Lost", "L", "#000000"), "rows that lead to no root: {4}"),
        (2, (3, "Circle", "C", "#000000"), "lead to no root: {2, 3, 5}"),
        (6, ("", "Other root", "O", "#000000"), "lead to no root: {6}"),
        (6, (1, "Twice", "P3", "#000000"), "acronyms given twice: {'P3'}"),
        (6, (1, "Pale", "P", "#00000G"), "rows without colour: {6}"),
        (6, (1, "Name", "P", "blue"), "rows without colour: {6}"),
    ],
    ids=["row", "parent", "circle", "roots", "acronym", "colour", "name"],
)
def test_each_fault_is_named(i, row, message):
    """The page's check stops at any fault of a small table."""
    [check] = re.findall(
        r"(?ms)^paths = .*?(?=^# %%\n# Write the arrays)", PAGE.read_text()
    )
    rows = {1: ("", "root", "root", "#FFFFFF")}
    rows |= {2: (1, "Part 2", "P2", "#FFFFFF")}
    rows |= {n: (2, f"Part {n}", f"P{n}", "#FFFFFF") for n in (3, 5)}
    names = {"np": np, "re": re}
    names["labels"] = np.array([0, 1, 3, 5], np.uint32)
    exec(check, names | {"rows": dict(rows)})
    rows[i] = row
    with pytest.raises(ValueError, match=re.escape(message)):
        exec(
            check,
            names | {"rows": {n: row for n, row in rows.items() if row}},
        )

"""The pages on coordinates agree with lookups that share no code with them."""

import cmath
import csv
import re
from itertools import pairwise
from pathlib import Path

import brainglobe_space
import numpy as np
import pytest
import zarr
from brainglobe_atlasapi import BrainGlobeAtlas
from conftest import ROOT, STANDIN, run_example

PAGES = ROOT / "examples" / "coordinates"
BUCKET = "s3/brainglobe/atlas"
ANNOTATION = (
    f"{BUCKET}/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr"
)
TERMINOLOGY = (
    f"{BUCKET}/terminologies/allen_mouse-terminology/3_0/terminology.csv"
)


@pytest.fixture
def place(source) -> Path:
    """Return the folder of each source that the pages are run with."""
    return source[1]


def printed(page: str, place: Path, cwd: Path) -> str:
    """Return what a page prints."""
    source = "standin" if place == STANDIN else str(place)
    return run_example(PAGES / f"{page}.py", source, cwd)


def level(place: Path, um: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the labels at a resolution, and the voxels' centres in µm.

    Resolutions and names of levels are as published.
    """
    name = {10: "s0", 25: "s1", 50: "s2", 100: "s3"}[um]
    labels = zarr.open_array(place / ANNOTATION / name, mode="r")[:]
    centres = [um * np.arange(n) + (um - 10) / 2 for n in labels.shape]
    return labels, centres


def rows_of(place: Path) -> list[dict]:
    """Return the rows of the terminology."""
    with (place / TERMINOLOGY).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def label_at(point_um, labels, centres) -> int:
    """Return the id of the voxel whose centre is nearest; 0 is outside."""
    index = []
    for x, line in zip(point_um, centres, strict=True):
        distance = np.abs(line - x)
        # Halfway between two centres the later one holds the point.
        index.append(len(line) - 1 - int(np.argmin(distance[::-1])))
        half = (line[1] - line[0]) / 2
        if not line[0] - half <= x < line[-1] + half:
            return 0
    return int(labels[tuple(index)])


def a_million_cells(shape) -> np.ndarray:
    """Return the page's cells: the same calls of the same generator."""
    rng = np.random.default_rng(seed=1)
    size = 50.0 * np.array(shape)
    cells = rng.uniform(-500, size + 500, size=(1_000_000, 3))
    cells[700_000:] = rng.normal((7500, 2800, 3500), 900, (300_000, 3))
    cells[993_000:998_000] = 50 * rng.integers(shape, size=(5_000, 3)) - 5
    cells[998_000:999_000, 1] = np.nan
    cells[999_000:, 0] = np.inf * rng.choice((-1, 1), size=1_000)
    return cells


def test_assign_points_counts_every_cell(place, tmp_path, agree):
    text = printed("assign_points", place, tmp_path)
    labels, centres = level(place, 50)
    cells = a_million_cells(labels.shape)
    bins = [np.append(line - 25, line[-1] + 25) for line in centres]
    finite = np.isfinite(cells).all(axis=1)
    # A histogram in place of a lookup. Its last bin is closed; no cell is
    # exactly there.
    per_voxel, _ = np.histogramdd(cells[finite], bins)
    per_voxel = per_voxel.astype(int)
    n_inside = per_voxel.sum()
    n_labelled = per_voxel[labels > 0].sum()
    n = {
        "not finite": 2_000,
        "outside the array": 998_000 - n_inside,
        "background": n_inside - n_labelled,
        "an id without a row": 0,
        "a structure": n_labelled,
        "together": 1_000_000,
        "of them on a border between voxels": 5_000,
    }
    by = "a histogram with the voxels for bins"
    for name, expected in n.items():
        shown = re.search(rf"(?m)^ *([\d,]+) {name}$", text)[1]
        agree("assign_points", name, shown, expected, "points", by)
    rolled = re.findall(r"(?m)^ *([\d,]+) +([\d.]+) +([\d.]+)  (\w+)$", text)
    assert len(rolled) == 13
    rows = rows_of(place)
    for shown, mm3, density, acronym in rolled:
        [own] = [r for r in rows if r["abbreviation"] == acronym]
        family = [
            int(row["annotation_value"])
            for row in rows
            if own["identifier"]
            in re.findall(r"\d+", row["root_identifier_path"])
        ]
        is_own = np.isin(labels, family)
        volume = is_own.sum() * 0.05**3
        expected = per_voxel[is_own].sum()
        agree("assign_points", f"in {acronym}", shown, expected, "points", by)
        row = f"volume of {acronym}, 50 µm", mm3, volume, "mm³"
        agree("assign_points", *row, "the whole array", 6e-4)
        row = f"density in {acronym}", density, expected / volume
        agree("assign_points", *row, "points per mm³", by, 0.06)
    assert "\n0 of 1,000,000 points differ" in text


def test_follow_probe_names_what_is_at_each_depth(place, tmp_path, agree):
    text = printed("follow_probe", place, tmp_path)
    pieces = re.findall(r"(?m)^ *([\d.]+) +([\d.]+) +([\d.]+)  (\S.*)$", text)
    starts, stops, lengths = np.array([p[:3] for p in pieces], float).T
    names = [p[3] for p in pieces]
    assert starts[0] == 0
    assert stops[-1] == 5000
    assert (starts[1:] == stops[:-1]).all()
    assert lengths == pytest.approx(stops - starts, abs=0.011)
    assert len(pieces) > 20
    by = "the length of the probe"
    what = "all pieces together"
    agree("follow_probe", what, lengths.sum(), 5000, "µm", by, 0.2)
    assert all(a != b for a, b in pairwise(names))

    labels, centres = level(place, 25)
    acronyms = {0: "background"} | {
        int(row["annotation_value"]): row["abbreviation"]
        for row in rows_of(place)
    }
    tilt, turn = np.radians((15, 20))
    across = np.sin(tilt)
    way = np.array(
        [across * np.cos(turn), np.cos(tilt), across * np.sin(turn)]
    )
    entry = 7200, 300, 3200
    steps = np.arange(0.005, 5000, 0.01)
    index = (np.outer(steps, way) + entry + 5) // 25
    passed = labels[tuple(index.astype(int).T)]
    ends = steps[np.flatnonzero(np.diff(passed))] + 0.005
    by = "the voxels at steps of 0.01 µm"
    for n, (name, shown, other) in enumerate(
        zip(names, lengths, np.diff([0, *ends, 5000]), strict=True), start=1
    ):
        row = f"piece {n:2}, {name}", shown, other, "µm", by, 0.02
        agree("follow_probe", *row)

    rng = np.random.default_rng(seed=2)
    depths = [rng.uniform(0, 5000, 2000), starts[1:] - 0.01, stops[:-1] + 0.01]
    for depth in np.concatenate(depths):
        point = entry + depth * way
        expected = acronyms[label_at(point, labels, centres)]
        # Depths are printed to a hundredth of a µm.
        near = (starts - 0.006 <= depth) & (depth <= stops + 0.006)
        assert expected in [names[n] for n in np.flatnonzero(near)], depth


def test_convert_coordinates(place, tmp_path, agree):
    text = printed("convert_coordinates", place, tmp_path)
    assert "\n0 indices changed on the way" in text
    for name, um in ("s0", 10), ("s1", 25), ("s2", 50), ("s3", 100):
        found = re.search(rf"{name}: ([\d.]+) of points differ", text)
        expected = 1 - (1 - 5 / um) ** 3
        by = "the share of a voxel within 5 µm of three of its sides"
        what = f"points that change their voxel by 5 µm, {name}"
        agree(
            "convert_coordinates",
            what,
            found[1],
            expected,
            "of all",
            by,
            0.003,
        )

    # RAS, which names the ends of axes, is lpi in BrainGlobe's words.
    matrix = re.search(r"(?s)indices for RAS:\n\[(.*?)\]\]", text)[1]
    turn = np.array(re.findall(r"-?\d+", matrix), int).reshape(4, 4)
    shape = (264, 160, 228)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    peer = brainglobe_space.map_stack_to("asr", "lpi", numbers)
    index = np.random.default_rng(seed=2).integers(shape, size=(1000, 3))
    moved = index @ turn[:3, :3].T + turn[:3, 3]
    assert (peer[tuple(moved.T)] == numbers[tuple(index.T)]).all()

    # 4 mm behind bregma, 3.5 mm below and 1.5 mm to the right, by hand.
    turned = complex(4, 3.5 / 0.9434) * cmath.exp(-1j * cmath.pi * 5 / 180)
    for name, expected in {
        "iblatlas": (5.4 + 4, 0.332 + 3.5, 5.739 - 1.5),
        "forum": (5.4 + turned.real, 0.44 + turned.imag, 5.7 - 1.5),
    }.items():
        line = re.search(rf"(?m)^{name}: .*\[(.*)\] mm$", text)[1]
        by = "bregma and the target's distance from it, by hand"
        for axis, shown, mm in zip(
            ["AP", "DV", "ML"], line.split(), expected, strict=True
        ):
            row = f"target by {name}, {axis}", shown, mm, "mm", by, 6e-4
            agree("convert_coordinates", *row)


def test_peer_finds_the_same_structures(mirror, tmp_path):
    """A point in any voxel comes back to its structure, in the peer too.

    The peer counts from the corner of the array, half a finest voxel (5 µm)
    before the metadata's zero, and takes one point at a time.
    """
    (tmp_path / "brainglobe-atlasapi").symlink_to(mirror / BUCKET)
    peer = BrainGlobeAtlas(
        "allen_mouse_50um", brainglobe_dir=tmp_path, check_latest=False
    )
    labels, centres = level(mirror, 50)
    rng = np.random.default_rng(seed=3)
    ca1 = np.argwhere(labels == 382)
    anywhere = np.argwhere(labels >= 0)
    for voxels, n in (ca1, 2_000), (anywhere, 5_000):
        index = rng.choice(voxels, n)
        points = 50 * index + 20 + rng.uniform(-25, 25, index.shape)
        for point, (i, j, k) in zip(points, index, strict=True):
            ours = label_at(point, labels, centres)
            assert ours == labels[i, j, k]
            assert peer.structure_from_coords(point + 5, microns=True) == ours
            # Without the 5 µm it may only differ that close to a border.
            if np.all((point + 5) % 50 > 5):
                raw = peer.structure_from_coords(point, microns=True)
                assert raw == ours

"""The numbers of the section on volumes, found again without its code.

The pages count by chunks and climb parents; here whole arrays are read from
the folder and the table's paths are followed.
"""

import csv
import json
import re
import sys
from collections import Counter
from statistics import median

import atlas_standin
import numpy as np
import pytest
import zarr
from conftest import ROOT, STANDIN, run, run_example
from scipy import ndimage
from skimage.measure import marching_cubes
from test_structures import DIVISIONS

PAGES = ROOT / "examples" / "volumes"
SETS = "s3/brainglobe/atlas/annotation-sets"
MOUSE, RAT = (
    f"{SETS}/allen_mouse-annotation/3_0",
    f"{SETS}/whs_sd_rat-annotation/3_0",
)
TABLE = (
    "s3/brainglobe/atlas/terminologies/allen_mouse-terminology/3_0/"
    "terminology.csv"
)


class Printed:
    """What a page prints from one source, and that source's own objects."""

    def __init__(self, stem, source, folder, cwd):
        self.text = run_example(PAGES / f"{stem}.py", source, cwd)
        self._folder = folder

    def array(self, name, level):
        """Return an array of the folder."""
        return zarr.open_array(self._folder / name / level, mode="r")

    def labels(self, level, animal=MOUSE):
        """Return the array of a level of an annotation."""
        return self.array(f"{animal}/annotations_compressed.ome.zarr", level)

    def subtree(self, acronym):
        """Return the values of a structure and all below, by the paths."""
        with (self._folder / TABLE).open(encoding="utf-8") as table:
            rows = list(csv.DictReader(table))
        [top] = [
            int(r["identifier"]) for r in rows if r["abbreviation"] == acronym
        ]
        return [
            int(row["annotation_value"])
            for row in rows
            if top in json.loads(row["root_identifier_path"])
        ]

    def numbers(self, pattern):
        """Return the numbers at each # of a line, without their commas."""
        number = r"\s*(-?[\d,]+(?:\.\d+)?)"
        pattern = (
            re.escape(pattern).replace(r"\#", number).replace(r"\ ", r"\s*")
        )
        found = re.search(pattern, self.text)
        assert found, f"{pattern} in\n{self.text}"
        return [float(n.replace(",", "")) for n in found.groups()]


@pytest.fixture
def printed(source, tmp_path):
    """Return a function: stem of a page -> what it prints."""
    return lambda stem: Printed(stem, *source, tmp_path)


def faces_of(mask):
    """Return how many sides a structure shows to other voxels."""
    padded = np.pad(mask, 1)
    return sum(
        np.count_nonzero(padded ^ np.roll(padded, 1, axis))
        for axis in range(3)
    )


def test_measure_structures(printed, agree):
    page = printed("measure_structures")
    labels = page.labels("s1")[:]
    ids = np.unique(labels)
    counts = np.zeros(len(ids), dtype=int)
    for plane in labels:
        counts += np.bincount(
            np.searchsorted(ids, plane.ravel()), minlength=len(ids)
        )
    n_of = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    n_voxels = {
        acronym: sum(n_of.get(i, 0) for i in page.subtree(acronym))
        for acronym in (*DIVISIONS, "root")
    }
    # The root holds every division once, and what is in none of them.
    n_voxels["elsewhere"] = 2 * n_voxels["root"] - sum(n_voxels.values())
    for acronym, n in n_voxels.items():
        by = "the whole array sorted into bins, and the table's paths"
        share = 100 * n / n_voxels["root"]
        shown, mm3, percent = page.numbers(f"\n{acronym} # voxels # mm³ #%")
        row = f"{acronym}, 25 µm", shown, n, "voxels", by
        agree("measure_structures", *row)
        row = f"volume of {acronym}", mm3, n / 64_000, "mm³", by, 6e-4
        agree("measure_structures", *row)
        row = f"share of {acronym}", percent, share, "%", by, 6e-3
        agree("measure_structures", *row)
    tissue = np.count_nonzero(labels)
    assert page.numbers("\nroot # + without a row # voxels") == [tissue, 0]
    assert page.numbers("not zero: # voxels") == [tissue]
    [shown, shown_tissue] = page.numbers("# ids in # voxels")
    agree("measure_structures", "in use", shown, len(ids) - 1, "ids", by)
    assert shown_tissue == tissue
    assert (
        "Without a voxel: Retrosplenial area, dorsal part, layer 4\n"
        in page.text
    )


def test_measure_structures_of_the_generator(tmp_path):
    folder = STANDIN
    page = Printed("measure_structures", "standin", folder, tmp_path)
    counts = atlas_standin.voxel_counts(folder / ".work")
    for acronym in "STR", "PAL", "MB", "P", "MY", "VS", "HPF", "CTXsp":
        n = sum(counts.get(i, 0) for i in page.subtree(acronym))
        assert page.numbers(f"\n{acronym} # voxels")[0] == n > 0


def test_brain_is_as_large_as_others_found_it(mirror, tmp_path, agree):
    page = Printed("measure_structures", str(mirror), mirror, tmp_path)
    [_, mm3] = page.numbers("\nroot # voxels # mm³")
    by = "magnetic resonance of other brains, 508.91 ± 23.42 mm³: "
    by += "Badea et al. 2007, doi:10.1016/j.neuroimage.2007.05.046"
    what = "root, by another method"
    agree("measure_structures", what, mm3, 508.91, "mm³", by, 23.42)


def test_compare_resolutions(printed, agree):
    page = printed("compare_resolutions")
    rsp = page.subtree("RSP")
    n = {}
    for um, level in (50, "s2"), (100, "s3"):
        is_rsp = np.isin(page.labels(level)[:], rsp)
        n[um], error = page.numbers(f"\n{um} µm: # ± # voxels")
        by = "the whole array, and the table's paths"
        what = f"RSP, {um} µm"
        agree("compare_resolutions", what, n[um], is_rsp.sum(), "voxels", by)
        other = faces_of(is_rsp) ** 0.5 / 2
        row = f"error of RSP, {um} µm", error, other, "voxels"
        agree("compare_resolutions", *row, "half the root of its sides", 1)
    fine, mm3 = page.numbers("\n25 µm: # voxels = # mm³")
    other = np.isin(page.labels("s1")[:], rsp).sum()
    agree("compare_resolutions", "RSP, 25 µm", fine, other, "voxels", by)
    row = "volume of RSP, 25 µm", mm3, other / 64_000, "mm³", by, 0.00051
    agree("compare_resolutions", *row)
    [shown] = page.numbers("eight samples at 50 µm: #")
    row = "RSP, from eight samples", shown, fine / 8, "voxels"
    agree("compare_resolutions", *row, "an eighth of those at 25 µm", 1)
    # The volumes agree within what the page calls a prudent margin.
    for um in n:
        error = page.numbers(f"\n{um} µm: # ± # voxels")[1]
        assert abs(n[um] - fine * (25 / um) ** 3) < 2 * error
    # What compare_hemispheres builds on: an error of twice the cube root.
    for um in 50, 100:
        [mm3] = page.numbers(
            f"\n {um} µm: # mm³;" if um == 50 else f"\n{um} µm: # mm³;"
        )
        assert 0.05 * (mm3 / (um / 1000) ** 3) ** (2 / 3) == pytest.approx(
            2, rel=0.15
        )


def count_ids(labels):
    """Return {id: voxels} of a whole array, without the background."""
    ids, counts = np.unique(labels, return_counts=True)
    n_of = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    n_of.pop(0, None)
    return n_of


def sides_of_all(labels, n_of):
    """Return {id: sides shown to another id}: six each, less those within."""
    sides = {i: 6 * n for i, n in n_of.items()}
    for axis in range(3):
        line = np.moveaxis(labels, axis, 0)
        within = count_ids(line[1:][line[1:] == line[:-1]])
        # Nothing is beyond the array that a side could be shown to.
        outer = count_ids(line[[0, -1]])
        for i in sides:
            sides[i] -= 2 * within.get(i, 0) + outer.get(i, 0)
    return sides


def test_compare_resolutions_of_every_structure(printed, agree):
    page = printed("compare_resolutions")
    levels = {25: "s1", 50: "s2", 100: "s3"}
    labels = {um: page.labels(level)[:] for um, level in levels.items()}
    n_of = {um: count_ids(voxels) for um, voxels in labels.items()}
    fine = {i: n / 64_000 for i, n in n_of[25].items()}
    per_voxel = {um: (um / 1000) ** 3 for um in n_of}
    typical = {}
    for um in 50, 100:
        error = {
            i: sides**0.5 / 2
            for i, sides in sides_of_all(labels[um], n_of[um]).items()
        }
        n_fine = {i: mm3 / per_voxel[um] for i, mm3 in fine.items()}
        shares = page.numbers(f"{um} µm: #% within the error, #% within twice")
        for times, shown in enumerate(shares, start=1):
            within = [
                abs(n_of[um].get(i, 0) - n) <= times * error.get(i, 0)
                for i, n in n_fine.items()
            ]
            share = 100 * sum(within) / len(within)
            what = f"structures within {times} × the error, {um} µm"
            by = "six sides for each voxel, less those it shares"
            row = what, shown, share, "%", by, 0.51
            agree("compare_resolutions", *row)
        typical[um] = median(
            error.get(i, 0) * n ** (-1 / 3) for i, n in n_fine.items()
        )
    for um in n_of:
        by = "the voxels of the whole array that are not zero"
        [shown] = page.numbers(f"{um} µm: # mm³ of tissue")
        mm3 = np.count_nonzero(labels[um]) * per_voxel[um]
        row = f"tissue, {um} µm", shown, mm3, "mm³", by, 0.00051
        agree("compare_resolutions", *row)
        # The error is 5 % of n, and the typical one times its cube root.
        n_least = (20 * typical[max(um, 50)]) ** 1.5
        shown, n_below = page.numbers(f"{um} µm: # mm³; # are smaller")
        row = (
            f"size for an error of 5 %, {um} µm",
            shown,
            n_least * per_voxel[um],
        )
        by = "six sides for each voxel, less those it shares"
        agree("compare_resolutions", *row, "mm³", by, 5.1e-5)
        n = sum(mm3 < n_least * per_voxel[um] for mm3 in fine.values())
        row = f"smaller than for 5 %, {um} µm", n_below, n, "structures"
        agree("compare_resolutions", *row, by)


def test_compare_resolutions_of_the_real_atlas(mirror, tmp_path):
    page = Printed("compare_resolutions", str(mirror), mirror, tmp_path)
    assert page.numbers("\n25 µm: # voxels") == [672_063]
    assert page.numbers("\n50 µm: # ±") == [83_858]
    assert page.numbers("\n100 µm: # ±") == [10_456]
    lost = re.findall(r"(?m)^ *(\d+) µm: no (.*)", page.text)
    assert lost == [
        ("25", "RSPd4"),
        ("50", "RSPd4 tspd c"),
        ("100", "RSPd4 tspd c"),
    ]


def test_compare_hemispheres(printed, agree):
    page = printed("compare_hemispheres")
    for animal, place, level in ("mouse", MOUSE, "s2"), ("rat", RAT, "s0"):
        labels = page.labels(level, place)
        hemispheres = page.array(f"{place}/hemispheres.ome.zarr", level)
        width_mm = 0.05 if animal == "mouse" else 0.0390625
        found = [
            page.numbers(
                f"{animal}, {what}'s middle, # mm from the right:\n"
                "  left # + right # voxels"
            )
            for what in ("array", "brain")
        ]
        middle = round(found[1][0] / width_mm)
        sides, own, middles = (
            np.zeros(3, dtype=int),
            np.zeros(2, dtype=int),
            [],
        )
        halves = {
            "array": (labels.shape[2] // 2, Counter(), Counter()),
            "brain": (middle, Counter(), Counter()),
        }
        for start in range(0, labels.shape[0], 128):
            slab = labels[start : start + 128]
            for m, right, left in halves.values():
                right.update(count_ids(slab[..., :m]))
                left.update(count_ids(slab[..., m:]))
            tissue = slab > 0
            side = hemispheres[start : start + 128]
            sides += np.bincount(side[tissue], minlength=3)
            own += tissue[..., middle:].sum(), tissue[..., :middle].sum()
            for plane in tissue[::8]:
                columns = np.flatnonzero(plane.any(axis=0))
                middles += (
                    [columns[[0, -1]].mean() + 0.5] if columns.size else []
                )
        for whose, by, shown, other in (
            ("array", "the published map of sides", found[0][1:], sides[1:]),
            ("brain", "halves of whole slabs", found[1][1:], own),
        ):
            for side, *row in zip(
                ("left", "right"), shown, other, strict=True
            ):
                what = f"{side} of the {animal} {whose}'s middle"
                agree("compare_hemispheres", what, *row, "voxels", by)
        assert sides.sum() == own.sum() == np.sum(found[0][1:])
        for whose, (_, right, left) in halves.items():
            both = right + left
            beyond = {
                i: left[i] - right[i]
                for i, n in both.items()
                if abs(left[i] - right[i]) > 6 * n ** (1 / 3)
            }
            n_left = sum(more > 0 for more in beyond.values())
            shown = page.numbers(
                f"{animal}, {whose}'s middle, # mm from the right:\n"
                "  left # + right # voxels\n"
                "  # of # beyond 3 errors, # larger left"
            )[3:]
            by = "halves of whole slabs, id by id"
            for what, *row in zip(
                (
                    "unlike beyond 3 errors",
                    "compared",
                    "of these, larger left",
                ),
                shown,
                (len(beyond), len(both), n_left),
                strict=True,
            ):
                what = f"{animal}, {whose}'s middle: {what}"
                agree("compare_hemispheres", what, *row, "structures", by)
        assert abs(middle - median(middles)) < 5
        assert (abs(found[0][0] - found[1][0]) > 0.3) == (animal == "rat")
        assert f"{animal}: symmetric is {animal == 'mouse'}" in page.text
        assert (
            f"{animal}: 2 until column {labels.shape[2] // 2}, then 1"
            in page.text
        )


def test_describe_shape(printed, agree):
    page = printed("describe_shape")
    is_cp = page.labels("s2")[:] == 672
    parts, n_parts = ndimage.label(is_cp)
    sizes = np.bincount(parts.ravel())[1:]
    [shown] = page.numbers("# connected parts")
    by = "ndimage, on the whole array"
    agree("describe_shape", "of CP", shown, n_parts, "parts", by)
    found = re.findall(
        r"(\d\.\d+) to (\d\.\d+) mm, centroid (\d\.\d+)", page.text
    )
    found = np.array(found, dtype=float).reshape(2, 3, 3)
    for n, numbers in enumerate(found):
        part = 1 + np.argsort(-sizes)[n]
        # Voxel n of this level reaches from 0.05 n - 0.005 to 0.05 n + 0.045.
        box = ndimage.find_objects(parts)[part - 1]
        ends = np.array([(side.start, side.stop) for side in box])
        centre = ndimage.center_of_mass(parts == part)
        expected = np.column_stack(
            [ends * 0.05 - 0.005, 0.05 * np.array(centre) + 0.02]
        )
        for (axis, end), mm in np.ndenumerate(expected):
            what = ("begin", "end", "centre")[end]
            what = f"part {n + 1} of CP, axis {axis}, {what}"
            row = what, numbers[axis, end], mm, "mm", by, 0.00051
            agree("describe_shape", *row)
    [faces] = page.numbers("faces: # mm²")
    by = "the array against itself, moved by one voxel"
    mm2 = faces_of(is_cp) * 0.05**2
    agree("describe_shape", "faces of CP, 50 µm", faces, mm2, "mm²", by, 0.006)
    [shown, mm3] = page.numbers("# voxels = # mm³")
    by = "the whole array, and its id"
    agree("describe_shape", "CP, 50 µm", shown, is_cp.sum(), "voxels", by)
    row = "volume of CP, 50 µm", mm3, is_cp.sum() / 8000, "mm³", by, 0.00051
    agree("describe_shape", *row)
    [mesh], [smooth] = (
        page.numbers(f"\n{s}mesh: # mm²") for s in ("", "smooth ")
    )
    assert faces > mesh > smooth
    by = "the older algorithm of marching cubes"
    block = np.pad(is_cp, 4).astype(float)
    for what, shown, volume in (
        ("mesh", mesh, block),
        ("smooth mesh", smooth, ndimage.gaussian_filter(block, 1)),
    ):
        points, corners, *_ = marching_cubes(volume, 0.5, method="lorensen")
        p, q, r = 0.05 * points[corners.T]
        mm2 = np.linalg.norm(np.cross(q - p, r - p), axis=1).sum() / 2
        row = f"{what} of CP, 50 µm", shown, mm2, "mm²", by, 0.005 * mm2
        agree("describe_shape", *row)
    # Two balls of radius r: 8/3 π r³ of volume, 8 π r² of surface.
    balls_mm2 = (8 * np.pi) ** (1 / 3) * (3 * mm3) ** (2 / 3)
    [_, shown] = page.numbers("CP: # mm², # times two balls")
    row = "surface of CP", shown, smooth / balls_mm2, "times two balls"
    agree("describe_shape", *row, "geometry", 0.0051)
    bricks, _, true = page.numbers("radius 1.6 mm: #, #, # of")
    for what, shown, other in ("faces", bricks, 1.5), ("smooth", true, 1):
        row = f"a ball, {what}", shown, other, "of its surface"
        agree("describe_shape", *row, "geometry", 0.01 * other)


def test_counting_by_chunks_needs_a_tenth_of_the_memory(tmp_path):
    """The page's count against one structure asked of the whole array."""
    page = PAGES / "measure_structures.py"
    opened, counted, *_ = re.split(
        r"(?m)^# (?:Add parts|Count every).*\n", page.read_text()
    )
    programs = {
        "open": opened,
        "chunks": opened + counted,
        "whole": opened + "\nprint(np.isin(annotation[:], [254, 385]).sum())",
    }
    peak = {}
    for name, text in programs.items():
        program = tmp_path / f"{name}.py"
        text += "\nimport resource\nuse = resource.getrusage(0)"
        program.write_text(text + "\nprint(use.ru_maxrss)\n")
        launch = [
            sys.executable,
            ROOT / "docs/_ext/atlas_launch.py",
            "--example",
        ]
        done = run(
            [*launch, page.relative_to(ROOT), sys.executable, program],
            "standin",
        )
        assert done.returncode == 0, done.stderr
        peak[name] = int(done.stdout.split()[-1])
    chunks, whole = (peak[name] - peak["open"] for name in ("chunks", "whole"))
    assert whole > 300_000  # kB: the array itself
    assert chunks < whole / 10, peak

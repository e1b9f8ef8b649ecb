"""The numbers of the section on slices, found again without its code.

The pages walk the table by parents and count what they drew; here the
table's paths are followed and the stored arrays are read from the folder.
"""

import csv
import json
import math
import re

import numpy as np
import pytest
import zarr
from conftest import ROOT, run_example

PLACE = "s3/brainglobe/atlas"
LABELS = "annotation-sets/allen_mouse-annotation/3_0"
TABLE = "terminologies/allen_mouse-terminology/3_0/terminology.csv"


class Printed:
    """What a page prints from one source, and that source's own objects."""

    def __init__(self, stem, source, folder, cwd):
        example = ROOT / "examples" / "slices" / f"{stem}.py"
        self.text = run_example(example, source, cwd)
        self._folder = folder / PLACE
        with (self._folder / TABLE).open(encoding="utf-8") as table:
            self.rows = list(csv.DictReader(table))
        self.path_of = {
            int(row["annotation_value"]): json.loads(
                row["root_identifier_path"]
            )
            for row in self.rows
        }

    def labels(self, level):
        """Return the array of a level of the annotation."""
        path = self._folder / LABELS / "annotations_compressed.ome.zarr"
        return zarr.open_array(path / level, mode="r")

    def subtree(self, acronym):
        """Return the ids whose path leads through a structure."""
        [top] = [
            int(row["identifier"])
            for row in self.rows
            if row["abbreviation"] == acronym
        ]
        return {i for i, path in self.path_of.items() if top in path}

    def numbers(self, pattern):
        """Return the numbers of each match; ``#`` stands for one."""
        pattern = pattern.replace("#", r"([\d,.]+)")
        found = re.findall(pattern, self.text)
        assert found, f"{pattern} is not in {self.text}"
        return [
            tuple(float(n.replace(",", "")) for n in match)
            if isinstance(match, tuple)
            else float(match.replace(",", ""))
            for match in found
        ]


@pytest.fixture
def printed(source, tmp_path):
    """Return a function: stem of a page -> what it prints."""
    return lambda stem: Printed(stem, *source, tmp_path)


def test_draw_planes(printed, agree):
    page = printed("draw_planes")
    labels = page.labels("s2")
    # 7.5, 2.5 and 3.5 mm, where voxel n reaches from n to n + 1 twentieths
    # of a millimetre, less 5 um.
    value = labels[150, 50, 70]
    [name] = [
        row["name"]
        for row in page.rows
        if int(row["annotation_value"]) == value
    ]
    assert f"Voxel [150, 50, 70] is {name}\n" in page.text
    a, d, m = labels.shape
    assert page.numbers("# of # voxels differ") == [(0, d), (0, m), (0, a)]
    shown = sum(n for _, n in page.numbers("# of # voxels differ"))
    by = "the shape of the stored array"
    what = "along the lines where planes meet, all alike"
    agree("draw_planes", what, shown, a + d + m, "voxels", by)


def test_outline_structures(printed, agree):
    page = printed("outline_structures")
    section = page.labels("s1")[300]
    hip = page.subtree("HIP")
    is_hip = np.isin(section, list(hip)).astype(int)
    n = is_hip.sum()
    pairs = (is_hip[1:] * is_hip[:-1]).sum()
    pairs += (is_hip[:, 1:] * is_hip[:, :-1]).sum()
    unlike = [
        int(one != other)
        for lines in (section, section.T)
        for line in lines.tolist()
        for one, other in zip([0, *line], [*line, 0], strict=True)
    ]
    assert n > 1000
    [lines] = page.numbers("# lines between structures, # HIP")
    by = "voxels unlike the next, and four sides for each less those shared"
    for what, shown, other in zip(
        ("lines between structures", "lines around HIP"),
        lines,
        (sum(unlike), 4 * n - 2 * pairs),
        strict=True,
    ):
        agree("outline_structures", what, shown, other, "sides", by)
    mm2 = round(n * 0.025**2, 4)
    assert page.numbers("HIP, within the lines: # mm²") == [mm2]
    assert page.numbers("HIP, # voxels: # mm²") == [(n, mm2)]
    [shown] = page.numbers("HIP, within the lines: # mm²")
    by = "voxels whose path in the table leads through HIP"
    what = "HIP in the section, within its outline"
    agree("outline_structures", what, shown, mm2, "mm²", by, 5e-5)
    [named] = re.findall(r"(?m)^HIP, CA.*", page.text)
    assert len(named.split(", ")) == len(hip)


def test_write_names(printed, agree):
    page = printed("write_names")
    half = np.pad(page.labels("s1")[300, :, 228:], 2)
    core = half[2:-2, 2:-2]
    # Deep enough: everything within two steps belongs to the structure.
    is_deep = np.ones(core.shape, dtype=bool)
    for y in range(-2, 3):
        for x in range(abs(y) - 2, 3 - abs(y)):
            moved = half[2 + y : 322 + y, 2 + x : 230 + x]
            is_deep &= moved == core
    ids = set(np.unique(core).tolist()) - {0}
    roomy = set(np.unique(core[is_deep]).tolist()) - {0}
    [(n_names, n_structures)] = page.numbers("# names for # structures")
    [(n_thin, n_crowded)] = page.numbers("# too thin, # crowded out")
    by = "the ids of the stored plane"
    what = "in the section"
    agree("write_names", what, n_structures, len(ids), "structures", by)
    assert n_names > 90
    assert page.numbers("# of # names are in") == [(n_names, n_names)]
    by = "voxels with none but their own id within two steps"
    what = "in the section, too thin for a name"
    agree("write_names", what, n_thin, len(ids - roomy), "structures", by)
    row = "named or crowded out", n_names + n_crowded, len(roomy), "structures"
    agree("write_names", *row, by)


def test_colour_structures(printed, agree):
    page = printed("colour_structures")
    table = re.findall(
        r"(?m)^(\S+) +([\d,]+) voxels going up, +([\d,]+) g", page.text
    )
    acronyms = {
        int(row["identifier"]): row["abbreviation"] for row in page.rows
    }
    valued = {acronym for acronym, _, _ in table}
    assert len(valued) == 10
    nearest = {
        i: [acronyms[j] for j in path if acronyms[j] in valued][-1:]
        for i, path in page.path_of.items()
    }
    n_voxels = dict.fromkeys(valued, 0)
    for plane in 110, 132, 170:
        ids, counts = np.unique(page.labels("s2")[plane], return_counts=True)
        for i, n in zip(ids.tolist(), counts.tolist(), strict=True):
            for acronym in nearest.get(i, []):
                n_voxels[acronym] += n
    by = "the paths of the table"
    for acronym, up, down in table:
        n = n_voxels[acronym]
        what = f"{acronym} in the sections"
        agree("colour_structures", what, up, n, "voxels", by)
        assert down == up
        assert n > 0
    [(shown, n_rows)] = page.numbers("# of # structures have a value")
    assert n_rows == len(page.rows)
    n_valued = sum(map(bool, nearest.values()))
    what = "with a value, own or inherited"
    agree("colour_structures", what, shown, n_valued, "structures", by)


def test_cut_angle(printed, agree):
    page = printed("cut_angle")
    labels = page.labels("s2")[:]
    centre = {}
    for acronym in "MH", "fr", "IPN":
        is_inside = np.isin(labels, list(page.subtree(acronym)))
        n = is_inside.sum()
        centre[acronym] = [
            0.02
            + 0.05 * np.average(np.arange(size), weights=is_inside.sum(others))
            for size, others in zip(
                labels.shape, ((1, 2), (0, 2), (0, 1)), strict=True
            )
        ]
        [(found, *where)] = page.numbers(
            rf"{acronym}: # voxels around \[ *# +# +# *\]"
        )
        by = "the whole array, and the paths of the table"
        agree("cut_angle", acronym, found, n, "voxels", by)
        assert n > 500
        for axis, shown, mm in zip("ADM", where, centre[acronym], strict=True):
            row = f"centre of {acronym}, {axis}", shown, mm, "mm", by, 0.0051
            agree("cut_angle", *row)
    a, d, m = centre["MH"]
    back, down = centre["IPN"][0] - a, centre["IPN"][1] - d
    tilt = math.atan(back / down)
    [shown] = page.numbers("tilted by #°")
    by = "averages of the two landmarks' voxels, and trigonometry"
    agree("cut_angle", "tilt", shown, math.degrees(tilt), "°", by, 0.05)

    tract = page.subtree("fr")
    n_oblique = 0
    for step in range(190):
        along = -3.475 + step * 0.05
        i = math.floor((a + along * math.sin(tilt) + 0.005) / 0.05)
        j = math.floor((d + along * math.cos(tilt) + 0.005) / 0.05)
        if 0 <= i < labels.shape[0] and 0 <= j < labels.shape[1]:
            for side in range(220):
                k = math.floor((m - 5.475 + side * 0.05 + 0.005) / 0.05)
                n_oblique += int(labels[i, j, k]) in tract
    coronal = max(
        sum(int(i) in tract for i in plane[plane > 0]) for plane in labels
    )
    assert n_oblique > coronal > 0
    [(in_cut, in_section)] = page.numbers(
        "fr: # voxels in the cut, # in a coronal"
    )
    by = "the voxel below each point of the cut, one by one"
    agree("cut_angle", "fr in the cut", in_cut, n_oblique, "voxels", by)
    by = "the section that has most of it"
    agree("cut_angle", "fr in a section", in_section, coronal, "voxels", by)
    size = labels[0].size
    assert page.numbers("no tilt: # of # voxels differ") == [(0, size)]
    assert page.numbers("ids without a name: #") == [0]

"""The pages about structures say what the table and the array hold.

What is expected is worked out from the raw lines of the table and the voxels
of a level by matrices and regular expressions, which no page uses, or was
counted once on the real table with awk and struct.pack.
"""

import re
from pathlib import Path

import atlas_standin
import numpy as np
import pytest
import zarr
from conftest import ROOT, STANDIN, run_example
from folders import write_folder

PAGES = ROOT / "examples" / "structures"
ATLAS = "s3/brainglobe/atlas/"
TABLE = ATLAS + "terminologies/allen_mouse-terminology/3_0/terminology.csv"
STORE = ATLAS + "annotation-sets/allen_mouse-annotation/3_0/"
STORE += "annotations_compressed.ome.zarr"
CELL = r'("(?:[^"]|"")*"|[^,]*)'
DIVISIONS = ["Isocortex", "OLF", "HPF", "CTXsp", "STR", "PAL", "TH", "HY"]
DIVISIONS += ["MB", "P", "MY", "CB", "fiber tracts", "VS"]
SORTED = "the sorted array, and powers of the matrix of parents"


def table_in(root: Path) -> np.ndarray:
    """Return id, parent, name and acronym of each structure, as text."""
    row = re.compile(rf"(?m)^(\d+),(\d*),\1,{CELL},{CELL},#\w{{6}},")
    found = row.findall((root / TABLE).read_text())
    return np.array([[cell.strip('"') for cell in line] for line in found])


def is_part(table: np.ndarray) -> np.ndarray:
    """Return a matrix: structure i is j, or a part of j."""
    parents = (table[:, 1, None] == table[:, 0]).astype("float32")
    reached = np.eye(len(table), dtype="float32")
    for _ in range(20):
        reached = ((reached + reached @ parents) > 0).astype("float32")
    return reached > 0


def expected(root: Path, page: str) -> list[str]:
    """Return lines that a page must print."""
    table = table_in(root)
    ids, names, acronyms = table[:, 0].astype(int), table[:, 2], table[:, 3]
    part = is_part(table)
    if page == "search_terminology":
        motor = [name for name in names if "motor" in name.lower()]
        comma = sum("," in name for name in names)
        cut = sum("," in n or "," in a for n, a in table[:, 2:])
        short = [name for name in motor if not re.search("(?i)layer", name)]
        return [
            f"{len(table)} structures, each with identifier, parent_id",
            f"{comma} names hold a comma",
            f"{cut} acronyms are wrong",
            f"{sum(i >> 16 > 0 for i in ids.tolist())} ids exceed 65,535",
            f"the largest is {ids.max():,}",
            f"structures would share {len(set(ids.astype('f4')))} numbers",
            f"{len(motor)} names with 'motor', {len(short)} of them not",
            f"{len(motor)} rows, {len(motor)} lines",
        ]
    if page == "walk_hierarchy":
        alike = np.char.startswith(acronyms[:, None], acronyms[None])
        depth, leaf = part.sum(axis=1) - 1, part.sum(axis=0) == 1
        [rsp] = np.flatnonzero(acronyms == "RSP")
        lines = [
            f"{len(table)} structures, {leaf.sum()} leaves, ",
            f"Down: {part[:, rsp].sum() - 1} descendants",
            f"For {(alike != part).any(axis=0).sum()} of {len(table)} acr",
            f"{len(table)} of {len(table)} paths are the same",
        ]
        for d in range(depth.max() + 1):
            n, leaves = (depth == d).sum(), leaf[depth == d].sum()
            lines.append(f"depth {d}: {n} structures, {leaves} of them leaves")
        for name in "VISp", "TH", "P":
            [i] = np.flatnonzero(acronyms == name)
            more = (alike[:, i] & ~part[:, i]).sum()
            less = (part[:, i] & ~alike[:, i]).sum()
            lines.append(f"{name}: {more} strangers, {less} descendants miss")
        return lines
    fine = zarr.open_array(root / STORE / "s2", mode="r")[:]
    fine = np.sort(fine, axis=None)
    own = [np.searchsorted(fine, ids, side) for side in ("left", "right")]
    n_voxels = (own[1] - own[0]) @ part
    lost = acronyms[n_voxels == 0]
    lines = [
        f"{len(lost)} structures have no voxel: {', '.join(lost)}",
        "with the root {0:,}; labelled {0:,} fine, {0:,} coarse".format(
            np.count_nonzero(fine)
        ),
    ]
    for name in DIVISIONS:
        [n] = n_voxels[acronyms == name]
        lines.append(
            f"{name}: {n:,} coarse, {n:,} fine, {n * 0.05**3:.2f} mm³"
        )
    return lines


# What is noted of each page: another route, a unit, and as printed, in words.
NUMBER = r"([\d,.]+)"
ANSWERS = [
    (
        "search_terminology",
        "the table's text, by regular expressions",
        "structures",
        {
            f"{NUMBER} structures, each": "rows",
            f"{NUMBER} names hold": "names that hold a comma",
            f"{NUMBER} acronyms are": "wrong if lines are split at commas",
            f"{NUMBER} ids exceed 65": "ids that need more than 16 bits",
            f"would share {NUMBER}": "numbers that float32 would leave",
            f"{NUMBER} names with": "names that hold the word motor",
            f"{NUMBER} of them not": "names that hold motor, and no layer",
        },
    ),
    (
        "walk_hierarchy",
        "powers of the matrix of parents",
        "structures",
        {
            f"Down: {NUMBER}": "below RSP",
            f"{NUMBER} structures, \\d+ leaves, ": "in all",
            f"structures, {NUMBER} leaves, ": "leaves",
            f"For {NUMBER} of": "whose acronym leads to another set",
        }
        | {
            f"depth {d}: {NUMBER} structures": f"at depth {d}"
            for d in range(10)
        }
        | {
            f"depth {d}: \\d+ structures, {NUMBER}": f"leaves at depth {d}"
            for d in range(10)
        }
        | {
            f"(?m)^{name}: {NUMBER} strangers": f"strangers in {name}"
            for name in ("VISp", "TH", "P")
        }
        | {
            f"(?m)^{name}: .* {NUMBER} descendants": f"missed in {name}"
            for name in ("VISp", "TH", "P")
        },
    ),
    (
        "coarsen_annotation",
        SORTED,
        "voxels",
        {
            f"(?m)^{name}: {NUMBER} coarse": f"{name}, 50 µm"
            for name in DIVISIONS
        }
        | {f"with the root {NUMBER};": "with the root, 50 µm"},
    ),
    (
        "coarsen_annotation",
        SORTED,
        "mm³",
        {
            f"(?m)^{name}: .* {NUMBER} mm³": f"volume of {name}, 50 µm"
            for name in DIVISIONS
        },
    ),
]
PAGE_NAMES = sorted(page.stem for page in PAGES.glob("*.py"))


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_page_agrees_with_the_standin(page, tmp_path):
    printed = run_example(PAGES / f"{page}.py", "standin", tmp_path)
    assert len(table_in(STANDIN)) == len(atlas_standin.read_structures())
    for line in expected(STANDIN, page):
        assert line in printed


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_page_agrees_with_the_mirror(page, mirror, tmp_path, agree):
    printed = run_example(PAGES / f"{page}.py", str(mirror), tmp_path)
    lines = expected(mirror, page)
    for line in lines:
        assert line in printed
    for stem, by, unit, patterns in ANSWERS:
        for pattern, what in patterns.items() if stem == page else ():
            shown, other = (
                re.search(pattern, text)[1]
                for text in (printed, "\n".join(lines))
            )
            agree(page, what, shown, other, unit, by)


def test_real_table_is_as_published(mirror):
    table = table_in(mirror)
    part = is_part(table)
    ids = table[:, 0].astype(int)
    assert len(table) == 840
    assert (part.sum(axis=0) == 1).sum() == 643
    assert part.sum(axis=1).max() == 10
    assert (ids > 65_535).sum() == 81
    assert np.char.count(table[:, 2], ",").astype(bool).sum() == 386
    alike = np.char.startswith(table[:, 3, None], table[None, :, 3])
    assert (alike != part).any(axis=0).sum() == 187


@pytest.fixture
def odd_mirror(tmp_path) -> Path:
    """Return a mirror with a structure NA, a huge id, and a stray label."""
    lines = [
        "identifier,parent_identifier,annotation_value,name,abbreviation,"
        "color_hex_triplet,root_identifier_path",
        "1,,1,root,root,#FFFFFF,[1]",
    ]
    for n, acronym in enumerate([*DIVISIONS, "RSP", "VISp"], start=2):
        lines.append(
            f'{n},1,{n},"{acronym}, all",{acronym},#123456,"[1, {n}]"'
        )
    lines.append('99,7,4000000000,"Nucleus, motor",NA,#FF0000,"[1, 7, 99]"')
    voxels = np.zeros((100, 60, 90), "uint32")
    voxels[20:90, 10:50, 20:70] = np.arange(2, 16).repeat(5)[:, None, None]
    voxels[75, 25, 35], voxels[43, 13, 42] = 4_000_000_000, 77
    place = {"scale": [0.1] * 3}, {"translation": [0.0] * 3}
    sides = "front-to-back", "top-to-bottom", "right-to-left"
    axes = [{"orientation": {"value": side}} for side in sides]
    image = {
        "axes": axes,
        "datasets": [{"path": "x", "coordinateTransformations": place}],
    }
    root = tmp_path / "mirror"
    group = zarr.create_group(
        root / STORE, attributes={"ome": {"multiscales": [image]}}
    )
    group.create_array("x", data=voxels, chunks=(50, 60, 90))
    objects = {TABLE: "\n".join([*lines, ""]).encode()}
    return write_folder(root, objects, complete=[f"{STORE}/"])


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        (
            "search_terminology",
            [
                "17 names hold a comma",
                "18 different acronyms",
                "mm: 77 not in the table",
                "mm: 4000000000 Nucleus, motor",
                "mm: 0 background",
            ],
        ),
        (
            "coarsen_annotation",
            [
                "1 labels have no row",
                "2 structures have no voxel: RSP, VISp",
                "PAL: 10,001 coarse, 10,001 fine, 10.00 mm³",
                "CB: 9,999 coarse, 9,999 fine, 10.00 mm³",
                "STR: 9,999 coarse, 9,999 fine, 10.00 mm³",
                "root 139,999; labelled 140,000 fine, 140,000 coarse",
            ],
        ),
    ],
)
def test_na_and_strays_are_kept(page, lines, odd_mirror, tmp_path):
    (tmp_path / "cwd").mkdir()
    page = PAGES / f"{page}.py"
    printed = run_example(page, str(odd_mirror), tmp_path / "cwd")
    for line in lines:
        assert line in printed

"""What the pages on two species and on links say, found another way.

Structures are counted here in whole slabs, by published ids and the tables'
paths; links are decoded, and their positions taken to the arrays by hand.
"""

import csv
import json
import re
import sys
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
import zarr
from bs4 import BeautifulSoup
from conftest import ROOT, SOURCE, run, run_example

PAGES = ROOT / "examples" / "sharing"
SPECIES, LINK = PAGES / "compare_species.py", PAGES / "open_neuroglancer.py"
LAUNCH = [sys.executable, ROOT / "docs/_ext/atlas_launch.py"]
BUCKET = "s3/brainglobe/"
VIEWER = "https://neuroglancer-demo.appspot.com/#!"
# Published ids of what is compared, in the mouse and in the rat.
STRUCTURES = {
    "cerebellum": ([512, 728], [4, 5]),
    "caudoputamen": ([672], [197]),
    "hippocampus": ([375, 726], [95, 96, 97, 98]),
    "entorhinal": ([909], [114, 115]),
    "retrosplenial": ([254], [427, 430]),
    "primary visual": ([385], [442]),
    "primary motor": ([985], [408]),
    "claustrum": ([583], [412]),
    "not brain": ([73], [33, 41, 45, 70, 119, 120, 121, 122, 125, 162]),
}


def rows_of(place, atlas="allen_mouse"):
    """Return the rows of a terminology."""
    table = f"atlas/terminologies/{atlas}-terminology/3_0/terminology.csv"
    with (place / BUCKET / table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def subtree(ids, rows):
    """Return the values of structures and of all below, by the paths."""
    return {
        int(row["annotation_value"])
        for row in rows
        if set(json.loads(row["root_identifier_path"])) & set(ids)
    }


def annotation(place, level, atlas="allen_mouse"):
    """Return the array of a level of an annotation."""
    folder = f"atlas/annotation-sets/{atlas}-annotation/3_0"
    group = place / BUCKET / folder / "annotations_compressed.ome.zarr"
    return zarr.open_array(group / level, mode="r")


def volumes_mm3(place, atlas, level, side_mm):
    """Return the volumes of the structures, and of everything."""
    labels, rows = annotation(place, level, atlas), rows_of(place, atlas)
    values = np.unique([0, *(int(row["annotation_value"]) for row in rows)])
    n = np.zeros(values.size + 1, dtype=int)
    for start in range(0, labels.shape[0], 64):
        slab = labels[start : start + 64].ravel()
        n += np.bincount(np.searchsorted(values, slab), minlength=n.size)
    assert n[-1] == 0, "an id beyond the table"
    column = ["allen_mouse", "whs_sd_rat"].index(atlas)
    found = {
        name: n[:-1][np.isin(values, [*subtree(ids[column], rows)])].sum()
        for name, ids in STRUCTURES.items()
    }
    found["everything"] = n[1:].sum()
    return {name: count * side_mm**3 for name, count in found.items()}


def test_compare_species(source, tmp_path, agree):
    name, place = source
    text = run_example(SPECIES, name, tmp_path)
    mouse = volumes_mm3(place, "allen_mouse", "s2", 0.05)
    rat = volumes_mm3(place, "whs_sd_rat", "s0", 0.0390625)
    compared = [name for name in STRUCTURES if name != "not brain"]
    printed = re.findall(
        r"(?m)^([a-z ]+?) +mouse +([\d.]+) mm³ = +([\d.]+)%, "
        r"rat +([\d.]+) mm³ = +([\d.]+)%, ratio ([\d.]+)$",
        text,
    )
    assert [line[0] for line in printed] == compared
    brains = [a["everything"] - a["not brain"] for a in (mouse, rat)]
    for name, *numbers in printed:
        shares = mouse[name] / brains[0], rat[name] / brains[1]
        expected = [mouse[name], 100 * shares[0], rat[name], 100 * shares[1]]
        found = [float(number) for number in numbers]
        by = "both arrays, whole, and the paths of the tables"
        for animal, n in ("mouse", 0), ("rat", 2):
            row = f"{animal}: {name}", found[n], expected[n], "mm³", by, 0.0051
            agree("compare_species", *row)
            row = f"{animal}: share of {name}", found[n + 1], expected[n + 1]
            agree("compare_species", *row, "%", by, 0.00051)
        ratio, what = shares[1] / shares[0], f"share, rat to mouse: {name}"
        agree("compare_species", what, found[4], ratio, "times", by, 0.0051)
    wholes = {
        "brain": brains,
        "all with an id": [mouse["everything"], rat["everything"]],
        "structures compared": [
            sum(animal[name] for name in compared) for animal in (mouse, rat)
        ],
    }
    for whole, sizes in wholes.items():
        line = re.search(
            rf"(?m)^{whole}: ([\d.]+) and ([\d.]+) mm³, ratio ([\d.]+)$", text
        )
        found = [float(number) for number in line.groups()]
        for animal, shown, mm3 in zip(
            ("mouse", "rat"), found[:2], sizes, strict=True
        ):
            row = f"{animal}: {whole}", shown, mm3, "mm³", by, 0.051
            agree("compare_species", *row)
        row = f"rat to mouse: {whole}", found[2], sizes[1] / sizes[0]
        agree("compare_species", *row, "times", by, 0.00051)


def test_compare_species_of_the_real_atlases(mirror, tmp_path):
    text = run_example(SPECIES, str(mirror), tmp_path)
    # 83,858 voxels of 50 µm; 4,048,846 have an id.
    assert re.search(r"retrosplenial +mouse +10\.48 mm³", text)
    assert "all with an id: 506.1 and " in text
    # One cube root of the claustrum's 4,410 voxels is 16.4.
    assert "At most 0.7% of a volume" in text


@pytest.mark.parametrize("name", ["Claustrum", "Cornu ammonis 2"])
def test_a_name_that_is_not_found_stops_the_comparison(name, tmp_path):
    page = tmp_path / "page.py"
    page.write_text(SPECIES.read_text().replace(name, "No such name"))
    done = run([*LAUNCH, sys.executable, page], "standin", tmp_path)
    assert done.returncode != 0
    assert "no No such name" in done.stderr


def state_of(link):
    """Return the state that a link holds."""
    assert link.startswith(VIEWER)
    return json.loads(unquote(link.removeprefix(VIEWER)))


def position_mm(state):
    """Return where a state looks, in mm, by the names of the axes."""
    sizes = state["dimensions"]
    assert {unit for _, unit in sizes.values()} == {"m"}
    at = zip(sizes.items(), state["position"], strict=True)
    return {name: 1000 * size * where for (name, (size, _)), where in at}


def selected(state):
    """Return the ids that a state selects."""
    [layer] = [x for x in state["layers"] if x["type"] == "segmentation"]
    assert set(layer["segmentColors"]) == set(layer["segments"])
    return {int(i) for i in layer["segments"]}


def printed_link(text):
    """Return the link that the page prints."""
    [link] = re.findall(rf"(?m)^{re.escape(VIEWER)}\S+$", text)
    return link


def test_link_opens_the_view_of_the_page(source, tmp_path, agree):
    name, place = source
    text = run_example(LINK, name, tmp_path)
    link = printed_link(text)
    state = state_of(link)
    assert position_mm(state) == pytest.approx({"x": 7.9, "y": 2, "z": 7.5})
    rows = rows_of(place)
    ids = subtree([254, 1080], rows)
    assert selected(state) == ids
    assert f"{len(link):,} characters, {len(ids)} ids:\n" in text
    shown = re.search(r"(\d+) ids:\n", text)[1]
    by = "the state that the link holds, and the table's paths"
    agree("open_neuroglancer", "in the link", shown, len(ids), "ids", by)
    colours = {r["annotation_value"]: r["color_hex_triplet"] for r in rows}
    for layer in state["layers"]:
        for i, colour in layer.get("segmentColors", {}).items():
            assert colour == colours[i]
    assert "the same state: True\n" in text
    assert text.endswith("x 7.9, y 2, z 7.5 mm: HIP\n")
    # Neuroglancer takes the translation for the centre of the first voxel,
    # and a voxel to reach half its size to both sides of its centre.
    for level, um in ("s1", 25), ("s2", 50):
        low_um = -5 + um * np.arange(2000)
        z, y, x = (
            np.searchsorted(low_um, 1000 * position_mm(state)[axis]) - 1
            for axis in "zyx"
        )
        assert annotation(place, level)[z, y, x] in subtree([1080], rows)


def test_link_names_objects_that_are_there(source, tmp_path):
    name, place = source
    state = state_of(printed_link(run_example(LINK, name, tmp_path)))
    web = "https://brainglobe.s3.us-west-2.amazonaws.com/"
    grey, labels = state["layers"]
    voxels, surfaces = labels["source"]
    for url in grey["source"], voxels:
        folder = re.fullmatch(rf"{web}(.*)/\|zarr3:", url)[1]
        metadata = (place / BUCKET / folder / "zarr.json").read_text()
        assert '"multiscales"' in metadata
    folder = surfaces["url"].removeprefix(f"precomputed://{web}")
    info = json.loads((place / BUCKET / folder / "info").read_text())
    assert set(surfaces["subsources"]) == {"mesh", "properties"}
    assert info["type"] == "segmentation"
    assert info["mesh"] == "mesh"
    # The unit in which the link counts is that of the finest level.
    finest = {"x": [1e-5, "m"], "y": [1e-5, "m"], "z": [1e-5, "m"]}
    assert state["dimensions"] == finest


ROLE = """
import sys
sys.path.insert(0, "docs/_ext")
import gallery_neuroglancer
for view in sys.argv[1:]:
    print(gallery_neuroglancer.link(view))
"""


def test_role_makes_the_links_of_the_page(source, tmp_path):
    """Asked for its own view, and for another."""
    text = LINK.read_text()
    for line, other in (
        ("position_mm = [7.5, 2.0, 7.9]", "[6.9, 3.05, 5.7]"),
        ('acronyms = ["RSP", "HIP"]', '["MH", "fr", "IPN"]'),
    ):
        assert text.count(line) == 1
        text = text.replace(line, f"{line.split(' = ')[0]} = {other}")
    # The link is printed before the still is drawn.
    page = tmp_path / "page.py"
    page.write_text(text.partition("# Draw the still")[0])
    made = run([*LAUNCH, sys.executable, page], source[0], tmp_path)
    assert made.returncode == 0, made.stderr
    views = ["7.5 2.0 7.9; RSP, HIP", "6.9 3.05 5.7; MH, fr, IPN"]
    done = run([*LAUNCH, sys.executable, "-c", ROLE, *views], source[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        printed_link(run_example(LINK, source[0], tmp_path)),
        printed_link(made.stdout),
    ]


def test_role_knows_no_other_acronym():
    view = "7.5 2.0 7.9; RSP, XYZ"
    done = run([*LAUNCH, sys.executable, "-c", ROLE, view], "standin")
    assert done.returncode != 0
    assert "no structure XYZ" in done.stderr


def link_of(stem, site):
    """Return the link of a slice page; the notebook must have it too."""
    page = site / "aws_examples" / "slices" / f"{stem}.html"
    soup = BeautifulSoup(page.read_text(), "html.parser")
    [link] = {a["href"] for a in soup.select(f"a[href^='{VIEWER}']")}
    [path] = (site / "aws_examples").rglob(f"{stem}.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    assert f"]({link})" in prose
    assert ":neuroglancer:" not in prose
    return link


def numbers_after(text, words):
    """Return the numbers in the brackets, or to the end, after words."""
    line = re.search(rf"(?m){re.escape(words)}[\[(]*([^\])\n]+)", text)[1]
    return [float(number) for number in re.findall(r"[\d.]+", line)]


def test_each_slice_page_opens_its_own_section(site, tmp_path):
    folder = ROOT / "examples" / "slices"
    code = {page.stem: page.read_text() for page in folder.glob("*.py")}
    states = {stem: state_of(link_of(stem, site)) for stem in code}
    at = {stem: position_mm(state) for stem, state in states.items()}
    zyx = {stem: [mm[axis] for axis in "zyx"] for stem, mm in at.items()}

    assert zyx["draw_planes"] == pytest.approx(
        numbers_after(code["draw_planes"], "point_mm = np.array(")
    )
    for stem in "outline_structures", "write_names":
        [position] = numbers_after(code[stem], "\nposition_mm = ")
        assert at[stem]["z"] == pytest.approx(position)
    x, y, width, height = numbers_after(
        code["outline_structures"], "indicate_inset("
    )
    assert x < at["outline_structures"]["x"] < x + width
    assert y < at["outline_structures"]["y"] < y + height
    assert at["write_names"]["x"] > 5.7, "not in the half that is drawn"
    frames = site / "aws_examples/slices/coronal_sections"
    places = [float(path.stem.split("_")[0]) for path in frames.iterdir()]
    assert at["scrub_slices"]["z"] == pytest.approx(np.median(places), abs=0.1)
    _, middle, _ = numbers_after(code["colour_structures"], "positions_mm = ")
    assert at["colour_structures"]["z"] == pytest.approx(middle)
    printed = run_example(folder / "cut_angle.py", SOURCE, tmp_path)
    landmark = re.search(r"MH: .* around \[(.*)\] mm", printed)[1].split()
    landmark = [float(mm) for mm in landmark]
    assert zyx["cut_angle"] == pytest.approx(landmark, abs=0.1)


# Published ids; a link holds their descendants too.
SHOWN = {
    "draw_planes": {},
    "outline_structures": {"HIP": 1080},
    "write_names": {},
    "colour_structures": {
        **{"SSp-bfd": 329, "VISp": 385, "RSP": 254},
        **{"CA3": 463, "DG": 726, "RT": 262},
    },
    "cut_angle": {"MH": 483, "fr": 595, "IPN": 100},
}


@pytest.mark.parametrize("stem", SHOWN)
def test_each_slice_page_opens_its_own_structures(stem, site):
    ids = selected(state_of(link_of(stem, site)))
    tops = set(SHOWN[stem].values())
    assert tops <= ids
    assert bool(ids) == bool(tops)
    code = (ROOT / "examples" / "slices" / f"{stem}.py").read_text()
    for acronym in SHOWN[stem]:
        assert f'"{acronym}"' in code

"""The stand-in has the published layout, and its own counts are right."""

import csv
import io
import json
import struct

import atlas_standin
import DracoPy
import numpy as np
import pytest
import trimesh
import zarr

GIN = (
    "gin.g-node.org/BrainGlobe/atlases-v2/raw/master/annotations/"
    "allen_mouse_v1"
)
ATLAS = "s3/brainglobe/atlas"
LABELS = f"{ATLAS}/annotation-sets/allen_mouse-annotation/3_0"
COMPRESSED = f"{LABELS}/annotations_compressed.ome.zarr"
HEMISPHERES = f"{LABELS}/hemispheres.ome.zarr"
TEMPLATE = (
    f"{ATLAS}/templates/allen-adult-mouse-stpt-template/2015/template.ome.zarr"
)
TERMS = f"{ATLAS}/terminologies/allen_mouse-terminology/3_0/terminology.csv"
SHAPES = {
    "s0": (1320, 800, 1140),
    "s1": (528, 320, 456),
    "s2": (264, 160, 228),
    "s3": (132, 80, 114),
}
PRECOMPUTED = f"{LABELS}/annotations.precomputed"
MASKS = f"{LABELS}/annotations.ome.zarr"


def parts_of(*names):
    """Parts of these names, and all slabs of the levels among them."""
    return [
        part
        for part in atlas_standin.PARTS
        if part in names or part.rpartition("/")[0] in names
    ]


MADE = parts_of(
    "gin", "metadata", "terminology",
    "annotations_compressed/s1", "annotations_compressed/s2",
    "annotations_compressed/s3", "hemispheres/s2", "hemispheres/s3",
    "template/s2", "template/s3",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of the parts in MADE, the cache, and what each part claimed."""
    folder = tmp_path_factory.mktemp("standin")
    cache = tmp_path_factory.mktemp("cache")
    held = {p: atlas_standin.write_part(p, folder, cache) for p in MADE}
    return folder, cache, held


@pytest.fixture(scope="module")
def labels(made):
    return zarr.open_array(made[0] / COMPRESSED / "s1", mode="r")[:]


@pytest.fixture(scope="module")
def terms(made):
    text = (made[0] / TERMS).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def parents_of(rows):
    return {
        int(r["identifier"]): int(r["parent_identifier"] or 0) for r in rows
    }


def descendants(parents, top):
    """Ids at or below top, found by walking up from each row."""
    below = set()
    for start in parents:
        node, steps = start, 0
        while node and node != top:
            node, steps = parents[node], steps + 1
            assert steps <= len(parents), f"cycle above {start}"
        if node == top:
            below.add(start)
    return below


@pytest.mark.parametrize("level", ["s1", "s2", "s3"])
def test_labels_have_the_published_metadata(made, level):
    chunks = {"s1": [66, 40, 114]}.get(level, [66, 40, 57])
    text = (made[0] / COMPRESSED / level / "zarr.json").read_text()
    assert json.loads(text) == {
        "shape": list(SHAPES[level]),
        "data_type": "uint32",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": chunks},
        },
        "chunk_key_encoding": {
            "name": "default",
            "configuration": {"separator": "/"},
        },
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
        ],
        "attributes": {},
        "dimension_names": ["z", "y", "x"],
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


@pytest.mark.parametrize("level", ["s2", "s3"])
@pytest.mark.parametrize(
    ("group", "dtype"), [(HEMISPHERES, "uint8"), (TEMPLATE, "uint16")]
)
def test_other_arrays_have_the_published_layout(made, group, dtype, level):
    array = zarr.open_array(made[0] / group / level, mode="r")
    assert array.shape == SHAPES[level]
    assert array.dtype == dtype
    assert array.chunks == (128, 128, 128)
    assert array.metadata.dimension_names == ("z", "y", "x")


def test_the_finest_labels_are_upsampled_in_bounded_pieces(made):
    """Level s0 costs too much to write here: its planes are asked for."""
    _, cache, _ = made
    array = zarr.open_array(made[0] / COMPRESSED / "s1", mode="r")
    _, dtype, chunks, make = atlas_standin.ARRAYS["annotations_compressed"]
    assert (dtype, chunks["s0"]) == ("uint32", (83, 100, 143))
    planes = make(cache, 10)(slice(700, 703))
    assert planes.shape == (3, 800, 1140)
    # The middle of finer voxel i lies at (i + 0.5) * 10 um.
    for plane, row, column in (
        (700, 300, 600),
        (701, 401, 811),
        (702, 90, 1000),
    ):
        coarse = array[
            (10 * plane + 5) // 25,
            (10 * row + 5) // 25,
            (10 * column + 5) // 25,
        ]
        assert planes[plane - 700, row, column] == coarse
    np.testing.assert_array_equal(planes, planes[:, :, ::-1])


def test_both_hemispheres_are_mirror_images(labels):
    assert labels.shape == (528, 320, 456)
    np.testing.assert_array_equal(labels, labels[:, :, ::-1])


def test_counts_agree_with_the_written_array(made, labels):
    """The generator counts while painting; here the file is read back."""
    ids, counts = np.unique(labels, return_counts=True)
    read = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    del read[0]
    assert atlas_standin.voxel_counts(made[1]) == read


def test_archive_holds_the_same_labels(made, labels):
    store = zarr.storage.ZipStore(made[0] / GIN / "25um.zarr.zip", mode="r")
    array = zarr.open_array(store, mode="r")
    assert array.dtype == "uint32"
    assert array.chunks == (66, 40, 114)
    np.testing.assert_array_equal(array[:], labels)


def test_making_it_again_gives_the_same_bytes(made, tmp_path):
    folder, _, _ = made
    atlas_standin.write_part("gin", tmp_path / "new", tmp_path / "cache")
    for name in "25um.zarr.zip", "structures.csv":
        again = (tmp_path / "new" / GIN / name).read_bytes()
        assert again == (folder / GIN / name).read_bytes()


def test_every_label_has_a_row_and_every_row_a_root(labels, terms):
    parents = parents_of(terms)
    assert len(parents) == len(terms)
    assert [i for i, p in parents.items() if not p] == [997]
    assert {p for p in parents.values() if p} <= set(parents)
    assert descendants(parents, 997) == set(parents)
    assert set(np.unique(labels).tolist()) - {0} <= set(parents)


def test_paths_follow_the_parents(made, terms):
    parents = parents_of(terms)
    paths = {}
    for row in terms:
        node, path = int(row["identifier"]), []
        while node:
            path.insert(0, node)
            node = parents[node]
        assert json.loads(row["root_identifier_path"]) == path
        assert row["annotation_value"] == row["identifier"]
        paths[path[-1]] = f"/{'/'.join(map(str, path))}/"
    text = (made[0] / GIN / "structures.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {int(r["id"]): r["structure_id_path"] for r in rows} == paths
    for row in rows:
        parent = parents[int(row["id"])]
        assert row["parent_structure_id"] == (f"{parent}.0" if parent else "")


def test_tables_have_the_published_columns(made):
    head = (made[0] / TERMS).read_text(encoding="utf-8").split("\n", 2)
    assert head[0] == (
        "identifier,parent_identifier,annotation_value,name,abbreviation,"
        "color_hex_triplet,root_identifier_path"
    )
    assert head[1] == "997,,997,root,root,#FFFFFF,[997]"
    text = (made[0] / GIN / "structures.csv").read_text(encoding="utf-8")
    assert text.startswith(
        "acronym,id,name,structure_id_path,parent_structure_id\n"
    )


def test_traps_of_the_real_data_are_kept(made, terms):
    counts = atlas_standin.voxel_counts(made[1])
    named = {r["abbreviation"]: int(r["identifier"]) for r in terms}
    parents = parents_of(terms)
    assert named["CUL4, 5"] == 1091
    assert any("," in r["name"] for r in terms)
    assert {"VISp", "VISpl", "VISpm", "VISpor"} <= set(named)
    assert max(counts) > 2**24
    assert 312782546 in parents.values()
    assert counts[997] > 0
    internal = set(parents.values()) - {0}
    assert internal & set(counts) > {997}
    assert internal - set(counts)


def test_rsp_is_the_sum_of_its_descendants(made, labels, terms):
    """A volume (mm3) from the array against one from the counts."""
    parents = parents_of(terms)
    below = descendants(parents, 254)
    assert len(below) == 20
    assert 545 in below
    assert not (labels == 545).any()
    voxel_mm3 = 0.025**3
    from_array = np.isin(labels, sorted(below)).sum() * voxel_mm3
    counts = atlas_standin.voxel_counts(made[1])
    own = [counts.get(i, 0) for i in below]
    assert from_array == pytest.approx(sum(own) * voxel_mm3, rel=1e-12)
    assert 7 < from_array < 14
    assert 400 < sum(counts.values()) * voxel_mm3 < 520


@pytest.mark.parametrize(("level", "step"), [("s2", 2), ("s3", 4)])
def test_coarser_levels_are_strided(made, labels, level, step):
    coarse = zarr.open_array(made[0] / COMPRESSED / level, mode="r")[:]
    np.testing.assert_array_equal(coarse, labels[::step, ::step, ::step])


@pytest.mark.parametrize("group", [COMPRESSED, TEMPLATE])
def test_absent_chunks_are_background_and_no_other(made, group):
    """Labels come from s1 by striding; the template is 0 off the brain."""
    folder, cache, _ = made
    level = "s2"
    array = zarr.open_array(folder / group / level, mode="r")
    kind = "template" if group == TEMPLATE else "annotations_compressed"
    make = atlas_standin.ARRAYS[kind][-1]
    truth = make(cache, 50)(slice(None))
    absent = 0
    grid = [-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True)]
    for at in np.ndindex(*grid):
        box = tuple(
            slice(i * c, (i + 1) * c)
            for i, c in zip(at, array.chunks, strict=True)
        )
        key = folder / group / level / "c" / "/".join(map(str, at))
        assert key.exists() == bool(truth[box].any()), key
        absent += not key.exists()
    assert absent or group == TEMPLATE


@pytest.mark.parametrize("level", ["s2", "s3"])
def test_right_is_2_and_left_is_1(made, level):
    sides = zarr.open_array(made[0] / HEMISPHERES / level, mode="r")[:]
    middle = sides.shape[2] // 2
    assert (sides[:, :, :middle] == 2).all()
    assert (sides[:, :, middle:] == 1).all()


def test_template_follows_the_annotation(made):
    """Levels agree, tissue is bright and the outside is dark."""
    folder, _, _ = made
    fine = zarr.open_array(folder / TEMPLATE / "s2", mode="r")[:].astype("f4")
    coarse = zarr.open_array(folder / TEMPLATE / "s3", mode="r")[:]
    blocks = fine.reshape(132, 2, 80, 2, 114, 2).mean((1, 3, 5))
    assert np.abs(blocks - coarse).max() <= 2
    labels = zarr.open_array(folder / COMPRESSED / "s2", mode="r")[:]
    assert np.median(fine[labels > 0]) > 150
    assert np.median(fine[labels == 0]) == 0
    fibres, cortex = (labels == 484682516), (labels == 778)
    assert fine[fibres].mean() < 0.8 * fine[cortex].mean()


def test_groups_state_the_published_places(made):
    """The middle of the first voxel of the finest level is the origin."""
    for group in COMPRESSED, HEMISPHERES, TEMPLATE:
        text = (made[0] / group / "zarr.json").read_text()
        scales = json.loads(text)["attributes"]["ome"]["multiscales"][0]
        places = [
            (level["path"], *[
                step[step["type"]][0]
                for step in level["coordinateTransformations"]
            ])
            for level in scales["datasets"]
        ]  # fmt: skip
        assert places == [
            ("s0", 0.01, 0.0), ("s1", 0.025, 0.0075),
            ("s2", 0.05, 0.02), ("s3", 0.1, 0.045),
        ]  # fmt: skip
        assert [a["unit"] for a in scales["axes"]] == ["millimeter"] * 3


@pytest.mark.parametrize(
    ("um", "level"), [(10, 0), (25, 1), (50, 2), (100, 3)]
)
def test_manifests_agree_with_the_arrays(made, um, level):
    name = f"atlases/allen_mouse_{um}um/3_0/manifest.json"
    manifest = json.loads((made[0] / ATLAS / name).read_text())
    assert manifest["shape"] == list(SHAPES[f"s{level}"])
    assert manifest["resolution"] == [um] * 3
    for part in "annotation_set", "terminology", "template":
        assert (made[0] / ATLAS / manifest[part]["location"][1:]).is_dir()
    versions = (made[0] / ATLAS / "atlases/last_versions.conf").read_text()
    assert f"allen_mouse_{um}um = {manifest['version']}\n" in versions


def test_every_file_belongs_to_the_part_that_wrote_it(made):
    folder, _, held = made
    written = [
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file()
    ]
    assert written
    for name in written:
        assert atlas_standin.part_of(name) in MADE
    for part, names in held.items():
        for own in names:
            assert own.endswith("/")
            assert atlas_standin.part_of(own) == part


@pytest.mark.parametrize(
    "name",
    [
        f"{GIN}/10um.zarr.zip",
        f"{COMPRESSED}/s4/zarr.json",
        f"{COMPRESSED}/s",
        f"{MASKS}/s2/c/643/0/0/0",
        f"{PRECOMPUTED}/50000_50000_50000/0-228_0-160_0-64",
        f"{ATLAS}/atlases/whs_sd_rat_39um/3_1/manifest.json",
        "s3/elsewhere/atlas/atlases/last_versions.conf",
        "",
    ],
)
def test_what_it_lacks_has_no_part(name):
    assert atlas_standin.part_of(name) is None


def test_an_absent_chunk_belongs_to_its_array():
    name = f"{COMPRESSED}/s0/c/0/0/0"
    assert atlas_standin.part_of(name) == "annotations_compressed/s0/0"


# Masks and surfaces --------------------------------------------------------


@pytest.fixture(scope="module")
def values(made):
    place = made[0] / MASKS / "annotation_values"
    return zarr.open_array(place, mode="r")[:].tolist()


def test_masks_stand_in_post_order(values, terms):
    parents = parents_of(terms)
    assert sorted(values) == sorted(parents)
    for n, structure_id in enumerate(values):
        assert descendants(parents, structure_id) <= set(values[: n + 1])
    assert values[-1] == 997


@pytest.mark.parametrize(
    ("structure_id", "level", "step"),
    [(254, "s1", 1), (254, "s2", 2), (545, "s2", 2), (997, "s3", 4)],
)
def test_a_mask_holds_a_structure_and_what_is_in_it(
    made, labels, terms, values, structure_id, level, step, tmp_path
):
    n = values.index(structure_id)
    written = tmp_path / "masks"
    for part in "metadata", f"mask/{n}/{level}":
        atlas_standin.write_part(part, written, made[1])
    masks = zarr.open_array(written / MASKS / level, mode="r")
    assert masks.shape == (len(values), *SHAPES[level])
    assert masks.chunks == (1, 256, 256, 256)
    assert masks.metadata.dimension_names == ("c", "z", "y", "x")
    inside = sorted(descendants(parents_of(terms), structure_id))
    expected = np.isin(labels[::step, ::step, ::step], inside)
    np.testing.assert_array_equal(masks[n], expected.astype("uint8"))
    # Of the others nothing is written.
    stored = {p.name for p in (written / MASKS / level / "c").glob("*")}
    assert stored == ({str(n)} if expected.any() else set())


def test_mask_levels_have_the_places_of_the_labels(made):
    groups = [
        json.loads((made[0] / group / "zarr.json").read_text())
        for group in (MASKS, COMPRESSED)
    ]
    masks, labels = (g["attributes"]["ome"]["multiscales"][0] for g in groups)
    assert masks["axes"] == [{"name": "c", "type": "channel"}, *labels["axes"]]
    for ours, theirs in zip(
        masks["datasets"], labels["datasets"], strict=True
    ):
        steps = [d["coordinateTransformations"] for d in (ours, theirs)]
        for one, other, first in zip(*steps, (1.0, 0.0), strict=True):
            kind = one["type"]
            assert one[kind] == [first, *other[kind]]


@pytest.mark.parametrize("structure_id", [254, 672])
def test_a_surface_encloses_its_mask(made, labels, terms, structure_id):
    """In x, y, z and nm; the middle of the first voxel is at 0."""
    folder, cache, _ = made
    atlas_standin.write_part(f"mesh/{structure_id}", folder, cache)
    content = (folder / PRECOMPUTED / f"mesh/{structure_id}").read_bytes()
    mesh = DracoPy.decode(content)
    inside = sorted(descendants(parents_of(terms), structure_id))
    mask = np.isin(labels[::2, ::2, ::2], inside)
    where = np.argwhere(mask)[:, ::-1]
    low, high = where.min(axis=0) - 0.5, where.max(axis=0) + 0.5
    step = np.ptp(mesh.points) / 2**16
    np.testing.assert_allclose(mesh.points.min(0) / 5e4, low, atol=1e-3)
    np.testing.assert_allclose(mesh.points.max(0) / 5e4, high, atol=1e-3)
    assert step < 500
    closed = trimesh.Trimesh(mesh.points / 5e4, mesh.faces)
    assert closed.is_watertight
    # Corners of voxels are cut off, so that it holds a little less.
    assert 0.85 < abs(closed.volume) / mask.sum() < 1
    index = (folder / PRECOMPUTED / f"mesh/{structure_id}.index").read_bytes()
    numbers = struct.unpack("<3f3fIf3fI3II", index)
    assert numbers[-1] == len(content)
    np.testing.assert_allclose(numbers[3:6], mesh.points.min(0), atol=step)


def test_surfaces_are_described_as_published(made, terms):
    folder = made[0] / PRECOMPUTED
    info = json.loads((folder / "info").read_text())
    [scale] = info["scales"]
    assert scale["resolution"] == [50_000] * 3
    assert tuple(scale["size"][::-1]) == SHAPES["s2"]
    mesh = json.loads((folder / info["mesh"] / "info").read_text())
    assert mesh["@type"] == "neuroglancer_multilod_draco"
    properties = folder / info["segment_properties"] / "info"
    listed = json.loads(properties.read_text())["inline"]
    [names] = [p["values"] for p in listed["properties"]]
    assert dict(zip(listed["ids"], names, strict=True)) == {
        row["identifier"]: f"{row['abbreviation']}: ({row['name']})"
        for row in terms
    }


# The rat ------------------------------------------------------------------

RAT_LABELS = f"{ATLAS}/annotation-sets/whs_sd_rat-annotation/3_0"


@pytest.fixture(scope="module")
def rat(made, tmp_path_factory):
    """Folder of the rat's parts, and its annotation."""
    folder = tmp_path_factory.mktemp("rat")
    for part in parts_of(
        "metadata", "rat_terminology", "rat_annotations_compressed/s0",
        "rat_hemispheres/s0",
    ):  # fmt: skip
        for own in atlas_standin.write_part(part, folder, made[1]):
            assert atlas_standin.part_of(own) == part
    place = folder / RAT_LABELS / "annotations_compressed.ome.zarr"
    return folder, zarr.open_array(place / "s0", mode="r")


def test_rat_has_the_published_layout(rat):
    folder, labels = rat
    sides = zarr.open_array(
        folder / RAT_LABELS / "hemispheres.ome.zarr/s0", mode="r"
    )
    for array, dtype in (labels, "uint32"), (sides, "uint8"):
        assert array.shape == (1024, 512, 512)
        assert array.chunks == (128, 128, 128)
        assert array.dtype == dtype
    assert (sides[500, 250, :256] == 2).all()
    assert (sides[500, 250, 256:] == 1).all()
    group = zarr.open_group(
        folder / RAT_LABELS / "annotations_compressed.ome.zarr", mode="r"
    )
    [[level]] = [i["datasets"] for i in group.attrs["ome"]["multiscales"]]
    steps = {
        s["type"]: s[s["type"]] for s in level["coordinateTransformations"]
    }
    assert level["path"] == "s0"
    assert steps == {"scale": [0.0390625] * 3, "translation": [0.0] * 3}


def test_rat_manifest_names_its_parts(rat):
    folder, labels = rat
    place = folder / ATLAS / "atlases/whs_sd_rat_39um/3_0/manifest.json"
    manifest = json.loads(place.read_text())
    assert manifest["symmetric"] is False
    assert manifest["resolution"] == [39.0] * 3
    assert manifest["shape"] == list(labels.shape)
    for part in "annotation_set", "terminology":
        assert (folder / ATLAS / manifest[part]["location"][1:]).is_dir()
    versions = (folder / ATLAS / "atlases/last_versions.conf").read_text()
    assert "whs_sd_rat_39um = 3.0\n" in versions


def test_rat_table_is_flat_and_holds_every_label(rat):
    folder, labels = rat
    name = "terminologies/whs_sd_rat-terminology/3_0/terminology.csv"
    text = (folder / ATLAS / name).read_text(encoding="utf-8")
    root, *rows = csv.DictReader(io.StringIO(text))
    assert (root["identifier"], root["parent_identifier"]) == ("10000", "")
    assert len(rows) > 36
    assert {row["parent_identifier"] for row in rows} == {"10000"}
    found = np.unique(labels[::4, ::4, ::4]).tolist()
    values = {int(row["annotation_value"]) for row in rows}
    assert set(found) <= values | {0}
    assert len(found) > 80


def test_rat_is_off_the_middle_and_wider_on_the_left(rat):
    _, labels = rat
    tissue = labels[256:768:16] > 0
    right, left = tissue[..., :266].sum(), tissue[..., 266:].sum()
    assert left / right == pytest.approx(1.04, rel=0.005)
    # Its two sides differ by their width alone: 26 voxels are 27.
    columns = np.arange(512)
    mirrored = np.floor(266 - (columns + 0.5 - 266) / 1.04).astype(int)
    unlike = labels[500][:, 266:500] != labels[500][:, mirrored[266:500]]
    assert unlike.mean() < 0.02

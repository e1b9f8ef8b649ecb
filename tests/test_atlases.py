"""The pages about atlases say what the objects say.

What is expected is read from the files with ``grep``-like expressions and
``sha256sum``'s own lists, or written into a small mirror by the test.
"""

import json
import re
import subprocess

import zarr
from conftest import ROOT, run_example
from folders import write_folder

PAGES = ROOT / "examples" / "atlases"
ATLAS = "s3/brainglobe/atlas/"
LABELS = ATLAS + "annotation-sets/allen_mouse-annotation/3_0/"
LABELS += "annotations_compressed.ome.zarr/"


def test_every_entry_of_the_index_is_listed(source, tmp_path, agree):
    printed = run_example(PAGES / "list_atlases.py", source[0], tmp_path)
    index = source[1] / ATLAS / "atlases/last_versions.conf"
    entries = re.findall(r"(?m)^(\S+) = (\S+)$", index.read_text())
    assert entries
    assert f"{len(entries)} entries" in printed
    n = re.search(r"(\d+) entries", printed)[1]
    by = "the lines of the index's text"
    agree("list_atlases", "entries", n, len(entries), "atlases", by)
    for entry, version in entries:
        folder = index.parent / entry / version.replace(".", "_")
        manifest = json.loads((folder / "manifest.json").read_text())
        shape = " × ".join(str(n) for n in manifest["shape"])
        [line] = re.findall(rf"(?m)^.*\b{entry}  .*$", printed)
        assert line.startswith(manifest["species"])
        assert line.endswith(version)
        assert f"  {shape}  " in line
    assert f"0 of {len(entries)} disagree" in printed


def test_odd_entries_are_listed_or_reported(tmp_path):
    name = "kim_dev_mouse_e11-5_mri-adc"
    manifests = {
        f"{name}_37.5um/3_1": (name, [37.5] * 3, [100, 90, 80], "3.1"),
        "cord_20um/3_0": ("cord", [20.0, 10.0, 10.0], [9, 8, 7], "3.0"),
        "wrong_9um/3_0": ("wrong", [8.0] * 3, [10, 10, 10], "3.0"),
    }
    keys = "name", "resolution", "shape", "version"
    objects = {
        f"{ATLAS}atlases/{folder}/manifest.json": json.dumps(
            {"species": "Mus musculus"} | dict(zip(keys, values, strict=True))
        ).encode()
        for folder, values in manifests.items()
    }
    objects[f"{ATLAS}atlases/last_versions.conf"] = (
        f"[atlases]\n{name}_37.5um = 3.1\ncord_20um = 3.0\n"
        "wrong_9um = 3.0\nGone_5um = 3.0\n"
    ).encode()
    root = tmp_path / "mirror"
    write_folder(root, objects, complete=[f"{ATLAS}atlases/"])
    (tmp_path / "cwd").mkdir()
    page = PAGES / "list_atlases.py"
    printed = run_example(page, str(root), tmp_path / "cwd")
    assert "3 manifests; missing: Gone_5um" in printed
    for words in (
        f"{name}_37.5um 37.5 × 37.5 × 37.5 100 × 90 × 80 3.1",
        "cord_20um 20 × 10 × 10 9 × 8 × 7 3.0",
        "1 of 3 disagree: wrong_9um",
    ):
        assert words in " ".join(printed.split())


def test_manifest_is_followed_to_every_level(source, tmp_path, agree):
    printed = run_example(PAGES / "follow_manifest.py", source[0], tmp_path)
    n_bytes = {"uint32": 4, "uint16": 2, "uint8": 1}
    seen = 0
    for path in (source[1] / ATLAS).glob("*/*/*/*.ome.zarr/s*/zarr.json"):
        store = path.parents[1].name
        if store == "annotations.ome.zarr" or "rat" in str(path):
            continue
        array = json.loads(path.read_text())
        a, b, c = array["shape"]
        megabytes = a * b * c * n_bytes[array["data_type"]] / 1e6
        chunks = array["chunk_grid"]["configuration"]["chunk_shape"]
        line = (
            f"{store}/{path.parent.name}: {array['data_type']}, "
            f"{megabytes:,.0f} MB, chunks of {' × '.join(map(str, chunks))}\n"
        )
        assert line in printed
        seen += 1
    assert printed.count(" MB, chunks of") == seen > 0
    terminology = source[1] / ATLAS / "terminologies/allen_mouse-terminology"
    table = (terminology / "3_0/terminology.csv").read_text()
    n_rows = table.count("\n") - 1
    shown = re.search(r"terminology: (\d+) rows", printed)[1]
    by = "the lines of the table's text"
    agree("follow_manifest", "the table", shown, n_rows, "rows", by)
    shown = printed.count(" MB, chunks of")
    by = "the metadata in the folders of the bucket"
    agree("follow_manifest", "levels", shown, seen, "arrays", by)
    assert "version 3.0, folder 3_0" in printed
    assert "sides differ by at most 0.000 µm" in printed
    assert "axes begin at asr; the manifest says asr" in printed


def test_lock_holds_the_digests_of_the_objects(source, tmp_path, agree):
    printed = run_example(PAGES / "pin_atlas.py", source[0], tmp_path)
    shown = re.findall(r"(?m)^([0-9a-f]{16}) (\S+)$", printed)
    array = zarr.open_array(source[1] / LABELS / "s3", mode="r")
    assert len(shown) == 4 + array.nchunks_initialized
    for digest, name in shown:
        path = source[1] / ATLAS / name
        summed = subprocess.check_output(["sha256sum", path], text=True)
        assert summed.startswith(digest), name
    assert "as fetched, the copies agree: True" in printed
    [changed] = re.findall(r"(?m)^one bit later, different: (.*)$", printed)
    assert changed == f"brainglobe/atlas/{shown[-1][1]}"
    n = (array[:] == 672).sum()
    assert f"{n:,} voxels = {n * 0.1**3:.3f} mm³" in printed
    shown, mm3 = re.search(r"([\d,]+) voxels = (\S+)", printed).groups()
    by = "the whole array"
    agree("pin_atlas", "CP, 100 µm", shown, n, "voxels", by)
    row = "volume of CP, 100 µm", mm3, n / 1000, "mm³", by
    agree("pin_atlas", *row)


def test_lock_tells_what_is_absent(tmp_path):
    root = tmp_path / "mirror"
    names = {
        "annotation_set": "annotation-sets/allen_mouse-annotation/3_0",
        "terminology": "terminologies/allen_mouse-terminology/3_0",
    }
    manifest = {"resolution": [100.0] * 3, "citation": "Nobody 2020"} | {
        part: {"name": part, "version": "3.0", "location": f"/{place}"}
        for part, place in names.items()
    }
    step = {"type": "scale", "scale": [0.1] * 3}
    image = {"datasets": [{"path": "z", "coordinateTransformations": [step]}]}
    group = zarr.create_group(
        root / LABELS, attributes={"ome": {"multiscales": [image]}}
    )
    array = group.create_array(
        "z", shape=(6, 2, 2), chunks=(2, 2, 2), dtype="uint32"
    )
    array[4:, 0] = 672
    table = "identifier,parent_identifier,annotation_value,abbreviation,name\n"
    table += "672,,672,CP,Caudoputamen\n"
    objects = {
        "atlases/allen_mouse_100um/3_0/manifest.json": json.dumps(manifest),
        f"{names['terminology']}/terminology.csv": table,
    }
    objects = {ATLAS + name: text.encode() for name, text in objects.items()}
    write_folder(root, objects, complete=[LABELS])
    (tmp_path / "cwd").mkdir()
    page = PAGES / "pin_atlas.py"
    printed = run_example(page, str(root), tmp_path / "cwd")
    chunks = re.findall(r"(?m)^(\S+) \S+/z/c/(\d)/0/0$", printed)
    assert [(d == "None", n) for d, n in chunks] == [
        *[(True, "0"), (True, "1"), (False, "2")]
    ]
    assert "Caudoputamen: 4 voxels = 0.004 mm³" in printed
    assert printed.count("z/c/2/0/0") == 2

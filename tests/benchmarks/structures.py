"""One structure and all of them at 25 µm, from the file of the first page.

The baseline is how the page was written before: unzip the archive, load the
whole array, ask of each voxel whether it belongs to the structure. What the
pages do is run as it stands in them, cell by cell.
"""

import csv
import json
import sys
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import zarr
from numcodecs.zstd import Zstd
from rounds import cell, fetched, measured, run, tell

FIRST = "explore_atlas.py"
OPEN = cell(FIRST, "annotation = zarr.open_array(")
COUNT_CHUNKS = cell(FIRST, "n_voxels = Counter()")
COUNT_ROWS = cell("volumes/measure_structures.py", "n_own = Counter()")
FIND_BOX = cell("cloud/read_slice.py", "places = np.nonzero(")


def archive_of(names: dict) -> list[bytes]:
    """Return the chunks of the archive as they are stored.

    Raises
    ------
    ValueError
        They are not stored as `direct` and `floor` decode them.
    """
    with zipfile.ZipFile(names["annotation_zip"]) as archive:
        keys = [k for k in archive.namelist() if not k.endswith("/")]
        [described] = [k for k in keys if k.endswith("zarr.json")]
        metadata = json.loads(archive.read(described))
        codecs = [codec["name"] for codec in metadata["codecs"]]
        if (codecs, metadata["data_type"]) != (["bytes", "zstd"], "uint32"):
            raise ValueError(f"{codecs}, {metadata['data_type']}")
        return [archive.read(key) for key in keys if key != described]


def predecessor(names: dict) -> int:
    """One structure as before: unzip, load all, ask each voxel."""
    # As pooch's Unzip does, it unzips once; the second run finds the folder.
    if "folder" not in names:
        names["folder"] = tempfile.TemporaryDirectory()
        with zipfile.ZipFile(names["annotation_zip"]) as archive:
            archive.extractall(names["folder"].name)
    [metadata] = Path(names["folder"].name).rglob("zarr.json")
    annotation = zarr.open_array(metadata.parent, mode="r")[:]
    return int(np.isin(annotation, names["rsp_ids"]).sum())


def first_page(names: dict) -> Counter:
    """All structures as on the first page: chunk by chunk, from the zip."""
    run(OPEN, names)
    run(COUNT_CHUNKS, names)
    return names["n_voxels"]


def volumes_page(names: dict) -> Counter:
    """All structures as on their page: one row of chunks at a time."""
    run(OPEN, names)
    run(COUNT_ROWS, names)
    return names["n_own"]


def count_runs(chunks: list[bytes]) -> Counter:
    """Return how many voxels of some stored chunks each id has."""
    n_voxels, decode = Counter(), Zstd().decode
    voxels = np.frombuffer(decode(chunks[0]), dtype="<u4").copy()
    is_new = np.ones(voxels.size, dtype=bool)
    for chunk in chunks:
        decode(chunk, out=voxels)
        # Neighbours mostly have one id: only where it changes is looked at.
        np.not_equal(voxels[1:], voxels[:-1], out=is_new[1:])
        begin = np.flatnonzero(is_new)
        lengths = np.diff(begin, append=voxels.size)
        # A run as one number, its id before its length, is sorted quickly.
        runs = np.sort(voxels[begin].astype("u8") << 32 | lengths.view("u8"))
        ids = runs >> 32
        first = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        counts = np.add.reduceat(runs & 0xFFFFFFFF, first)
        found = zip(ids[first].tolist(), counts.tolist(), strict=True)
        n_voxels.update(dict(found))
    return n_voxels


def direct(names: dict) -> Counter:
    """All structures: decode chunks without zarr and count runs, 2 threads."""
    chunks = archive_of(names)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(count_runs, (chunks[::2], chunks[1::2]))
    return one + other


def box(names: dict) -> int:
    """One structure whose bounding box is known: only the chunks in it."""
    run(OPEN, names)
    part = names["annotation"][names["box"]]
    ids, counts = np.unique(part, return_counts=True)
    return int(counts[np.isin(ids, names["rsp_ids"])].sum())


def box_found(names: dict) -> int:
    """One structure whose box is first found at 100 µm, as a page does it."""
    names |= {"fine": 25, "coarse": 100}
    names["scales"] = {um: np.full(3, um / 1000) for um in (25, 100)}
    names["overview"] = zarr.open_array(names["levels"]["100"], mode="r")
    run(FIND_BOX, names)
    return box(names)


def decompress(chunks: list[bytes]) -> None:
    """Decode stored chunks one after the other, into one buffer."""
    voxels = np.empty(len(Zstd().decode(chunks[0])), dtype="u1")
    for chunk in chunks:
        Zstd().decode(chunk, out=voxels)


def floor(names: dict) -> None:
    """No answer, the floor: only decompress every chunk, once."""
    decompress(archive_of(names))


def floor_threads(names: dict) -> None:
    """No answer, the floor of 2 threads: only decompress every chunk, once."""
    chunks = archive_of(names)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(decompress, (chunks[::2], chunks[1::2])))


VARIANTS = {
    function.__name__: function
    for function in (
        *(predecessor, first_page, volumes_page, direct),
        *(box, box_found, floor, floor_threads),
    )
}
BASELINE = "predecessor"
COMPARISONS = [""]
ROUNDS = 15
TARGETS = [
    *(
        ("", page, *target)
        for page in ("first_page", "volumes_page")
        for target in (
            ("first_s", "ratio", 0.35),
            ("repeated_s", "ratio", 0.7),
            ("memory_mb", "ratio", 0.1),
        )
    ),
    ("", "direct", "first_s", "ratio", 0.15),
    ("", "direct", "repeated_s", "ratio", 0.25),
    ("", "box", "first_s", "ratio", 0.1),
    ("", "box", "repeated_s", "ratio", 0.1),
]


def answer(result, rsp_ids: list[int]) -> dict:
    """Return what variants must agree on: counts, however they were made."""
    if isinstance(result, int):
        return {"RSP voxels": result}
    if result is None:
        return {}
    # Background is stored or not, as it comes.
    n_own = {i: n for i, n in sorted(result.items()) if i}
    return {
        "RSP voxels": sum(n_own.get(i, 0) for i in rsp_ids),
        "ids": len(n_own),
        "digest of all counts": sha256(repr(n_own).encode()).hexdigest()[:16],
    }


def prepared(*um: int) -> dict:
    """Return the names that the cells expect from those before them."""
    names = {"csv": csv, "np": np, "zarr": zarr, "zipfile": zipfile}
    names |= {"Counter": Counter} | fetched(*um)
    run(cell(FIRST, "csv.DictReader("), names)
    run(cell(FIRST, "def subtree("), names)
    return names


if __name__ == "__main__":
    names = prepared(100)
    if sys.argv[1] == "box":
        box_found(names)
    result, costs = measured(VARIANTS[sys.argv[1]], names)
    tell(answer(result, names["rsp_ids"]), costs)

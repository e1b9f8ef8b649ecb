"""What the page on damaged data prints, foretold without its code.

The page asks zarr and real files. Here each damage is done to a plain array,
and a zstd decoder alone tells what becomes of a flipped bit.
"""

import re

import numpy as np
import pytest
import zarr
from conftest import ROOT, run_example
from numcodecs import Zstd

PAGE = ROOT / "examples" / "cloud" / "guard_data.py"
LEVEL = (
    "s3/brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr/s3"
)
HERE, THERE = np.s_[64:96, 32:64, 32:64], np.s_[64:96, 0:32, 32:64]
GUARDS = "zarr keys sizes digests archive metadata total volumes places"


@pytest.fixture
def printed(source, tmp_path) -> str:
    """Return what the page prints."""
    return run_example(PAGE, source[0], tmp_path)


@pytest.fixture
def labels(source) -> np.ndarray:
    """Return the labels at 100 µm."""
    return zarr.open_array(source[1] / LEVEL, mode="r")[:]


def flips(labels) -> list[np.ndarray | None]:
    """Return what a chunk holds after each of 200 flips, None if nothing."""
    packed = Zstd(level=0).encode(np.ascontiguousarray(labels[HERE]))
    n_bits = 8 * len(packed)
    found = []
    for n in range(200):
        bit = n * (n_bits - 1) // 199
        changed = int.from_bytes(packed, "little") ^ (1 << bit)
        try:
            raw = Zstd().decode(changed.to_bytes(len(packed), "little"))
            found.append(np.frombuffer(raw, "<u4").reshape(32, 32, 32))
        except (RuntimeError, ValueError):
            found.append(None)
    return found


def wrong_of(labels) -> list[np.ndarray]:
    """Return the chunks that are altered and can be unpacked."""
    return [
        chunk
        for chunk in flips(labels)
        if chunk is not None and (chunk != labels[HERE]).any()
    ]


def damages(labels) -> dict[str, tuple[np.ndarray, float]]:
    """Return the labels and the voxel (mm) as they should be read."""
    flipped, deleted, swapped = (labels.copy() for _ in range(3))
    flipped[HERE] = wrong_of(labels)[0]
    deleted[HERE] = 0
    swapped[HERE], swapped[THERE] = labels[THERE], labels[HERE]
    return {
        "bit flipped": (flipped, 0.1),
        "chunk deleted": (deleted, 0.1),
        "chunks swapped": (swapped, 0.1),
        "separator altered": (np.zeros_like(labels), 0.1),
        "scale altered": (labels, 0.2),
    }


def test_flipped_bits_are_counted(printed, labels, agree):
    found = flips(labels)
    n_refused = sum(chunk is None for chunk in found)
    n_wrong = len(wrong_of(labels))
    assert n_wrong > 20
    found = re.search(r"default: (\d+) refused, (\d+) read wrong", printed)
    by = "each bit flipped by the test, in a copy of its own"
    agree("guard_data", "bits refused", found[1], n_refused, "bits", by)
    agree("guard_data", "bits read wrong", found[2], n_wrong, "bits", by)
    # A cyclic code sees every single bit.
    assert "guarded: 200 refused, 0 read wrong" in printed


def test_background_is_not_stored_unless_asked(printed, labels, agree):
    padded = np.pad(labels, [(0, -n % 32) for n in labels.shape])
    grid = [n // 32 for n in padded.shape]
    chunks = padded.reshape(grid[0], 32, grid[1], 32, grid[2], 32)
    stored = chunks.any(axis=(1, 3, 5))
    assert 0 < stored.sum() < stored.size
    found = re.search(rf"default: (\d+) of {stored.size} chunks", printed)[1]
    by = "the chunks of a plain array that are not empty"
    agree("guard_data", "stored", found, stored.sum(), "chunks", by)
    assert f"guarded: {stored.size} of {stored.size} chunks" in printed


def test_each_guard_sees_what_the_table_says(printed, labels):
    [head] = re.findall(r"(?m)^ +(zarr .*)$", printed)
    assert head == GUARDS

    def of_values(labels, mm):
        ids, n = np.unique(labels, return_counts=True)
        return {
            "metadata": mm,
            "total": (labels > 0).sum() * mm**3,
            "volumes": (ids.tolist(), (n * mm**3).tolist()),
            "places": [
                labels[i, j, k]
                for i in range(0, labels.shape[0], 20)
                for j in range(0, labels.shape[1], 20)
                for k in range(0, labels.shape[2], 20)
            ],
        }

    one, other = (
        len(Zstd(level=0).encode(np.ascontiguousarray(labels[box])))
        for box in (HERE, THERE)
    )
    by_listing = {
        "chunk deleted": {"keys", "sizes"},
        "chunks swapped": {"sizes"} if one != other else set(),
    }
    before = of_values(labels, 0.1)
    for name, (altered, mm) in damages(labels).items():
        after = of_values(altered, mm)
        sees = {"digests", "archive"} | by_listing.get(name, set())
        sees |= {guard for guard in before if after[guard] != before[guard]}
        [row] = re.findall(rf"(?m)^{name} +(\S.*)$", printed)
        expected = ["sees" if g in sees else "-" for g in GUARDS.split()]
        assert row.split() == expected, name


def test_zarr_reads_each_damage_in_silence(labels, tmp_path):
    """Damage done here, to a copy of our own, is read as was foretold."""
    for name, (altered, _) in damages(labels).items():
        store = zarr.storage.MemoryStore()
        zarr.create_array(store, data=labels, chunks=(32, 32, 32))
        objects = store._store_dict
        here, there = "c/2/1/1", "c/2/0/1"
        buffer = type(objects[here])
        if name == "bit flipped":
            packed = int.from_bytes(objects[here].to_bytes(), "little")
            size = len(objects[here])
            for n in range(200):
                bit = n * (8 * size - 1) // 199
                changed = (packed ^ (1 << bit)).to_bytes(size, "little")
                objects[here] = buffer.from_bytes(changed)
                try:
                    found = zarr.open_array(store, mode="r")[HERE]
                except (RuntimeError, ValueError):
                    continue
                if (found != labels[HERE]).any():
                    break
        elif name == "chunk deleted":
            del objects[here]
        elif name == "chunks swapped":
            objects[here], objects[there] = objects[there], objects[here]
        elif name == "separator altered":
            text = objects["zarr.json"].to_bytes().decode()
            text = re.sub(r'"separator":\s*"/"', '"separator":"."', text)
            objects["zarr.json"] = buffer.from_bytes(text.encode())
        read = zarr.open_array(store, mode="r")[:]
        assert np.array_equal(read, altered), name


def test_loss_of_a_chunk_is_its_tissue(printed, labels, agree):
    n_lost = np.count_nonzero(labels[HERE])
    assert n_lost > 10_000
    shown = re.search(r"chunk deleted: ([\d.]+) mm³ lost", printed)[1]
    by = "the tissue in that chunk of a plain array"
    what = "lost with a chunk"
    agree("guard_data", what, shown, n_lost / 1000, "mm³", by, 0.0005)


def test_archive_holds_the_same(printed):
    assert "archive, read in place: 0 voxels differ" in printed

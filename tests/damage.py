"""Ways to damage an atlas: each takes the folder of a mirror of its own.

Of the annotation, one chunk suffers. Bytes are written anew in place of the
file, whose records are left as they were.
"""

import contextlib
import csv
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from folders import flip_bit
from numcodecs import Zstd

ATLAS = "s3/brainglobe/atlas"
ANNOTATION = (
    f"{ATLAS}/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr"
)
LEVEL = f"{ANNOTATION}/s1"
CHUNK, NEIGHBOUR = f"{LEVEL}/c/5/1/1", f"{LEVEL}/c/2/3/1"
# (level, row of chunks): all that these pages read.
SLABS = [*((1, n) for n in range(8)), *((3, n) for n in range(2))]
TERMINOLOGY = (
    f"{ATLAS}/terminologies/allen_mouse-terminology/3_0/terminology.csv"
)
GIN = (
    "gin.g-node.org/BrainGlobe/atlases-v2/raw/master/annotations/"
    "allen_mouse_v1"
)
TABLE, ARCHIVE = f"{GIN}/structures.csv", f"{GIN}/25um.zarr.zip"


# One file -------------------------------------------------------------------


def delete(name: str) -> Callable[[Path], None]:
    """Delete a file."""
    return lambda folder: (folder / name).unlink()


def truncate(name: str) -> Callable[[Path], None]:
    """Cut a file in half."""
    return lambda folder: os.truncate(
        folder / name, (folder / name).stat().st_size // 2
    )


def flip(name: str) -> Callable[[Path], None]:
    """Turn over a bit in the middle of a file."""
    return lambda folder: flip_bit(folder / name)


def flip_unseen(folder: Path) -> None:
    """Turn over a bit of a chunk that zstd takes for other known labels.

    The first that also changes how much of the chunk is tissue.
    """
    content = (folder / CHUNK).read_bytes()
    right = np.frombuffer(Zstd().decode(content), "<u4")
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1
        with contextlib.suppress(RuntimeError, ValueError):
            labels = np.frombuffer(Zstd().decode(bytes(flipped)), "<u4")
            n_more = np.count_nonzero(labels) - np.count_nonzero(right)
            if n_more and not np.setdiff1d(labels, right).size:
                (folder / CHUNK).write_bytes(flipped)
                return
    raise AssertionError("zstd sees every flip")


def zero(name: str) -> Callable[[Path], None]:
    """Let a file keep its length and nothing else."""
    return lambda folder: (folder / name).write_bytes(
        bytes((folder / name).stat().st_size)
    )


def swap(folder: Path) -> None:
    """Let two chunks change places."""
    one, other = folder / CHUNK, folder / NEIGHBOUR
    before = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(before)


# Metadata -------------------------------------------------------------------


def edit(change: Callable[[dict], None], place: str = LEVEL):
    """Change the description of a level, or of the whole image."""

    def damage(folder: Path) -> None:
        path = folder / place / "zarr.json"
        described = json.loads(path.read_text())
        change(described)
        path.write_text(json.dumps(described))

    return damage


def separator(described: dict) -> None:
    """Say that the names of chunks hold points."""
    described["chunk_key_encoding"]["configuration"]["separator"] = "."


def endianness(described: dict) -> None:
    """Say that numbers begin with their big end."""
    described["codecs"][0]["configuration"]["endian"] = "big"


def fill_value(described: dict) -> None:
    """Say that what is not stored is the isocortex."""
    described["fill_value"] = 315


def dtype(described: dict) -> None:
    """Say that labels are decimal fractions."""
    described |= {"data_type": "float32", "fill_value": 0.0}


def shape(described: dict) -> None:
    """Cut off the back of the brain."""
    described["shape"][0] = 400


def huge(folder: Path) -> None:
    """Declare exabytes, at every level alike."""

    def change(described: dict) -> None:
        described["shape"] = [5000 * n for n in described["shape"]]

    for level in sorted((folder / ANNOTATION).glob("s*")):
        edit(change, f"{ANNOTATION}/{level.name}")(folder)


def scale(times: float, *paths: str):
    """Say that the voxels of some levels, or of all, are larger."""

    def change(described: dict) -> None:
        [image] = described["attributes"]["ome"]["multiscales"]
        for level in image["datasets"]:
            if level["path"] in paths or not paths:
                step = level["coordinateTransformations"][0]
                step["scale"] = [times * n for n in step["scale"]]

    return edit(change, ANNOTATION)


# Tables ---------------------------------------------------------------------


def rows(name: str, change: Callable[[list[dict]], None]):
    """Change the rows of a table."""

    def damage(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        table = list(csv.DictReader(io.StringIO(text)))
        change(table)
        written = io.StringIO(newline="")
        writer = csv.DictWriter(written, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        (folder / name).write_text(written.getvalue(), encoding="utf-8")

    return damage


def _row(table: list[dict], acronym: str) -> dict:
    [row] = [r for r in table if r["abbreviation"] == acronym]
    return row


def duplicate(table: list[dict]) -> None:
    """Give a structure the id of another."""
    id_column = "identifier" if "identifier" in table[0] else "id"
    table[2][id_column] = table[1][id_column]


def orphan(table: list[dict]) -> None:
    """Drop the row of a structure that has parts."""
    table.remove(_row(table, "RSP"))


def circle(table: list[dict]) -> None:
    """Let a structure be a part of its own part."""
    part = next(
        row
        for row in table
        if row["parent_identifier"] == _row(table, "RSP")["identifier"]
    )
    _row(table, "RSP")["parent_identifier"] = part["identifier"]


def unnamed(table: list[dict]) -> None:
    """Drop the row of a structure that has voxels and no parts."""
    table.remove(_row(table, "CP"))


# Archives -------------------------------------------------------------------


def add_member(name: str, n_bytes: int) -> Callable[[Path], None]:
    """Add a file of zeros to the archive."""

    def damage(folder: Path) -> None:
        with zipfile.ZipFile(folder / ARCHIVE, "a") as archive:
            packed = {"compress_type": zipfile.ZIP_DEFLATED}
            member = zipfile.ZipInfo(name)
            archive.writestr(member, bytes(n_bytes), **packed, compresslevel=1)

    return damage


escape = add_member("../../escaped", 9)
bomb = add_member("c/9/9/9", 6 * 10**8)

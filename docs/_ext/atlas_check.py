"""Whether an object makes sense, whatever its digest says.

A digest tells that the bytes are those that were published, not that an atlas
was. Nothing here knows about brains: the structures of a table form one tree,
the levels of an image are of one length, a chunk unpacks to what its array
declares, an archive stays in its folder, and nothing is larger than a program
could ever mean to read. What follows no more than a convention of these
atlases, as that background is 0, is checked too: zarr would read another
value as gladly, and draw it.
"""

import csv
import io
import json
import math
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

from atlas_store import Absent, Refused, address

# The columns of a table in which a structure and its parent are named.
TABLES = {
    "terminology.csv": ("identifier", "parent_identifier"),
    "structures.csv": ("id", "parent_structure_id"),
}
# Bytes of one chunk or of an archive's files, bytes of an array, chunks of an
# array. The masks of a mouse at 10 um declare 1 TB in 100,000 chunks.
MAX_UNPACKED = 2**29
MAX_ARRAY = 2**42
MAX_CHUNKS = 2**20


def check(name: str, content: bytes, read: Callable[[str], bytes]) -> None:
    """Refuse an object that makes no sense.

    ``read`` returns other objects by their names: a chunk is held against its
    array, and the levels of an image against each other.

    Raises
    ------
    Refused
        With what is wrong, and with whom to take it up.
    """
    folder, _, last = name.rpartition("/")
    array = re.fullmatch(r"(.+?)/c(/\d+)+", name)
    try:
        if last in TABLES:
            _check_table(content, *TABLES[last])
        elif last == "zarr.json":
            _check_description(json.loads(content), folder, read)
        elif array:
            with suppress(Absent, Refused):
                described = json.loads(read(f"{array[1]}/zarr.json"))
                _check_chunk(content, described)
        elif last.endswith(".zip"):
            _check_archive(content)
    except (LookupError, TypeError, ValueError, zipfile.BadZipFile) as problem:
        # Of a key that is missing, an error says no more than the key.
        lacks = "there is no " if isinstance(problem, LookupError) else ""
        raise Refused(
            f"{address(name)} makes no sense: {lacks}{problem}. It arrived as "
            "it was published: tell its publisher, or read another version."
        ) from problem


def _check_table(content: bytes, own: str, above: str) -> None:
    """Check that rows of ``own`` id and the id ``above`` form one tree."""
    parents, children = {}, defaultdict(list)
    for row in csv.DictReader(io.StringIO(content.decode())):
        i, parent = row[own], row[above].removesuffix(".0")
        if i in parents:
            raise ValueError(f"two rows have the id {i}")
        parents[i] = parent
        children[parent].append(i)
    for i, parent in parents.items():
        if parent and parent not in parents:
            raise ValueError(f"the parent {parent} of {i} has no row")
    reached = list(children[""])
    if len(reached) != 1:
        raise ValueError(f"{len(reached)} structures have no parent, not one")
    for i in reached:  # grows while it is read
        reached += children[i]
    if lost := sorted(parents.keys() - reached):
        raise ValueError(f"{lost[0]} is above itself, or below one that is")


def _check_description(described: dict, folder: str, read: Callable) -> None:
    """Check the metadata of an array, or of an image and its levels."""
    if described["node_type"] == "array":
        _check_array(described)
        return
    images = described.get("attributes", {}).get("ome", {})
    for image in images.get("multiscales", []):
        lengths = {}
        for level in image["datasets"]:
            path = level["path"]
            # A level that is not here cannot be read by anybody either.
            with suppress(Absent, Refused):
                array = json.loads(read(f"{folder}/{path}/zarr.json"))
                [scale] = [
                    step["scale"]
                    for step in level["coordinateTransformations"]
                    if "scale" in step
                ]
                lengths[path] = [
                    (n * size, size)
                    for n, size in zip(array["shape"], scale, strict=True)
                ]
        _check_lengths(lengths)


def _check_lengths(lengths: dict[str, list[tuple[float, float]]]) -> None:
    """Check that levels agree, to a voxel: (length, voxel) for each axis."""
    (first, expected), *others = lengths.items() or [("", [])]
    for path, found in others:
        for (a, a_voxel), (b, b_voxel) in zip(expected, found, strict=True):
            if abs(a - b) > max(a_voxel, b_voxel):
                raise ValueError(
                    f"one axis is {a:g} long at {first}, but {b:g} at {path}"
                )


def _check_array(described: dict) -> None:
    """Check that an array is laid out as all are, and not without bounds."""
    shape, chunk = described["shape"], _chunk_shape(described)
    n_chunks = math.prod(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    n_bytes = math.prod(shape) * _voxel_bytes(described)
    if n_bytes > MAX_ARRAY or n_chunks > MAX_CHUNKS:
        raise ValueError(f"it declares {n_bytes:.1e} bytes, {n_chunks} chunks")
    if _chunk_bytes(described) > MAX_UNPACKED:
        raise ValueError(f"a chunk declares {_chunk_bytes(described)} bytes")
    if described["fill_value"] != 0:
        raise ValueError(f"background is {described['fill_value']}, not 0")
    separator = described["chunk_key_encoding"]["configuration"]["separator"]
    if separator != "/":
        raise ValueError(f'chunks are named with "{separator}", not "/"')
    for codec in described["codecs"]:
        if codec.get("configuration", {}).get("endian") == "big":
            raise ValueError("its numbers begin with their big end")


def _chunk_shape(described: dict) -> list[int]:
    return described["chunk_grid"]["configuration"]["chunk_shape"]


def _voxel_bytes(described: dict) -> int:
    integer = re.fullmatch(r"u?int(\d+)", described["data_type"])
    if not integer:
        raise ValueError(f"voxels are {described['data_type']}, not integers")
    return int(integer[1]) // 8


def _chunk_bytes(described: dict) -> int:
    return math.prod(_chunk_shape(described)) * _voxel_bytes(described)


def _check_chunk(content: bytes, described: dict) -> None:
    """Check that a chunk is whole and of the size that its array declares."""
    if [codec["name"] for codec in described["codecs"]] != ["bytes", "zstd"]:
        return
    try:
        declared, end = _measure_zstd(content)
    except IndexError:
        raise ValueError("the chunk is cut short") from None
    if end != len(content):
        raise ValueError(f"the chunk has {len(content)} bytes, not {end}")
    if declared not in (None, _chunk_bytes(described)):
        raise ValueError(
            f"the chunk unpacks to {declared} bytes, "
            f"its array to {_chunk_bytes(described)}"
        )


def _measure_zstd(content: bytes) -> tuple[int | None, int]:
    """Return a frame's unpacked size, if it is told, and where it ends.

    Read from its headers (RFC 8878, section 3.1.1): nothing is unpacked.
    """
    if content[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("the chunk is not packed by zstd")
    flags, at = content[4], 5
    single = flags >> 5 & 1
    at += (not single) + (0, 1, 2, 4)[flags & 3]
    width = (single, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(content[at : at + width], "little")
    size += 256 * (width == 2)
    at += width
    last = False
    while not last:
        block = content[at] | content[at + 1] << 8 | content[at + 2] << 16
        last, repeats = block & 1, block >> 1 & 3 == 1
        at += 3 + (1 if repeats else block >> 3)
    return size if width else None, at + 4 * (flags >> 2 & 1)


def _check_archive(content: bytes) -> None:
    """Check where an archive's files would go, and how large they would be."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = archive.infolist()
    for file in files:
        if re.match(r"[/\\]|\w:", file.filename) or ".." in re.split(
            r"[/\\]", file.filename
        ):
            raise ValueError(f"{file.filename} would leave its folder")
    n_bytes = sum(file.file_size for file in files)
    if n_bytes > MAX_UNPACKED:
        raise ValueError(f"it unpacks to {n_bytes} bytes")

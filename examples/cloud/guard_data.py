# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "s3fs>=2025.7",
#     "zarr>=3.1",
# ]
# ///
"""
Guard against damaged data
==========================

Five kinds of damage that zarr reads in silence, and the guards that see them.

A chunk that is all background is not stored, so a lost one looks like empty
space: the program runs on, and a volume is wrong. Which checks notice? Copies
of the Allen mouse atlas are broken on purpose, and each check is asked.
"""

# sphinx_gallery_tags = ["scale", "share", "advanced"]

import hashlib
import shutil
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

# %%
# Make copies that may be broken
# ------------------------------
# The :term:`level` of 100 µm will do.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
steps = {d["path"]: d["coordinateTransformations"] for d in image["datasets"]}
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.1))
labels, scale_mm = group[level][:], steps[level][0]["scale"]

# %%
# The first copy is stored as in the bucket, by zarr's defaults: no
# :term:`chunk` has a checksum, and background is left out, so *every chunk is
# there* is no guard. The second has both; whoever writes an array can ask.
folder = tempfile.TemporaryDirectory()
intact, guarded = (Path(folder.name, n) for n in ("default", "guarded"))
asked = {"data": labels, "chunks": (32, 32, 32)}
asked["attributes"] = {"scale_mm": scale_mm}
copies = {intact: zarr.create_array(intact, **asked)}
asked["compressors"] = [ZstdCodec(level=0), Crc32cCodec()]
asked["config"] = {"write_empty_chunks": True}
copies[guarded] = zarr.create_array(guarded, **asked)
for path, copy in copies.items():
    print(f"{path.name}: {copy.nchunks_initialized} of {copy.nchunks} chunks")

# %%
# Flip bits
# ---------
# One bit of one chunk is turned over and read, then another, 200 in all. An
# error is welcome: it is not silent.
victim, box = "c/2/1/1", np.s_[64:96, 32:64, 32:64]


def read(folder, box=...):
    """Return the labels in a box, or None if zarr refuses."""
    with suppress(RuntimeError, ValueError):
        return zarr.open_array(folder, mode="r")[box]


wrong = {path: [] for path in copies}
for path in copies:
    content, n_refused = (path / victim).read_bytes(), 0
    for bit in np.linspace(0, 8 * len(content) - 1, 200, dtype=int).tolist():
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (path / victim).write_bytes(flipped)
        found = read(path, box)
        n_refused += found is None
        if found is not None and np.any(found != labels[box]):
            wrong[path].append(flipped)
    (path / victim).write_bytes(content)
    print(f"{path.name}: {n_refused} refused, {len(wrong[path])} read wrong")

# %%
# With a checksum every bit is refused. Without, many leave a chunk that can be
# unpacked, to other ids; the rest change no voxel.
#
# Do the damage
# -------------
# One of those bits is the first. Then a chunk is deleted, as by a copy that
# stopped; two are swapped; one character of the metadata is altered, twice.
names = "bit flipped", "chunk deleted", "chunks swapped"
names += "separator altered", "scale altered"
damaged = [shutil.copytree(intact, Path(folder.name, n)) for n in names]
(damaged[0] / victim).write_bytes(wrong[intact][0])
(damaged[1] / victim).unlink()
shutil.copy(intact / victim, damaged[2] / "c/2/0/1")
shutil.copy(intact / "c/2/0/1", damaged[2] / victim)
metadata = (intact / "zarr.json").read_text()
(damaged[3] / "zarr.json").write_text(metadata.replace('"/"', '"."'))
(damaged[4] / "zarr.json").write_text(metadata.replace("0.1", "0.2"))

# %%
# Ask the guards
# --------------
# A manifest lists keys, sizes and :term:`digests <digest>`; an archive has one
# digest for all. Other guards know answers, perhaps from a paper: shape and
# scale, the volume of all tissue or of each id, the ids at some places.
facts = {}
for path in [intact, *damaged]:
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    content = {f.relative_to(path).as_posix(): f.read_bytes() for f in files}
    with zipfile.ZipFile(f"{path}.zip", "w") as archive:
        for key, value in content.items():
            archive.writestr(zipfile.ZipInfo(key), value)
    packed, array = Path(f"{path}.zip"), zarr.open_array(path, mode="r")
    ids, n_voxels = np.unique(array[:], return_counts=True)
    mm3 = n_voxels * np.prod(array.attrs["scale_mm"])
    facts[path] = {
        "zarr": read(path) is None,
        "keys": set(content),
        "sizes": {key: len(value) for key, value in content.items()},
        "digests": {k: hashlib.sha256(v).digest() for k, v in content.items()},
        "archive": hashlib.sha256(packed.read_bytes()).digest(),
        "metadata": (array.shape, array.dtype, array.attrs["scale_mm"]),
        "total": np.count_nonzero(array[:]) * np.prod(array.attrs["scale_mm"]),
        "volumes": dict(zip(ids.tolist(), mm3.tolist(), strict=True)),
        "places": array[::20, ::20, ::20].tolist(),
    }

# %%
# Each sees what is not as in the intact copy; ``zarr``, what it refuses.
print(" " * 17, *facts[intact])
for path in damaged:
    sees = {g: facts[path][g] != facts[intact][g] for g in facts[intact]}
    marks = [f"{'sees' if sees[g] else '-':>{len(g)}}" for g in sees]
    print(f"{path.name:17}", *marks)
zipped = zarr.open_array(zarr.storage.ZipStore(f"{intact}.zip"), mode="r")
print(f"archive, read in place: {np.sum(zipped[:] != labels)} voxels differ")

# %%
# None of it is an error to zarr. Digests see everything, but trust the bytes
# that they were made from. Answers see a file that was wrong from the start,
# if they are of several kinds: a swap leaves every volume as it was.
#
# Look at the silence
# -------------------
# A coronal section: the hole looks like the space around the brain.
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
lost_mm3 = facts[intact]["total"] - facts[damaged[1]]["total"]
lost = f"chunk deleted:\n{lost_mm3:.1f} mm³ lost"
print(f"chunk deleted: {lost_mm3:.3f} mm³ lost")
titles = iter(["intact", lost, "chunks swapped:\nno volume lost"])
low, across = np.multiply(labels.shape, scale_mm)[1:]
look = {"cmap": "gray", "vmin": 0, "interpolation": "nearest"}
fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.6), layout="constrained")
for ax, path in zip(axes, (intact, *damaged[1:3]), strict=True):
    section = read(path, 80)
    picture = np.where(section > 0, 0.85, 1)
    picture[1:][section[1:] != section[:-1]] = 0.55
    picture[:, 1:][section[:, 1:] != section[:, :-1]] = 0.55
    ax.imshow(picture, extent=(0, across, low, 0), **look)
    ax.set(title=next(titles), xlabel="{}  ←  mm  →  {}".format(*ends[2]))
axes[0].set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
fig.alt = (
    "One coronal section of a mouse brain three times: whole; with a square "
    "hole, white as the surroundings; with two squares that changed places."
)
plt.show()
folder.cleanup()

# %%
# No guard knows more than it was told: pin the bytes, and compare one number
# with a known one. From version 3.4 zarr can refuse missing chunks
# (``array.read_missing_chunks``), but then refuses a sparse atlas too.
#
# .. seealso::
#
#    :doc:`/aws_examples/atlases/pin_atlas` writes down the digests behind a
#    number; :doc:`/aws_examples/explore_atlas` has ``pooch`` check an archive.

# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
#     "tqdm>=4.66",
#     "zarr>=3.1",
# ]
# ///
"""
Explore an atlas: measure one structure
=======================================

Find the retrosplenial area in the Allen mouse atlas, draw it and measure it.

How large is the retrosplenial area (RSP) of the mouse brain? Two files of the
Allen Mouse Brain Common Coordinate Framework (CCFv3) answer: a table that
names every :term:`structure`, and an :term:`annotation`, whose :term:`voxels
<voxel>` each hold the id of one. RSP is scattered over many ids and the volume
is large, so follow the hierarchy, and read one :term:`chunk` at a time.
"""

# sphinx_gallery_tags = ["measure", "draw", "beginner"]

import csv
import zipfile
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Fetch the two files
# -------------------
# ``pooch.retrieve`` downloads a file once and keeps it. The SHA-256 pins
# its contents: a file that differs by one bit is an error, today and in ten
# years.
folder = (
    "https://gin.g-node.org/BrainGlobe/atlases-v2/raw/master/"
    "annotations/allen_mouse_v1/"
)
annotation_name = "25um.zarr.zip"
cache = pooch.os_cache("brainglobe_atlases")
structures_csv = pooch.retrieve(
    folder + "structures.csv",
    known_hash="sha256:a04e9f6656c98bcd6d9d4c0ba2bd0ef927cf5cb97658ded9cda8237ad4575ff2",
    path=cache,
)
annotation_zip = pooch.retrieve(
    folder + annotation_name,
    known_hash="sha256:4a28ba2b3f25cea9c7d2c944ab42014c9f09aaef3bb32f14b9fcccc536a6140f",
    path=cache,
    progressbar=True,
)

# %%
# Read the table
# --------------
# Many names hold a comma, so the lines need a CSV reader. Each row gives the
# path from the root of the hierarchy down to its structure.
with open(structures_csv, newline="", encoding="utf-8") as file:
    structures = {int(row["id"]): row for row in csv.DictReader(file)}
for row in list(structures.values())[:5]:
    print(row["id"], row["acronym"], row["name"], sep=" | ")

# %%
# Select the structure and its descendants
# ----------------------------------------
# A structure contains every structure whose path runs through it. Acronyms
# look as if they could do the same, but they are only names: ``VISp``, the
# primary visual area, begins the acronyms of its neighbours too.


def subtree(acronym):
    """Return the ids of a structure and all its descendants."""
    [top] = [i for i, row in structures.items() if row["acronym"] == acronym]
    paths = {i: row["structure_id_path"] for i, row in structures.items()}
    return [i for i, path in paths.items() if f"/{top}/" in path]


rsp_ids = subtree("RSP")
print("RSP:", ", ".join(structures[i]["acronym"] for i in rsp_ids))
acronyms = [row["acronym"] for row in structures.values()]
n_prefix = sum(acronym.startswith("VISp") for acronym in acronyms)
print(f"VISp: {len(subtree('VISp'))} by hierarchy, {n_prefix} by prefix")

# %%
# Open the annotation
# -------------------
# The zip is read as it is; unpacked, its files would lose the protection of
# the hash. The axes run from the animal's front, top and right side, and only
# the file's name tells the size of a voxel.
with zipfile.ZipFile(annotation_zip) as archive:
    [metadata] = [n for n in archive.namelist() if n.endswith("zarr.json")]
annotation = zarr.open_array(
    zarr.storage.ZipStore(annotation_zip, mode="r"),
    path=metadata.removesuffix("zarr.json").strip("/"),
    mode="r",
)
resolution_um = int(annotation_name.removesuffix("um.zarr.zip"))
print(f"shape {annotation.shape}, {annotation.dtype}")
print(f"chunks {annotation.chunks}, voxels of {resolution_um} µm")

# %%
# Look at one section
# -------------------
# A coronal section needs only the chunks that it cuts. Everything is grey on
# purpose but the three parts of RSP; thin lines are the borders between ids.
position_mm = 8.0
section = annotation[round(position_mm * 1000 / resolution_um)]
borders = np.zeros(section.shape, dtype=bool)
borders[1:] |= section[1:] != section[:-1]
borders[:, 1:] |= section[:, 1:] != section[:, :-1]

colours = {"RSPagl": "#e69f00", "RSPd": "#0072b2", "RSPv": "#56b4e9"}
image = np.ones((*section.shape, 3))
image[section > 0] = to_rgb("0.9")
for acronym, colour in colours.items():
    image[np.isin(section, subtree(acronym))] = to_rgb(colour)
image[borders] *= 0.75  # darker, whatever the colour below

height_mm, width_mm = np.array(section.shape) * resolution_um / 1000
fig, ax = plt.subplots(figsize=(7.2, 6.0), layout="constrained")
ax.imshow(image, extent=(0, width_mm, height_mm, 0), interpolation="nearest")
ax.set(
    title=f"Retrosplenial area (RSP), {position_mm} mm from the front",
    xlabel="right  ←  distance (mm)  →  left",
    ylabel="ventral  ←  distance (mm)  →  dorsal",
)
for letter, x, y in ("R", 0.02, 0.5), ("L", 0.98, 0.5), ("D", 0.5, 0.96):
    ax.text(x, y, letter, transform=ax.transAxes, ha="center", va="center")
for acronym, colour in colours.items():
    ax.plot([], [], "s", color=colour, label=acronym)
fig.legend(loc="outside lower center", ncols=3)
fig.alt = (
    "Coronal section of a mouse brain in grey, with thin borders. RSP is in "
    "colour on both sides of the midline, at the top of the cortex: RSPv "
    "innermost, then RSPd, then RSPagl."
)
plt.show()

# %%
# RSP lies on both sides of the midline, as it should. The animal's right is
# on the left of the picture, because the last axis begins there.
#
# Measure it
# ----------
# Each chunk is read, counted and forgotten, so the memory needed is that of
# one chunk. Counting every id at once costs no more than counting one.
n_voxels = Counter()
for index in np.ndindex(annotation.cdata_shape):
    ids, counts = np.unique(annotation.blocks[index], return_counts=True)
    n_voxels.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))

rsp_voxels = sum(n_voxels[i] for i in rsp_ids)
rsp_mm3 = rsp_voxels * (resolution_um / 1000) ** 3
print(f"RSP, both hemispheres: {rsp_voxels:,} voxels = {rsp_mm3:.3f} mm³")
empty = [structures[i]["acronym"] for i in rsp_ids if i not in n_voxels]
print("Without a voxel of their own:", ", ".join(empty))

# %%
# A structure that is divided is drawn by its parts alone. A layer can also be
# too thin for voxels of this size, or may never have been drawn.
#
# Check it another way
# --------------------
# The midline halves the last axis. Asking of each voxel whether it belongs to
# RSP must give the same total, from two sides of nearly one size.
middle = annotation.shape[2] // 2
sides = np.zeros(2, dtype=int)
for start in range(0, annotation.shape[0], annotation.chunks[0]):
    slab = annotation[start : start + annotation.chunks[0]]
    is_rsp = np.isin(slab, rsp_ids)
    sides += is_rsp[..., :middle].sum(), is_rsp[..., middle:].sum()
print(f"right {sides[0]:,} + left {sides[1]:,} = {sides.sum():,} voxels")

# %%
# This is RSP in an average of many adult brains, with the borders that the
# atlas's authors drew. It does not tell how much animals differ.
#
# .. seealso::
#
#    :doc:`/data` says where the files come from and how to cite them. The
#    `zarr documentation <https://zarr.readthedocs.io/>`_ explains chunks.

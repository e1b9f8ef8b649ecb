# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
#     "s3fs>=2025.7",
#     "zarr>=3.1",
# ]
# ///
"""
Scrub through the slices
========================

A folder of sections through the brain, to scale, and the volume in them.

What lies in front of a section, and what behind? A row of sections tells, if
they stand at equal distances and each is named by its place. This page cuts
the Allen mouse atlas into such a row and writes it as pictures: to be moved
through here, and in any program that opens a row of images.
"""

# sphinx_gallery_tags = ["draw", "beginner"]

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read one level whole
# --------------------
# Sections from front to back meet all chunks, so the :term:`annotation` is
# read once and kept. Voxels of 50 µm make a picture that can be looked at and
# is still small.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
steps = {
    dataset["path"]: dataset["coordinateTransformations"]
    for dataset in image["datasets"]
}
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.05))
scale_mm = np.array(steps[level][0]["scale"])
first_mm = np.array(steps[level][1]["translation"])
annotation = group[level][:]
print(f"level {level}: {annotation.shape} voxels of {scale_mm} mm")

# %%
# Read the colours
# ----------------
# The :term:`terminology` has a colour for each id. Background is white, and
# so is ``root``, the tissue that belongs to no smaller structure.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    colours = {
        int(row["annotation_value"]): to_rgb(row["color_hex_triplet"])
        for row in csv.DictReader(file)
    }
colours[0] = to_rgb("white")

# %%
# Choose the sections
# -------------------
# Every fifth has the place of five, of which it is the middle one. Those that
# meet no tissue are left out. A place is where the centres of the section's
# voxels are, by the metadata's scale and translation.
every = 5
numbers = np.arange(every // 2, len(annotation), every)
numbers = numbers[annotation[numbers].any(axis=(1, 2))]
places_mm = first_mm[0] + numbers * scale_mm[0]
way = image["axes"][0]["orientation"]["value"]
print(f"{len(numbers)} sections, {every * scale_mm[0]} mm apart, {way}")
print(f"from {places_mm[0]:.2f} to {places_mm[-1]:.2f} mm")

# %%
# Write a picture of each
# -----------------------
# One voxel becomes one dot, so that the colours stay those of the atlas and
# every picture has the same scale. The animal's right is on the left. The
# names sort from front to back; the folder is ``coronal_sections``.
folder = Path("coronal_sections")
folder.mkdir(exist_ok=True)
for number, place_mm in zip(numbers, places_mm, strict=True):
    ids, voxels = np.unique(annotation[number], return_inverse=True)
    section = np.array([colours[i] for i in ids.tolist()])[voxels]
    plt.imsave(folder / f"{place_mm:05.2f}_mm.png", section)

# %%
# The slider shows one at a time. Elsewhere, Fiji opens the folder as a stack
# (*File*, *Import*, *Image Sequence*), and :neuroglancer:`neuroglancer scrolls
# through every section <6.6 4.0 5.7>`.
#
# Lay eight of them out
# ---------------------
# Read back from the files, these are eight at equal distances.
paths = sorted(folder.glob("*_mm.png"))
_, height_mm, width_mm = annotation.shape * scale_mm
fig, grid = plt.subplots(2, 4, figsize=(7.2, 3.1), layout="constrained")
chosen = np.linspace(0, len(paths) - 1, 10).round().astype(int)[1:-1]
for ax, n in zip(grid.flat, chosen, strict=True):
    extent = (0, width_mm, height_mm, 0)
    ax.imshow(plt.imread(paths[n]), extent=extent, interpolation="nearest")
    ax.set_title(f"{places_mm[n]:.2f} mm", fontsize=9)
    ax.axis("off")
grid[0, 0].plot([0.2, 2.2], [height_mm - 0.2] * 2, color="black", linewidth=2)
grid[0, 0].text(0.2, height_mm - 0.5, "2 mm", fontsize=8)
fig.alt = (
    "Eight coronal sections of a mouse brain in a row from front to back, in "
    "the atlas's colours and to one scale. The first are small and hold the "
    "olfactory bulbs, those in the middle are the largest, the last are the "
    "cerebellum and the medulla."
)
plt.show()

# %%
# From the olfactory bulbs the brain widens to the level of the thalamus and
# narrows again to the medulla.
#
# Check what the row holds
# ------------------------
# The area of the tissue in each section, times the distance between sections,
# is a volume: Cavalieri's estimate, as used on slides. It can be held against
# all voxels, and the files against the array.
is_tissue = annotation > 0
each_mm3 = np.prod(scale_mm)
whole_mm3 = np.count_nonzero(is_tissue) * each_mm3
row_mm3 = np.count_nonzero(is_tissue[numbers]) * every * each_mm3
more = row_mm3 / whole_mm3 - 1
print(f"tissue, from the row: {row_mm3:.2f} mm³, {more:+.2%}")
print(f"tissue, every voxel: {whole_mm3:.2f} mm³")
n_differ = 0
for number, path in zip(numbers, paths, strict=True):
    expected = np.array([*map(colours.get, annotation[number].flat)])
    found = plt.imread(path)[..., :3].reshape(-1, 3)
    n_differ += np.count_nonzero(abs(found - expected).max(axis=1) > 0.5 / 255)
print(f"dots in the files that differ from the array: {n_differ}")

# %%
# What is thinner than the distance may fall between two sections.
ids = np.unique(annotation[is_tissue])
missed = np.setdiff1d(ids, annotation[numbers])
print(f"{len(missed)} of {len(ids)} structures are in no picture")

# %%
# The row is near enough for the brain as a whole. Of a small structure it
# holds few sections or none, and between two of them it tells nothing.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/draw_planes` cuts in the two other directions,
#    and :doc:`/aws_examples/slices/write_names` says what is what.
#    :doc:`/aws_examples/volumes/measure_structures` measures without sections.

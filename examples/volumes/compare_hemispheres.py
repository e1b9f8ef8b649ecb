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
Compare hemispheres: left against right
=======================================

The asymmetry of every structure in mouse and rat, and a trap in the rat.

Is a structure larger on the left? The Allen mouse atlas was made symmetric,
so it shows the asymmetry that the choice of voxels produces. The Waxholm Space
atlas is of one rat; the sides that its array draws are not the brain's.
"""

# sphinx_gallery_tags = ["measure", "compare", "advanced"]

import csv
import json

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr

# %%
# Fetch the manifests and the tables
# ----------------------------------
# A :term:`manifest` names the parts of its atlas, and says whether one half
# was made from the other. The :term:`terminology` lists the ids to count.
atlases = {"mouse": "allen_mouse_50um", "rat": "whs_sd_rat_39um"}
web = "https://brainglobe.s3.us-west-2.amazonaws.com/atlas"
cache = {"known_hash": None, "path": pooch.os_cache("brainglobe_atlases")}
manifests, ids = {}, {}
for animal, atlas in atlases.items():
    path = pooch.retrieve(f"{web}/atlases/{atlas}/3_0/manifest.json", **cache)
    with open(path, encoding="utf-8") as file:
        manifests[animal] = json.load(file)
    place = manifests[animal]["terminology"]["location"]
    path = pooch.retrieve(f"{web}{place}/terminology.csv", **cache)
    with open(path, newline="", encoding="utf-8") as file:
        values = [int(row["annotation_value"]) for row in csv.DictReader(file)]
    ids[animal] = np.array(sorted([0, *values]))
    print(f"{animal}: symmetric is {manifests[animal]['symmetric']}")

# %%
# Open the arrays
# ---------------
# The manifest's :term:`resolution` is rounded, but finds the :term:`level`,
# whose metadata tell the scale in full.
arrays, scale_mm = {}, {}
for animal, manifest in manifests.items():
    place = manifest["annotation_set"]["location"]
    for part in "annotations_compressed", "hemispheres":
        group = zarr.open_group(
            f"s3://brainglobe/atlas{place}/{part}.ome.zarr",
            mode="r",
            zarr_format=3,
            use_consolidated=False,
            storage_options={"anon": True, "max_concurrency": 1},
        )
        [image] = group.attrs["ome"]["multiscales"]
        for dataset in image["datasets"]:
            scale = dataset["coordinateTransformations"][0]["scale"]
            if abs(1000 * scale[2] - manifest["resolution"][2]) < 0.5:
                arrays[animal, part] = group[dataset["path"]]
                scale_mm[animal] = np.array(scale)
    axis = image["axes"][2]
    print(animal, scale_mm[animal], axis["unit"], axis["orientation"]["value"])

# %%
# Read the sides
# --------------
# In an ``asr`` array the last axis begins at the animal's right, so a line of
# :term:`hemispheres` should begin with 2, for right (see :doc:`/orientation`).
# The rest of the array must repeat the line.
middles = {}
for animal in atlases:
    hemispheres = arrays[animal, "hemispheres"]
    line = hemispheres[0, 0]
    for number in range(hemispheres.cdata_shape[0]):
        assert (hemispheres.blocks[number] == line).all()
    [middle] = np.flatnonzero(np.diff(line)) + 1
    middles[animal] = {"array": middle}
    print(f"{animal}: {line[0]} until column {middle}, then {line[-1]}")

# %%
# Count by column
# ---------------
# A table of structures by columns serves every way to halve the brain.
n_voxels = {}
for animal, values in ids.items():
    annotation = arrays[animal, "annotations_compressed"]
    n = np.zeros((len(values), annotation.shape[2]), dtype=int)
    for index in np.ndindex(annotation.cdata_shape):
        labels = annotation.blocks[index]
        row = np.searchsorted(values, labels)
        assert (values[row] == labels).all(), "an id without a row"
        first = index[2] * annotation.chunks[2]
        place = row * n.shape[1] + first + np.arange(row.shape[2])
        n += np.bincount(place.ravel(), minlength=n.size).reshape(n.shape)
    n_voxels[animal] = n[(values > 0) & n.any(axis=1)]

# %%
# Find where the brain mirrors itself
# -----------------------------------
# The brain's own middle is the column about which the table is most like its
# mirror image, compared over a quarter of the array on both sides.
for animal, n in n_voxels.items():
    q = n.shape[1] // 4
    unlike = {
        m: np.abs(n[:, m - q : m][:, ::-1] - n[:, m : m + q]).sum()
        for m in range(q, 3 * q + 1)
    }
    middles[animal]["brain"] = min(unlike, key=unlike.get)

# %%
# Compare the sides
# -----------------
# The asymmetry is the difference of the sides over their sum. A structure of
# the typical shape of :doc:`/aws_examples/volumes/compare_resolutions` has a
# sampling error of twice the cube root of its voxels.
percent = {}
for animal, table in n_voxels.items():
    both = table.sum(axis=1)
    for what, m in middles[animal].items():
        left, right = table[:, m:].sum(axis=1), table[:, :m].sum(axis=1)
        percent[animal, what] = 100 * (left - right) / both
        is_beyond = np.abs(left - right) > 3 * (2 * np.cbrt(both))
        n, n_left = is_beyond.sum(), np.sum(is_beyond & (left > right))
        middle_mm = m * scale_mm[animal][2]
        print(f"{animal}, {what}'s middle, {middle_mm:.3f} mm from the right:")
        print(f"  left {left.sum():,} + right {right.sum():,} voxels")
        print(f"  {n} of {len(both)} beyond 3 errors, {n_left} larger left")

# %%
# See both
# --------
fig, grid = plt.subplots(2, 2, figsize=(7.2, 6.2), layout="constrained")
sections = {}
for (above, below), animal in zip(grid.T, atlases, strict=True):
    labels = arrays[animal, "annotations_compressed"]
    section = sections[animal] = labels[labels.shape[0] // 2]
    grey = np.where(section > 0, 0.85, 1.0)
    grey[:, 1:][section[:, 1:] != section[:, :-1]] = 0.5
    height_mm, width_mm = section.shape * scale_mm[animal][1:]
    view = {"extent": (0, width_mm, height_mm, 0), "interpolation": "nearest"}
    above.imshow(grey, "gray", vmin=0, **view)
    mm3 = n_voxels[animal].sum(axis=1) * np.prod(scale_mm[animal])
    for what, line, mark in ("array", ":", "C1o"), ("brain", "-", "k."):
        middle_mm = middles[animal][what] * scale_mm[animal][2]
        above.axvline(middle_mm, color="black", linestyle=line)
        y = percent[animal, what]
        below.plot(mm3, y, mark, mfc="none", ms=4, label=what)
    above.set(title=animal, xlabel="right  ←  mm  →  left")
    below.set(xscale="log", ylim=(-105, 105), xlabel="volume (mm³)")
grid[0, 0].set_ylabel("ventral  ←  mm  →  dorsal")
grid[1, 0].set_ylabel("right  ←  asymmetry (%)  →  left")
grid[1, 0].legend(title="halved at the middle of")
fig.alt = (
    "Above, coronal sections: one midline in the mouse, but in the rat the "
    "array's middle lies to the right of the brain's. Below, asymmetry by "
    "volume: near zero in the mouse, large in the rat, less about its middle."
)
plt.show()

# %%
# Dotted is the middle of the array, full that of the brain. The mouse's excess
# leans to one side: a coarse level keeps every n-th voxel, off the midline.
#
# Check on one section
# --------------------
# Fold each along both lines and compare voxel with voxel.
for animal, section in sections.items():
    q = section.shape[1] // 4
    for what, m in middles[animal].items():
        unlike = section[:, m - q : m][:, ::-1] != section[:, m : m + q]
        print(f"{animal}, {what}'s middle: {unlike.mean():.1%} unlike")

# %%
# What remains about the rat's own middle is one animal, drawn by hand, and a
# brain that lies a little askew; these counts cannot tell them apart.
#
# .. seealso::
#
#    :doc:`/orientation` says whose left is left.

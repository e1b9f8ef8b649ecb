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
Measure all structures at once
==============================

The volumes of all structures, each with its parts, from one pass over a file.

How large is the hippocampus, or any other part of the mouse brain? The
annotation of the Allen mouse atlas names the finest structure at every voxel,
so one pass over it counts them all. What is divided into parts has few voxels
of its own or none: its volume comes from the hierarchy, as the sum of what is
in it.
"""

# sphinx_gallery_tags = ["measure", "intermediate"]

import csv
from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr

# %%
# Open the annotation
# -------------------
# Of the :term:`levels <level>` of the :term:`annotation`, take the one whose
# voxels measure 25 µm. Its size is read from the metadata, which say in which
# unit they give it.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
scales = {
    dataset["path"]: dataset["coordinateTransformations"][0]["scale"]
    for dataset in image["datasets"]
}
level = min(scales, key=lambda path: abs(scales[path][0] - 0.025))
annotation = group[level]
[unit] = {axis["unit"] for axis in image["axes"]}
print(f"level {level}: {annotation.shape} voxels of {scales[level]} {unit}")

# %%
# Count every id
# --------------
# One row of :term:`chunks <chunk>` is read, counted and forgotten before the
# next, so the whole array is never in memory. Two threads decode it: each
# more would need memory of its own. To count every id this way costs less than
# to ask of each voxel of the array whether it has one of them.
zarr.config.set({"threading.max_workers": 2})
n_own = Counter()
for index in np.ndindex(annotation.cdata_shape[:2]):
    ids, counts = np.unique(annotation.blocks[index], return_counts=True)
    n_own.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
n_background = n_own.pop(0)
print(f"{len(n_own)} ids in {n_own.total():,} voxels of tissue")

# %%
# Add parts to their wholes
# -------------------------
# Every voxel counts for its structure and for all that contain it: in the
# :term:`terminology`, ``parent_identifier`` leads up to the root, which has no
# parent.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}

# %%
# An id without a row would be lost in silence, so it is reported.
structure_of = {int(row["annotation_value"]): i for i, row in rows.items()}
n_voxels = Counter()
for value, n in n_own.items():
    i = structure_of.get(value)
    while i:
        n_voxels[i] += n
        i = rows[i]["parent_identifier"]
unknown = [value for value in n_own if value not in structure_of]
print("Ids without a row:", unknown)
print("Without a voxel:", *(rows[i]["name"] for i in rows if not n_voxels[i]))

# %%
# Print the major divisions
# -------------------------
# These fourteen do not overlap, and almost fill the brain. The count is exact;
# where a border runs through a voxel, the volume is not. See
# :doc:`/aws_examples/volumes/compare_resolutions` for how much that matters.
divisions = ["Isocortex", "OLF", "HPF", "CTXsp", "STR", "PAL", "TH", "HY"]
divisions += ["MB", "P", "MY", "CB", "VS", "fiber tracts"]
voxel_mm3 = np.prod(scales[level])
n_of = {row["abbreviation"]: n_voxels[i] for i, row in rows.items()}
n_of["elsewhere"] = n_of["root"] - sum(n_of[name] for name in divisions)
for name in [*divisions, "elsewhere", "root"]:
    mm3, share = n_of[name] * voxel_mm3, n_of[name] / n_of["root"]
    print(f"{name:12} {n_of[name]:>10,} voxels {mm3:>8.3f} mm³ {share:>7.2%}")

# %%
# Draw the whole hierarchy
# ------------------------
# Each row of the figure is one step down. A structure is as wide as its
# volume and lies below what contains it, in the atlas's own colour; siblings
# stand in order of size.
children = defaultdict(list)
for i in sorted(rows, key=lambda i: -n_voxels[i]):
    children[rows[i]["parent_identifier"]].append(i)
placed, waiting = {}, [(children[""][0], 0, 0.0)]
while waiting:
    i, depth, left_mm3 = waiting.pop()
    placed[i] = depth, left_mm3, n_voxels[i] * voxel_mm3
    for child in children[i]:
        waiting.append((child, depth + 1, left_mm3))
        left_mm3 += n_voxels[child] * voxel_mm3

# %%
# An :term:`acronym` is written where it fits.
depths, left_mm3, width_mm3 = np.array(list(placed.values())).T
colours = [rows[i]["color_hex_triplet"] for i in placed]
edges = {"edgecolor": "black", "linewidth": 0.2}
fig, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
ax.barh(depths, width_mm3, 1, left_mm3, color=colours, **edges)
for i, (depth, left, width) in placed.items():
    name = rows[i]["abbreviation"]
    if width > max(width_mm3) * len(name) / 105:
        centre = {"ha": "center", "va": "center", "fontsize": 7}
        ax.text(left + width / 2, depth, name, **centre)
ax.set(xlim=(0, max(width_mm3)), ylim=(max(depths) + 0.5, -0.5))
ax.set_title("Every structure of the mouse brain, as wide as its volume")
ax.set_xlabel("volume, both hemispheres (mm³)")
ax.set_ylabel("depth in the hierarchy")
fig.alt = (
    "Bars stacked in rows from the whole brain at the top to the finest "
    "structures below; each bar is as wide as its volume in cubic mm. Grey "
    "matter fills most of the row below the brain, and the isocortex is the "
    "widest of the divisions."
)
plt.show()

# %%
# White under a bar that has parts is tissue that belongs to none of them; a
# bar without parts ends its branch.
#
# Check the total
# ---------------
# Everything must have reached the root, once. A second pass counts the voxels
# that are not zero and knows nothing of ids or parents.
n_tissue = sum(
    np.count_nonzero(annotation.blocks[index])
    for index in np.ndindex(annotation.cdata_shape[:2])
)
n_unknown = sum(n_own[value] for value in unknown)
print(f"root {n_of['root']:,} + without a row {n_unknown:,} voxels")
print(f"not zero: {n_tissue:,} voxels")

# %%
# These are volumes in an average of many adult brains, both hemispheres
# together. They tell neither how much animals differ nor what fixing and
# cutting did to one of them.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/walk_hierarchy` explains parents and
#    descendants. :doc:`/aws_examples/explore_atlas` measures one structure.
#    :doc:`/data` says where the files come from.

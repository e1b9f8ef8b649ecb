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
Compare resolutions: how far to trust a volume
==============================================

The same volumes at 25, 50 and 100 µm, beside the error to be expected.

An annotation with larger voxels is read sooner, but small structures lose
their shape in it, and some vanish. Measure every structure of the Allen mouse
atlas at three resolutions, and find the coarsest that answers a question.
"""

# sphinx_gallery_tags = ["measure", "compare", "intermediate"]

import csv
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr

# %%
# Fetch three levels and the table
# --------------------------------
# Each :term:`level` is found by the size of its voxels, in the metadata's own
# unit.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
[image] = group.attrs["ome"]["multiscales"]
assert {axis["unit"] for axis in image["axes"]} == {"millimeter"}
levels, voxel_mm3 = {}, {}
for dataset in image["datasets"]:
    scale_mm = np.array(dataset["coordinateTransformations"][0]["scale"])
    um = round(1000 * scale_mm.max())
    levels[um], voxel_mm3[um] = group[dataset["path"]], scale_mm.prod()

# %%
# Count them
# ----------
# This is the count of :doc:`/aws_examples/volumes/measure_structures`, but no
# parts are added to their wholes: a voxel counts for the structure it names.
n_voxels = {um: Counter() for um in (25, 50, 100)}
for um, n in n_voxels.items():
    for index in np.ndindex(levels[um].cdata_shape[:2]):
        found = np.unique(levels[um].blocks[index], return_counts=True)
        found = [column.tolist() for column in found]
        n.update(dict(zip(*found, strict=True)))
    del n[0]  # the background
    print(f"{um:3} µm: {n.total() * voxel_mm3[um]:.3f} mm³ of tissue")

# %%
# See what vanishes
# -----------------
# A structure without parts should have voxels of its own. One that has none is
# too thin for these voxels, or was never drawn.
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}
value_of = {i: int(row["annotation_value"]) for i, row in rows.items()}
wholes = {row["parent_identifier"] for row in rows.values()}
for um, n in n_voxels.items():
    empty = [i for i in rows if i not in wholes and value_of[i] not in n]
    print(f"{um:3} µm: no", *(rows[i]["abbreviation"] for i in empty))

# %%
# State the error to be expected
# ------------------------------
# At a border, chance decides on which side the centre of a voxel falls. Take
# every *face* between two structures for the toss of a coin, one voxel more
# or less, with a standard deviation of one half: independent tosses add up to
# √(faces) / 2 voxels. Neighbours on a curved border balance each other and
# err less; on a flat one along the grid they err together, and more.


def count_faces(labels, ids):
    """Return how many faces each id shows to other ids."""
    n_faces = np.zeros(len(ids), dtype=int)
    for axis in range(labels.ndim):
        line = np.moveaxis(labels, axis, 0)
        differ = line[1:] != line[:-1]
        for side in line[1:][differ], line[:-1][differ]:
            place = np.searchsorted(ids, side)
            n_faces += np.bincount(place, minlength=len(ids))
    return n_faces


# %%
# Of a body ten times smaller the border is smaller too, but not ten times: the
# relative error of a typical shape falls as its voxels to the power ⅔ grow.
ids = np.array(sorted({0}.union(*n_voxels.values())))
n_fine = np.array([n_voxels[25][i] for i in ids.tolist()])[1:]
fine_mm3 = n_fine * voxel_mm3[25]
difference, typical = {}, {}
for um in 50, 100:
    n = np.array([n_voxels[um][i] for i in ids.tolist()])[1:]
    difference[um] = np.abs(n * voxel_mm3[um] / fine_mm3 - 1)
    n_faces = count_faces(levels[um][:], ids)[1:]
    error = np.sqrt(n_faces) / 2 * voxel_mm3[um] / fine_mm3
    typical[um] = np.median(error * (fine_mm3 / voxel_mm3[um]) ** (2 / 3))
    once, twice = (np.mean(difference[um] <= k * error) for k in (1, 2))
    print(f"{um:3} µm: {once:.0%} within the error, {twice:.0%} within twice")

# %%
# See it grow
# -----------
along_mm3 = np.geomspace(fine_mm3.min(), fine_mm3.max())
fig, axes = plt.subplots(ncols=2, figsize=(7.2, 4.2), layout="constrained")
for ax, um in zip(axes, difference, strict=True):
    ax.plot(fine_mm3, 100 * difference[um], "o", c="#56b4e9", mfc="none", ms=3)
    expected = typical[um] * (along_mm3 / voxel_mm3[um]) ** (-2 / 3)
    ax.plot(along_mm3, 100 * expected, color="black", label="expected")
    ax.set(xscale="log", yscale="log", ylim=(0.01, 200))
    ax.set(title=f"{um} µm against 25 µm", xlabel="volume at 25 µm (mm³)")
axes[0].set_ylabel("relative difference (%)")
axes[0].legend(loc="lower left")
fig.alt = (
    "Relative difference against volume, on logarithmic axes, one ring for "
    "each structure: left at 50 µm, right at 100 µm. Both clouds fall from "
    "upper left to lower right, scattered mostly below a straight line that "
    "is four times higher on the right."
)
plt.show()

# %%
# A ring at 100 % has vanished.
#
# Choose a resolution
# -------------------
# Read the line the other way: how large must a structure of typical shape be
# for an expected error of 5 %? Halving the voxel makes the error four times
# smaller, so the line of 25 µm follows from that of 50 µm.
for um in n_voxels:
    smallest_mm3 = (typical[max(um, 50)] / 0.05) ** 1.5 * voxel_mm3[um]
    n_below = np.sum(fine_mm3 < smallest_mm3)
    print(f"{um:3} µm: {smallest_mm3:.4f} mm³; {n_below} are smaller")

# %%
# Check the error by sampling again
# ---------------------------------
# Eight grids of 50 µm fit into the one of 25 µm, each beginning at another
# corner. Count the retrosplenial area (RSP) with all its parts on each of
# them: together they take every voxel once, and their spread is the error.
inside = [i for i in rows if rows[i]["abbreviation"] == "RSP"]
for i in inside:  # grows while it is read, until no part is left to add
    inside += [j for j in rows if rows[j]["parent_identifier"] == i]
rsp_ids = [value_of[i] for i in inside]
for um in 100, 50:
    is_rsp = np.isin(levels[um][:], rsp_ids)
    n, error = is_rsp.sum(), np.sqrt(count_faces(is_rsp, [0, 1])[1]) / 2
    print(f"{um} µm: {n:,} ± {error:.0f} voxels", end=" = ")
    print(f"{n * voxel_mm3[um]:.3f} ± {error * voxel_mm3[um]:.3f} mm³")

# %%
# A box around what was found at 50 µm keeps the read at 25 µm small.
box = [slice(2 * w.min() - 2, 2 * w.max() + 4) for w in np.nonzero(is_rsp)]
is_rsp = np.isin(levels[25][tuple(box)], rsp_ids)
n, eight = is_rsp.sum(), np.ndindex(2, 2, 2)
eight = [is_rsp[a::2, b::2, c::2].sum() for a, b, c in eight]
print(f"25 µm: {n:,} voxels = {n * voxel_mm3[25]:.3f} mm³")
print(f"eight samples at 50 µm: {np.mean(eight):,.0f} ± {np.std(eight):.0f}")

# %%
# A spread beyond the stated error is the mark of a sheet, whose borders follow
# the grid for long stretches: take the spread. For others twice the error is
# a prudent margin. Neither tells whether a border lies where it should.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/walk_hierarchy` collects the parts of a
#    structure. :doc:`/aws_examples/volumes/describe_shape` measures a surface
#    better than by faces.

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
Assign points to structures
===========================

A million cells counted by structure, with none lost on the way.

In which structure is each cell, and how densely do cells lie in each? With
the cells' positions in the frame of the Allen mouse atlas, one division and
one lookup answer for all of them at once. Care is due to the points that have
no structure: outside the array, outside the brain, or not numbers at all.
"""

# sphinx_gallery_tags = ["locate", "intermediate"]

import csv
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read one level whole
# --------------------
# A million points need every :term:`chunk`, and at 50 µm there are few. The
# metadata place the centre of the first :term:`voxel`; its edge lies half a
# voxel before. In µm, these borders are exact in floating point.
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
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.05))
annotation = group[level][:]
scale_um = 1000 * np.array(steps[level][0]["scale"])
edge_um = 1000 * np.array(steps[level][1]["translation"]) - scale_um / 2
size_um = scale_um * annotation.shape
print(f"{annotation.shape} voxels of {scale_um} µm, from {edge_um} µm")

# %%
# Make a million cells
# --------------------
# Most are spread evenly over a box larger than the array; the others crowd
# around one place. Real files bring trouble, so some lie on borders between
# voxels, some are not a number and some are infinite.
rng = np.random.default_rng(seed=1)
points_um = rng.uniform(-500, size_um + 500, size=(1_000_000, 3))
n_even = 700_000
points_um[n_even:] = rng.normal((7500, 2800, 3500), 900, size=(300_000, 3))
corners = rng.integers(annotation.shape, size=(5_000, 3))
points_um[-7_000:-2_000] = edge_um + corners * scale_um
points_um[-2_000:-1_000, 1] = np.nan
points_um[-1_000:, 0] = np.inf * rng.choice((-1, 1), size=1_000)

# %%
# Look all of them up
# -------------------
# Counted in voxels from the edge of the array, a position's whole part is the
# index. A point on a border thus belongs to the voxel behind it: the more
# posterior, inferior or left one. ``nan`` fails every comparison, so it counts
# as outside and never becomes an index.
position = (points_um - edge_um) / scale_um
is_inside = np.all((position >= 0) & (position < annotation.shape), axis=1)
found = np.zeros(len(points_um), annotation.dtype)
found[is_inside] = annotation[tuple(position[is_inside].astype(int).T)]

# %%
# Lose none
# ---------
# The :term:`terminology` names the ids. Every point is of one of five classes.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}
identifier = {int(row["annotation_value"]): i for i, row in rows.items()}
is_finite = np.isfinite(points_um).all(axis=1)
is_named = np.isin(found, list(identifier))
sizes = {
    "not finite": np.sum(~is_finite),
    "outside the array": np.sum(is_finite & ~is_inside),
    "background": np.sum(is_inside & (found == 0)),
    "an id without a row": np.sum((found > 0) & ~is_named),
    "a structure": np.sum(is_named),
}
for name, n in [*sizes.items(), ("together", sum(sizes.values()))]:
    print(f"{n:9,} {name}")
is_border = is_inside & np.any(position == np.floor(position), axis=1)
print(f"{is_border.sum():9,} of them on a border between voxels")

# %%
# Roll up the hierarchy
# ---------------------
# A cell in a layer is also in its area, in the cortex and in the brain. What
# is counted for an id, cells or voxels, is therefore added to each ancestor.
n_cells, n_voxels = Counter(), Counter()
for total, values in (n_cells, found), (n_voxels, annotation):
    for value, n in zip(*np.unique(values, return_counts=True), strict=True):
        above = identifier.get(int(value))
        while above:
            total[above] += int(n)
            above = rows[above]["parent_identifier"]
mm3 = {i: n * scale_um.prod() / 1e9 for i, n in n_voxels.items()}
density = {i: n_cells[i] / mm3[i] for i in mm3}

# %%
# Twelve large divisions hold the grey matter.
major = ["Isocortex", "OLF", "HPF", "CTXsp", "STR", "PAL"]
major += ["TH", "HY", "MB", "P", "MY", "CB"]
by_name = {row["abbreviation"]: i for i, row in rows.items()}
print("cells, mm³ and cells per mm³")
for name in ["root", *major]:
    i = by_name[name]
    print(f"{n_cells[i]:7,} {mm3[i]:8.3f} {density[i]:8.1f}  {name}")

# %%
# Look at them
# ------------
# Each dot is a cell of one slab, in its structure's official colour; grey ones
# are outside the brain. The dotted line is the density of the even spread.
hues = {i: row["color_hex_triplet"] for i, row in rows.items()}
colours = {value: to_rgb(hues[i]) for value, i in identifier.items()}
colours[0] = (0.9, 0.9, 0.9)
is_shown = is_inside & (np.abs(points_um[:, 0] - 7500) < 150)
dots = [colours[i] for i in found[is_shown].tolist()]
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]

fig, (face, chart) = plt.subplots(
    ncols=2, figsize=(7.2, 3.6), width_ratios=(1.7, 1), layout="constrained"
)
face.scatter(*points_um[is_shown, :0:-1].T / 1000, s=1, c=dots, linewidth=0)
face.set(aspect="equal", title="cells in a coronal slab of 0.3 mm")
face.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
face.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
face.invert_yaxis()
for i in map(by_name.get, major):
    bar = {"color": hues[i], "edgecolor": "black", "linewidth": 0.5}
    chart.barh(rows[i]["abbreviation"], density[i], **bar)
chart.axvline(n_even / np.prod(size_um / 1000 + 1), color="k", linestyle=":")
chart.set(title="density", xlabel="cells per mm³")
chart.invert_yaxis()
fig.alt = (
    "Left, dots draw a coronal section of a mouse brain in the atlas's "
    "colours, densest in the hippocampus and thalamus of the right side. "
    "Right, bars of the density in twelve divisions; these two are longest."
)
plt.show()

# %%
# Divisions far from the crowd are near the even spread's density.
#
# Check the lookup
# ----------------
# Counting the borders that a point has reached gives its index without a
# division. Before the first and after the last, where ``nan`` is sorted too,
# lies a layer of background.
index = np.empty(points_um.shape, dtype=int)
for axis, n in enumerate(annotation.shape):
    borders_um = edge_um[axis] + scale_um[axis] * np.arange(n + 1)
    index[:, axis] = np.searchsorted(borders_um, points_um[:, axis], "right")
checked = np.pad(annotation, 1)[tuple(index.T)]
print(f"{np.sum(checked != found)} of {len(found):,} points differ")

# %%
# The counts are exact for these positions and this annotation. A cell within
# half a voxel of a border may be in the neighbour at a finer level, and a
# cell's own position is seldom known that well.
#
# .. seealso::
#
#    :doc:`/aws_examples/coordinates/convert_coordinates` brings positions into
#    this frame. :doc:`/aws_examples/structures/walk_hierarchy` shows the tree.

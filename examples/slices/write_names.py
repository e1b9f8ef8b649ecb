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
Write the names in
==================

A section with an acronym inside each structure that has room for one.

Which structure is which? A plate in a printed atlas says so in the place
itself. The mean of a structure's voxels will not do for that: in a curved
structure, such as a layer of the cortex, it lies outside. The place to write
is the voxel deepest inside, which a few lines find for every structure of the
Allen mouse atlas at once.
"""

# sphinx_gallery_tags = ["draw", "name", "intermediate"]

import csv
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read one half of a section
# --------------------------
# The two sides are nearly mirror images, so one is enough, and there is more
# room for letters. Thin layers need :term:`voxels <voxel>` of 25 µm.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
steps = {d["path"]: d["coordinateTransformations"] for d in image["datasets"]}
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.025))
annotation = group[level]
scale_mm = np.array(steps[level][0]["scale"])
first_mm = np.array(steps[level][1]["translation"])

# %%
# The half that is not wanted becomes background, so that the midline counts
# as a border.
position_mm = 7.5
plane = round((position_mm - first_mm[0]) / scale_mm[0])
middle = annotation.shape[2] // 2
half = annotation[plane]
half[:, :middle] = 0
print(f"level {level}, plane {plane}: {np.unique(half).size - 1} structures")

# %%
# Measure how deep each voxel lies
# --------------------------------
# In each round the voxels at the edge of their structure fall away: those
# with a neighbour that holds another id or has fallen before. The round in
# which a voxel falls is its distance from the border, counted in voxels. The
# brain ends before the array does, so nothing rolls in from the other edge.
depth = np.zeros(half.shape, dtype=int)
standing = half.copy()
while standing.any():
    depth += standing > 0
    near = [np.roll(standing, n, axis) for n in (1, -1) for axis in (0, 1)]
    standing[np.any(near != half, axis=0)] = 0

# %%
# Find a place for each name
# --------------------------
# A band is equally deep along its whole length. Of its deepest voxels, the
# one nearest to their mean is taken. Where it is less than three voxels from
# the border, even small letters would be wider than the structure.
places = {}
for value in np.unique(half[half > 0]).tolist():
    room = np.where(half == value, depth, 0)
    deepest = np.argwhere(room == room.max())
    off_centre = np.linalg.norm(deepest - deepest.mean(axis=0), axis=1)
    places[value] = tuple(deepest[off_centre.argmin()])
roomy = [value for value in places if depth[places[value]] >= 3]
roomy.sort(key=lambda value: depth[places[value]], reverse=True)

# %%
# Read the names and the colours
# ------------------------------
# The :term:`terminology` has an :term:`acronym` and a colour for each id.
# Mixed with white, the colours leave the letters legible; the voxels that
# fell in the first round are darkened, for they are the borders.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {int(row["annotation_value"]): row for row in csv.DictReader(file)}

# %%
colours = np.ones((*half.shape, 3))
for value in places:
    colours[half == value] = to_rgb(rows[value]["color_hex_triplet"])
colours = 0.4 * colours + 0.6
colours[depth == 1] *= 0.85

# %%
# Write each name where it touches no other
# -----------------------------------------
# How large a word is, only the drawn figure can tell. The deepest structures
# choose first; a name that would touch an earlier one is tried in smaller
# letters, and then left out.
low = first_mm - scale_mm / 2
high = low + scale_mm * annotation.shape
fig, ax = plt.subplots(figsize=(5.8, 7.8), layout="constrained")
ax.imshow(
    colours,
    extent=(low[2], high[2], high[1], low[1]),
    interpolation="nearest",
)
ax.set_title(f"{ends[2][1]} half, coronal, {position_mm} mm")
ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
ax.set_xlim(low[2] + middle * scale_mm[2] - 0.3, high[2] - 0.3)
fig.draw_without_rendering()
names, boxes = [], []
for size, value in product((7, 5), roomy):
    y, x = first_mm[1:] + places[value] * scale_mm[1:]
    name = ax.text(x, y, rows[value]["abbreviation"], size=size)
    name.set(ha="center", va="center")
    box = name.get_window_extent()
    if any(box.overlaps(other) for other in boxes):
        name.remove()
    else:
        names.append(name)
        boxes.append(box)
fig.alt = (
    "The left half of a coronal section of a mouse brain in pale colours. "
    "Most structures have their acronym inside, in letters that do not touch."
)
plt.show()
print(f"{len(names)} names for {len(places)} structures")
print(
    f"left out: {len(places) - len(roomy)} too thin, "
    f"{len(roomy) - len(names)} crowded out"
)

# %%
# The layers of the cortex show why the deepest place is needed, and its limit:
# the middle of a name is in its structure, but a long name reaches over the
# border on both sides.
# :neuroglancer:`Open the same section in neuroglancer <7.5 3.0 8.5>`, which
# names what one points at.
#
# Check the places
# ----------------
# The positions are taken back from the figure, in mm, and looked up in
# another level, whose voxels are twice as large.
other = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.05))
x, y = np.transpose([name.get_position() for name in names])
points_mm = np.stack([np.full(x.size, position_mm), y, x], axis=1)
points_mm -= steps[other][1]["translation"]
index = np.rint(points_mm / steps[other][0]["scale"]).astype(int)
found = [rows[i]["abbreviation"] for i in group[other].vindex[*index.T]]
n_right = np.sum([name.get_text() for name in names] == np.array(found))
print(f"level {other}: {n_right} of {len(names)} names are in their structure")

# %%
# A section of one voxel's thickness holds only what it meets; a structure
# without a name may have plenty of room in the next section.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/outline_structures` draws borders between the
#    voxels instead of on them. :doc:`/aws_examples/slices/draw_planes`
#    has the same section in full colour. :doc:`/orientation` tells left from
#    right.

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
Draw the three planes
=====================

Coronal, horizontal and sagittal sections through one point, to one scale.

What surrounds a point in the brain? Three sections at right angles show it,
if the reader can tell which side is which and how large things are. The
annotation of the Allen mouse atlas carries what is needed: the size of its
voxels, the direction of its axes, and a table with the official colours.
"""

# sphinx_gallery_tags = ["draw", "beginner"]

import csv

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Open the level that suits the figure
# ------------------------------------
# The annotation is stored several times, from fine to coarse. Its metadata
# tell how large the voxels of each :term:`level` are; 50 µm is fine enough
# for a figure as wide as a page, at a fraction of the bytes.
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
annotation = group[level]
print(f"level {level}: {annotation.shape} voxels of {scale_mm} mm")

# %%
# Read the directions
# -------------------
# Each axis says where it leads. They will label the figure.
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
for number, (start, end) in enumerate(ends):
    print(f"axis {number} runs from {start} to {end}")

# %%
# Read the colours
# ----------------
# The table of structures, the :term:`terminology`, has a colour for each id.
# A voxel of 0 is background and stays white, and so does ``root``, the tissue
# that belongs to no smaller structure.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {int(row["annotation_value"]): row for row in csv.DictReader(file)}
colours = {i: to_rgb(row["color_hex_triplet"]) for i, row in rows.items()}
colours[0] = to_rgb("white")

# %%
# Choose a point and read its sections
# ------------------------------------
# A position in mm becomes an index by the metadata's scale and translation,
# which give the centre of each voxel (see :doc:`/orientation`). Three reads
# fetch only the chunks that the sections cut.
point_mm = np.array([7.5, 2.5, 3.5])
index = np.rint((point_mm - first_mm) / scale_mm).astype(int)
planes = {
    "coronal": (annotation[index[0]], 1, 2),
    "sagittal": (annotation[:, :, index[2]].T, 1, 0),
    "horizontal": (annotation[:, index[1]], 0, 2),
}
value = int(planes["coronal"][0][index[1], index[2]])
print(f"Voxel {index.tolist()} is {rows[value]['name']}")

# %%
# Draw them to one scale
# ----------------------
# The three share their axes, as in a technical drawing: a point has the same
# height in the upper two and the same distance from the side in the left two.
# Half a voxel is added around the centres, and nearest-neighbour drawing keeps
# every voxel in one structure.
size_mm = np.array(annotation.shape) * scale_mm
low, high = first_mm - scale_mm / 2, first_mm - scale_mm / 2 + size_mm
fig, grid = plt.subplots(
    nrows=2,
    ncols=2,
    figsize=(7.2, 6.4),
    width_ratios=size_mm[[2, 0]],
    height_ratios=size_mm[[1, 0]],
    layout="constrained",
)
for ax, (name, (section, down, across)) in zip(
    grid.ravel(), planes.items(), strict=False
):
    ids, place = np.unique(section, return_inverse=True)
    ax.imshow(
        np.array([colours[i] for i in ids.tolist()])[place],
        extent=(low[across], high[across], high[down], low[down]),
        interpolation="nearest",
    )
    ax.axvline(point_mm[across], color="black", linewidth=0.6)
    ax.axhline(point_mm[down], color="black", linewidth=0.6)
    ax.plot([0.4, 2.4], [high[down] - 0.4] * 2, color="black", linewidth=2)
    ax.set_title(f"{name}, {point_mm[3 - down - across]} mm")
    ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[across]))
    ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[down]))
grid[1, 1].axis("off")
grid[1, 1].text(0.5, 0.6, f"cross-hairs:\n{rows[value]['name']}", ha="center")
grid[1, 1].text(0.5, 0.4, "bars: 2 mm", ha="center")
fig.alt = (
    "Three sections of a mouse brain in the atlas's colours, to one scale: "
    "coronal, sagittal and horizontal. Cross-hairs meet in one point of the "
    "right hemisphere in all three."
)
plt.show()

# %%
# The cortex is green to blue, the thalamus and hypothalamus red, fibre tracts
# grey and the cerebellum yellow: neighbours share a colour where the atlas
# gives them one, so the colour names a family and not a single structure.
# :neuroglancer:`Walk on from this point in neuroglancer <7.5 2.5 3.5>`.
#
# Check the point
# ---------------
# The three sections were read separately. Where two of them cross they must
# hold the same voxels.
coronal, sagittal, horizontal = (plane[0] for plane in planes.values())
pairs = {
    "coronal and sagittal": (coronal[:, index[2]], sagittal[:, index[0]]),
    "coronal and horizontal": (coronal[index[1]], horizontal[index[0]]),
    "sagittal and horizontal": (sagittal[index[1]], horizontal[:, index[2]]),
}
for pair, (one, other) in pairs.items():
    print(f"{pair}: {np.sum(one != other)} of {one.size} voxels differ")

# %%
# A section shows borders as the atlas draws them in an average brain; in one
# animal they lie elsewhere, and the figure cannot tell by how much.
#
# .. seealso::
#
#    :doc:`/orientation` explains the axes and where their zero is.
#    :doc:`/aws_examples/slices/outline_structures` draws lines over the
#    template instead, and :doc:`/aws_examples/slices/cut_angle` leaves the
#    three planes. :doc:`/data` tells whose atlas it is.

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
Outline structures on the template
==================================

Borders exact to the edge of a voxel, over the grey image of the tissue.

Where in the tissue does the hippocampus lie? A colour would hide what is
beneath it; an outline does not. In the annotation of the Allen mouse atlas a
border has no voxels of its own: it runs between two voxels whose ids differ.
Drawn there, as a line, it is as exact as the atlas at any magnification.
"""

# sphinx_gallery_tags = ["draw", "intermediate"]

import csv
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.collections import LineCollection

# %%
# Open the template and the annotation
# ------------------------------------
# The :term:`template` is a store of its own: its :term:`levels <level>` may
# have other names than those of the :term:`annotation`, and their first voxels
# may lie elsewhere. Each is asked for its own. The lines deserve fine voxels;
# the image is smooth, and coarser voxels cost fewer bytes.
wanted_mm = {
    "templates/allen-adult-mouse-stpt-template/2015/template.ome.zarr": 0.05,
    "annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr": 0.025,
}
levels = []
for path, size in wanted_mm.items():
    group = zarr.open_group(
        f"s3://brainglobe/atlas/{path}",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options={"anon": True, "max_concurrency": 1},
    )
    [image] = group.attrs["ome"]["multiscales"]
    steps = {
        v["path"]: v["coordinateTransformations"] for v in image["datasets"]
    }
    best = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - size))
    scale_mm = np.array(steps[best][0]["scale"])
    corner_mm = np.array(steps[best][1]["translation"]) - scale_mm / 2
    levels.append((group[best], scale_mm, corner_mm))
    unit = image["axes"][0]["unit"]
    print(f"{path.split('/')[0]}: level {best}, voxels of {scale_mm} {unit}")
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]

# %%
# Read both at one position
# -------------------------
# A position in mm is the same place in both, an index is not (see
# :doc:`/orientation`).
position_mm = 7.5
(template, grey_mm, top_mm), (annotation, scale_mm, corner_mm) = levels
grey = template[int((position_mm - top_mm[0]) // grey_mm[0])]
section = annotation[int((position_mm - corner_mm[0]) // scale_mm[0])]

# %%
# Select a structure with its descendants
# ---------------------------------------
# The hippocampal region, ``HIP``, is divided, so hardly any voxel holds its
# own id. The :term:`terminology` tells each structure's parent.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))

# %%
# The list of :term:`descendants <descendant>` grows while the loop reads it:
# children are appended, and their children in turn.
children = defaultdict(list)
for row in rows:
    children[row["parent_identifier"]].append(row)
family = [row for row in rows if row["abbreviation"] == "HIP"]
for row in family:
    family += children[row["identifier"]]
is_hip = np.isin(section, [int(row["annotation_value"]) for row in family])
print(", ".join(row["abbreviation"] for row in family))

# %%
# Find the borders
# ----------------
# Wherever a voxel differs from the one above it or to its left, a line one
# voxel long runs between the two. A margin of background closes the outline
# of what touches the edge of the array.


def borders(section):
    """Return lines (n, 2, 2) in mm: two ends, each across and down."""
    padded = np.pad(section, 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    level_lines = np.stack([x, y, x + 1, y], axis=1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    upright_lines = np.stack([x, y, x, y + 1], axis=1)
    ends = np.concatenate([level_lines, upright_lines]).reshape(-1, 2, 2)
    return corner_mm[[2, 1]] + ends * scale_mm[[2, 1]]


all_lines, hip_lines = borders(section), borders(is_hip)
print(f"{len(all_lines):,} lines between structures, {len(hip_lines):,} HIP's")

# %%
# Draw them over the template
# ---------------------------
# The greys stop short of white, which is left to the lines. The second panel
# enlarges the frame in the first.
_, low, left = top_mm + template.shape * grey_mm
look = {"cmap": "gray", "vmin": 0, "vmax": 1.5 * np.percentile(grey, 99)}
fig, (ax, detail) = plt.subplots(
    ncols=2, figsize=(7.2, 3.6), width_ratios=(1.7, 1), layout="constrained"
)
for panel, width in (ax, 0.3), (detail, 0.8):
    panel.imshow(
        grey,
        extent=(top_mm[2], left, low, top_mm[1]),
        interpolation="nearest",
        **look,
    )
    thin = LineCollection(all_lines, linewidth=width, color="0.85")
    thick = LineCollection(hip_lines, linewidth=4 * width, color="gold")
    thick.set_capstyle("projecting")
    panel.add_collection(thin)
    panel.add_collection(thick)
    panel.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
ax.set_title(f"HIP outlined, coronal, {position_mm} mm")
ax.indicate_inset((6.1, 1.8, 1.4, 1.4), edgecolor="w", alpha=1)
detail.set(title="within the frame", xlim=(6.1, 7.5), ylim=(3.2, 1.8))
fig.alt = (
    "Coronal section of the template in grey, with thin pale lines between "
    "all structures and a thick yellow line around the hippocampal region "
    "on both sides. A second panel enlarges a part of it: the lines are "
    "stairs that follow the edges of voxels."
)
plt.show()

# %%
# Enlarged, both lines are stairs: no border is rounded off, and none cuts
# through a voxel. The template's squares are larger than the steps because
# its voxels are.
# :neuroglancer:`Open the same section in neuroglancer <7.5 2.5 6.8; HIP>`.
#
# Check the outline
# -----------------
# The lines alone must enclose the area of the voxels. Along each row, one
# upright line enters the structure and the next leaves it.
is_upright = hip_lines[:, 0, 0] == hip_lines[:, 1, 0]
(x, start), (_, end) = hip_lines[is_upright].T.swapaxes(0, 1)
order = np.lexsort((x, start))
widths = x[order][1::2] - x[order][::2]
enclosed_mm2 = np.sum(widths * (end - start)[order][::2])
voxels_mm2 = is_hip.sum() * scale_mm[1] * scale_mm[2]
print(f"HIP, within the lines: {enclosed_mm2:.4f} mm²")
print(f"HIP, {is_hip.sum():,} voxels: {voxels_mm2:.4f} mm²")

# %%
# The line is exact in the atlas, not in an animal: it is where the authors
# drew the border in an average brain, with no word on how sure they were.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/draw_planes` colours the same annotation, and
#    :doc:`/aws_examples/slices/write_names` says which structure is which.
#    :doc:`/data` tells where both arrays come from.

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
Coarsen an annotation
=====================

The whole brain in twelve major divisions: one label for each voxel.

Hundreds of structures are too many for most figures and most statistics. How
is the annotation of the Allen mouse atlas redrawn with a few large ones? Each
structure is replaced by its nearest ancestor on a list, and so are its voxels.
"""

# sphinx_gallery_tags = ["name", "draw", "intermediate"]

import csv
import json
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read the hierarchy
# ------------------
# Parents are named by identifier; voxels hold ``annotation_value``. The two
# are equal in this atlas and need not be in another.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}
value = {i: int(row["annotation_value"]) for i, row in rows.items()}
lineage = {i: [i] for i in rows}
for path in lineage.values():
    while above := rows[path[-1]]["parent_identifier"]:
        path.append(above)

# %%
# Choose the coarse structures
# ----------------------------
# One depth for all is the simplest choice and not a fair one: at one depth,
# some branches are at their nuclei and others still at whole divisions.
depth = 4
at_depth = Counter(path[::-1][: depth + 1][-1] for path in lineage.values())
largest = [rows[i]["abbreviation"] for i, _ in at_depth.most_common(7)]
print(f"Depth {depth}: {len(at_depth)}, the most divided {', '.join(largest)}")

# %%
# A list is better. These twelve divisions hold the grey matter; fibre tracts
# and ventricles lie beside them in the hierarchy and stay what they are. What
# is on no listed branch goes to the root, in plain sight.
major = ["Isocortex", "OLF", "HPF", "CTXsp", "STR", "PAL"]
major += ["TH", "HY", "MB", "P", "MY", "CB"]
chosen = [*major, "fiber tracts", "VS", "root"]
by_name = {row["abbreviation"]: i for i, row in rows.items()}
targets = {by_name[name] for name in chosen}
coarse_of = {
    value[i]: value[next(above for above in path if above in targets)]
    for i, path in lineage.items()
}

# %%
# Open the level that suits the figure
# ------------------------------------
# 50 µm is enough to see the divisions. A :term:`level` is found by the size of
# its voxels, which the metadata give in mm.
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
scale_mm = np.array(steps[level][0]["scale"])
first_mm = np.array(steps[level][1]["translation"])
fine = group[level][:]

# %%
# Replace the labels
# ------------------
# A lookup array as long as the largest id would fill gigabytes. The labels
# that occur are few: find them, translate them, and put the translations in
# their places. A label without a row keeps its value, lest it vanish unseen.
labels, place = np.unique(fine, return_inverse=True)
coarse_labels = [coarse_of.get(i, i) for i in labels.tolist()]
coarse = np.array(coarse_labels, fine.dtype)[place].reshape(fine.shape)
print(f"{len(labels)} values, with 0, become {len(set(coarse_labels))}")
unknown = set(labels.tolist()) - coarse_of.keys() - {0}
print(f"{len(unknown)} labels have no row")

# %%
# A structure too thin for this level, or never drawn, is the opposite: a row
# without a voxel.
drawn = {i for i in rows if value[i] in labels}
with_parts = {above for i in drawn for above in lineage[i]}
lost = [row["abbreviation"] for i, row in rows.items() if i not in with_parts]
print(f"{len(lost)} structures have no voxel: {', '.join(lost)}")

# %%
# Choose a section
# ----------------
# A sagittal plane can cut nearly all divisions. The sum of the logarithms of
# their areas prefers a little of each to much of one.
areas = [(coarse == value[by_name[name]]).sum((0, 1)) for name in major]
plane = np.log1p(areas).sum(axis=0).argmax()
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
where = f"{first_mm[2] + plane * scale_mm[2]:.2f} mm from the {ends[2][0]}"
low, size_mm = first_mm - scale_mm / 2, fine.shape * scale_mm
colours = {0: (1, 1, 1)} | dict.fromkeys(unknown, (0, 0, 0))
colours |= {value[i]: to_rgb(rows[i]["color_hex_triplet"]) for i in rows}

# %%
# Look at both
# ------------
# Borders are darkened. An acronym stands where most remains of its division
# when that is peeled, voxel by voxel.
fig, axes = plt.subplots(nrows=2, figsize=(6.4, 8.0), layout="constrained")
for ax, volume in zip(axes, (fine, coarse), strict=True):
    section = volume[:, :, plane].T
    ids, at = np.unique(section, return_inverse=True)
    picture = np.array([colours[i] for i in ids.tolist()])[at]
    picture[1:][section[1:] != section[:-1]] *= 0.7
    picture[:, 1:][section[:, 1:] != section[:, :-1]] *= 0.7
    extent = (low[0], low[0] + size_mm[0], low[1] + size_mm[1], low[1])
    ax.imshow(picture, extent=extent, interpolation="nearest")
    ax.set_title(f"{np.sum(ids > 0)} structures, {where}")
    ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[0]))
    ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
for name in major:
    inside, peels = np.pad(section == value[by_name[name]], 1), 0
    while inside.any():
        row, column = np.argwhere(inside)[inside.sum() // 2] - 1
        moved = [np.roll(inside, s, a) for s in (1, -1) for a in (0, 1)]
        inside, peels = np.all([inside, *moved], axis=0), peels + 1
    if peels > 3:
        x, y = first_mm[:2] + (column, row) * scale_mm[:2]
        axes[1].text(x, y, name, ha="center", va="center", fontsize=9)
fig.alt = (
    "One sagittal section of a mouse brain, twice. Above, many structures in "
    "the shades of the atlas; below, the same outline with one plain colour "
    "and an acronym for each large division, from OLF in front to MY behind."
)
plt.show()

# %%
# The outline is the same in both; the layers of the cortex and the nuclei of
# the brainstem are gone. A mere sliver of a division goes without an acronym.
#
# Check the sums
# --------------
# The table's own paths, not used so far, tell which fine labels belong to a
# division: both ways of counting must agree.
paths = {i: json.loads(rows[i]["root_identifier_path"]) for i in rows}
total = np.sum(coarse == value[by_name["root"]])
for name in chosen[:-1]:
    n_coarse = np.sum(coarse == value[by_name[name]])
    parts = [value[i] for i in rows if int(by_name[name]) in paths[i]]
    n_fine, mm3 = np.isin(fine, parts).sum(), n_coarse * scale_mm.prod()
    print(f"{name}: {n_coarse:,} coarse, {n_fine:,} fine, {mm3:.2f} mm³")
    total += n_coarse
n_fine, n_coarse = np.count_nonzero(fine), np.count_nonzero(coarse)
print(
    f"with the root {total:,}; labelled {n_fine:,} fine, {n_coarse:,} coarse"
)

# %%
# The list is made for this atlas. Another may lack an acronym, which stops the
# program, or draw what it names differently, which nothing here would notice.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/walk_hierarchy` shows the tree that is cut
#    here. :doc:`/aws_examples/slices/write_names` puts names on any section.

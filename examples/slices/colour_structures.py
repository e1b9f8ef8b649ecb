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
Colour structures by a value
============================

One number per structure, inherited by its parts, on a row of sections.

Where are the cells dense? A table of counts holds one number for each
structure that somebody looked at: some large, some small and inside a large
one, most not at all. To draw it, every :term:`structure` of the Allen mouse
atlas takes the value of its nearest ancestor that has one, or none.
"""

# sphinx_gallery_tags = ["draw", "intermediate"]

import csv

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba

# %%
# Write down the values
# ---------------------
# These numbers are made up; put yours in their place. ``SSp-bfd`` is a part of
# ``SSp``, which is a part of ``Isocortex``: the nearest value counts.
cells_per_mm3 = {
    "Isocortex": 900,
    "SSp": 1300,
    "SSp-bfd": 1900,
    "VISp": 1600,
    "RSP": 600,
    "HPF": 400,
    "CA3": 1100,
    "DG": 700,
    "TH": 200,
    "RT": 2100,
}

# %%
# Let each structure inherit
# --------------------------
# The :term:`terminology` names each structure's parent. The way up ends at the
# nearest value, or beyond the root without one.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}

# %%
source = {}
for row in rows.values():
    above = row
    while above and above["abbreviation"] not in cells_per_mm3:
        above = rows.get(above["parent_identifier"])
    if above:
        source[int(row["annotation_value"])] = above["abbreviation"]
print(f"{len(source)} of {len(rows)} structures have a value")

# %%
# Read the sections
# -----------------
# 50 µm is fine enough for pictures of this size.
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
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.05))
scale_mm = np.array(steps[level][0]["scale"])
first_mm = np.array(steps[level][1]["translation"])
positions_mm = [5.5, 6.6, 8.5]
planes = np.rint((np.array(positions_mm) - first_mm[0]) / scale_mm[0])
sections = group[level].oindex[planes.astype(int)]
print(f"level {level}: {sections.shape} voxels")

# %%
# Turn ids into colours
# ---------------------
# Viridis grows evenly lighter, also in a grey print and for the colour-blind.
# It stops before its lightest part, so that the light grey of what has no
# value is not among its colours. No value is not 0: that nobody counted in a
# structure does not mean that nothing is there.
ids, place = np.unique(sections, return_inverse=True)
values = [cells_per_mm3.get(source.get(i), np.nan) for i in ids.tolist()]
colours = ListedColormap(plt.get_cmap("viridis")(np.linspace(0, 0.9, 256)))
key = ScalarMappable(Normalize(0, max(cells_per_mm3.values())), colours)
painted = key.to_rgba(np.nan_to_num(values))
painted[np.isnan(values)] = to_rgba("0.9")
painted[ids == 0] = to_rgba("white")

# %%
# Draw the sections
# -----------------
# One scale and one bar serve all of them, so that they can be compared.
corner_mm = first_mm - scale_mm / 2
_, bottom_mm, left_mm = corner_mm + scale_mm * group[level].shape

fig, axes = plt.subplots(
    ncols=3, figsize=(7.2, 3.1), sharey=True, layout="constrained"
)
for ax, picture, position_mm in zip(
    axes, painted[place], positions_mm, strict=True
):
    ax.imshow(
        picture,
        extent=(corner_mm[2], left_mm, bottom_mm, corner_mm[1]),
        interpolation="nearest",
    )
    ax.set_title(f"coronal, {position_mm} mm")
    ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
axes[0].set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
fig.colorbar(
    key,
    ax=axes,
    location="bottom",
    shrink=0.6,
    aspect=30,
    label="cells per mm³ (made up); light grey: no value",
)
fig.alt = (
    "Three coronal sections of a mouse brain. Cortex, hippocampal formation "
    "and thalamus are coloured by a scale from dark blue to yellow-green, "
    "with some of their parts standing out; the rest of the brain is light "
    "grey."
)
plt.show()

# %%
# The barrel field stands out from the rest of ``SSp``, and that from the rest
# of the cortex; layers do not show, because none has a value of its own. What
# stands out, in the atlas's colours, :neuroglancer:`opens in neuroglancer
# <6.6 3.0 3.0; SSp-bfd, VISp, RSP, CA3, DG, RT>` at the middle section.
#
# Check the inheritance
# ---------------------
# Go down instead of up: take a structure with all its parts, and leave out
# those of smaller families that have a value too. Both ways must give the
# same number of voxels in these sections.
families = {}
for acronym in cells_per_mm3:
    [family] = [[i] for i in rows if rows[i]["abbreviation"] == acronym]
    for identifier in family:
        family += [
            i for i in rows if rows[i]["parent_identifier"] == identifier
        ]
    families[acronym] = {int(rows[i]["annotation_value"]) for i in family}

# %%
for acronym, family in families.items():
    inner = [other for other in families.values() if other < family]
    n_down = np.isin(sections, [*family.difference(*inner)]).sum()
    n_up = np.isin(sections, [i for i in source if source[i] == acronym]).sum()
    print(f"{acronym:9} {n_up:6,} voxels going up, {n_down:6,} going down")

# %%
# A value is spread evenly over its structure, whatever the cells do inside.
# How a value was counted, and in how many animals, no colour tells.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/write_names` finds the acronyms for a table
#    of values. :doc:`/aws_examples/structures/walk_hierarchy` climbs and
#    descends the hierarchy at leisure. :doc:`/data` tells whose atlas it is.

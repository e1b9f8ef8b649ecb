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
Cut at any angle
================

An oblique section through two landmarks, with every voxel in one structure.

What does a slice show that is cut along a fibre tract? The fasciculus
retroflexus (fr) runs from the medial habenula (MH) back and down to the
interpeduncular nucleus (IPN), across the planes in which the Allen mouse atlas
is stored. A tilted plane passes between the voxels' centres. The nearest one
decides, because the mean of two ids is the id of something else.
"""

# sphinx_gallery_tags = ["draw", "locate", "advanced"]

import csv

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read one level whole
# --------------------
# An oblique plane meets most :term:`chunks <chunk>`, and the landmarks below
# ask every voxel for its id. At 50 µm the whole array is small in memory, and
# much smaller still to fetch.
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
annotation = group[level][:]

# %%
# The :term:`terminology` tells which ids are a structure's.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))

# %%
# Find the landmarks
# ------------------
# A landmark is the mean position of a structure and its
# :term:`descendants <descendant>`, both sides together, and so lies on the
# midline. Two points and the axis from side to side span the plane.
parts, centre_mm = {}, {}
for acronym in "MH", "fr", "IPN":
    family = [row for row in rows if row["abbreviation"] == acronym]
    for above in family:
        own = above["identifier"]
        family += [row for row in rows if row["parent_identifier"] == own]
    parts[acronym] = [int(row["annotation_value"]) for row in family]
    found = np.argwhere(np.isin(annotation, parts[acronym]))
    centre_mm[acronym] = first_mm + scale_mm * found.mean(axis=0)
    around = centre_mm[acronym].round(2)
    print(f"{acronym}: {len(found):,} voxels around {around} mm")
start_mm = centre_mm["MH"]
way_mm = (centre_mm["IPN"] - start_mm) * (1, 1, 0)
down = way_mm / np.linalg.norm(way_mm)

# %%
# Cut
# ---
# A point of the plane is a start, a way down and a way across it. What lies
# outside the array is background.


def cut(start_mm, down, down_mm, across, across_mm):
    """Return the ids nearest to the points of a plane."""
    points_mm = np.multiply.outer(down_mm, down)[:, np.newaxis]
    points_mm = start_mm + points_mm + np.multiply.outer(across_mm, across)
    index = np.rint((points_mm - first_mm) / scale_mm).astype(int)
    is_inside = np.all((index >= 0) & (index < annotation.shape), axis=-1)
    section = np.zeros(is_inside.shape, annotation.dtype)
    section[is_inside] = annotation[*index[is_inside].T]
    return section


# %%
# The cut begins above the first landmark and ends below the second.
step_mm = scale_mm.min()
down_mm = np.arange(-3.5, 6, step_mm) + step_mm / 2
across_mm = np.arange(-5.5, 5.5, step_mm) + step_mm / 2
oblique = cut(start_mm, down, down_mm, (0, 0, 1), across_mm)
tilt = np.degrees(np.arctan2(down[0], down[1]))
print(f"The cut is tilted by {tilt:.1f}° from a coronal section")

# %%
# Draw it beside a sagittal section
# ---------------------------------
# The sagittal section shows the plane from its edge, as a line. Upwards in the
# cut is also forwards: that axis leads to ``AS``, anterior and superior.
strong = {"MH": "#d55e00", "fr": "black", "IPN": "#0072b2"}
colours = {0: (1, 1, 1)}
for row in rows:
    pale = 0.6 + 0.4 * np.array(to_rgb(row["color_hex_triplet"]))
    colours[int(row["annotation_value"])] = tuple(pale)
for acronym, colour in strong.items():
    colours |= dict.fromkeys(parts[acronym], to_rgb(colour))

# %%
column = round((start_mm[2] - first_mm[2]) / scale_mm[2])
low = first_mm - scale_mm / 2
high = low + scale_mm * annotation.shape
fig, (side, face) = plt.subplots(
    ncols=2, figsize=(7.2, 3.5), width_ratios=(1, 1.1), layout="constrained"
)
for ax, section, edges_mm in (
    (side, annotation[:, :, column].T, (low[0], high[0], high[1], low[1])),
    (face, oblique, (-5.5, 5.5, 6, -3.5)),
):
    ids, place = np.unique(section, return_inverse=True)
    painted = np.array([colours[i] for i in ids.tolist()])[place]
    ax.imshow(painted, extent=edges_mm, interpolation="nearest")
side.axline(start_mm[:2], centre_mm["IPN"][:2], color="black", linewidth=1)
for acronym in strong:
    along_mm = (centre_mm[acronym] - start_mm) @ down
    face.text(0.8, along_mm, acronym, va="center")
    if acronym != "fr":
        side.plot(*centre_mm[acronym][:2], "ow", mec="k", ms=4)
        face.plot(0, along_mm, "ow", mec="k", ms=4)
side.set_title(f"sagittal, {start_mm[2]:.1f} mm")
side.set_xlabel("{}  ←  mm  →  {}".format(*ends[0]))
side.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
face.set_title(f"oblique, {tilt:.0f}° from coronal")
face.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
letters = ["".join(end[n][0] for end in ends[:2]).upper() for n in (1, 0)]
face.set_ylabel("{}  ←  mm from MH  →  {}".format(*letters))
fig.alt = (
    "A sagittal section of a mouse brain, an oblique line through two points, "
    "and the section along that line: two bands lead from the medial habenula "
    "towards the interpeduncular nucleus."
)
plt.show()

# %%
# More of the tract lies in this plane than in any coronal section. Where it
# bends, it leaves the plane. To tilt it by hand, :neuroglancer:`open the first
# landmark in neuroglancer <6.9 3.05 5.7; MH, fr, IPN>`.
tract = np.isin(annotation, parts["fr"]).sum(axis=(1, 2))
n_oblique = np.isin(oblique, parts["fr"]).sum()
print(f"fr: {n_oblique} voxels in the cut, {tract.max()} in a coronal section")

# %%
# Check the cut
# -------------
# Without a tilt the same function must give back a stored section, voxel for
# voxel; with it, no id that the terminology does not know.
plane, size = tract.argmax(), annotation.shape
heights_mm, widths_mm = (scale_mm[n] * range(size[n]) for n in (1, 2))
zero_mm = first_mm + scale_mm * (plane, 0, 0)
upright = cut(zero_mm, (0, 1, 0), heights_mm, (0, 0, 1), widths_mm)
n_differ = np.sum(upright != annotation[plane])
print(f"no tilt: {n_differ} of {upright.size:,} voxels differ")
print(f"ids without a name: {np.setdiff1d(oblique, [*colours]).size}")

# %%
# The nearest voxel keeps every id true and makes borders rough. A slice of
# tissue is also stretched and torn, and no plane follows that.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/draw_planes` cuts along the axes, and needs
#    only a few chunks. :doc:`/orientation` explains positions in mm, and
#    :doc:`/data` whose atlas this is.

# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
#     "s3fs>=2025.7",
#     "scikit-image>=0.25",
#     "zarr>=3.1",
# ]
# ///
"""
Describe a structure's shape
============================

Where the caudoputamen lies, in how many parts, and how large its surface is.

Two structures of one volume can be a ball and a sheet. Place, extent, parts
and surface tell them apart. All but the last are simple counting; a surface
is not, because voxels have corners where tissue has none. This page measures
the caudoputamen (CP) of the Allen mouse atlas, with the package scikit-image.
"""

# sphinx_gallery_tags = ["measure", "shape", "advanced"]

import csv

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from skimage.filters import gaussian
from skimage.measure import label, marching_cubes, mesh_surface_area

# %%
# Open the level of 50 µm
# -----------------------
# The metadata give the scale of each :term:`level` and the centre of its first
# :term:`voxel`, both in mm.
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
ways = [axis["orientation"]["value"] for axis in image["axes"]]
print(f"level {level}: {scale_mm} {image['axes'][0]['unit']}")

# %%
# Select the structure
# --------------------
# In the :term:`terminology`, CP has no parts, so it is one id.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["abbreviation"]: row for row in csv.DictReader(file)}
is_cp = group[level][:] == int(rows["CP"]["annotation_value"])
print(f"{is_cp.sum():,} voxels = {is_cp.sum() * scale_mm.prod():.3f} mm³")

# %%
# Find its parts and places
# -------------------------
# Voxels that share a face are connected. The centroid is a mean of centres,
# but a box ends at the outer faces of its voxels, half a voxel beyond their
# centres (see :doc:`/orientation`).
part_of = label(is_cp, connectivity=1)
sizes = np.bincount(part_of.ravel())[1:]
print(f"{len(sizes)} connected parts; voxels in each of the largest two:")
for part in 1 + np.argsort(-sizes)[:2]:
    index = np.argwhere(part_of == part)
    low_mm = first_mm + (index.min(axis=0) - 0.5) * scale_mm
    high_mm = first_mm + (index.max(axis=0) + 0.5) * scale_mm
    centroid_mm = first_mm + index.mean(axis=0) * scale_mm
    print(f"{len(index):,}")
    for line in zip(ways, low_mm, high_mm, centroid_mm, strict=True):
        print("  {}: {:.3f} to {:.3f} mm, centroid {:.3f} mm".format(*line))

# %%
# There is one on each side. Stray voxels count as parts too: a thin bridge
# can fall between the centres of the voxels.
#
# Measure a surface in three ways
# -------------------------------
# Faces between inside and outside are the surface of a heap of bricks. A mesh
# by *marching cubes* cuts off their corners. If the structure is blurred by a
# voxel beforehand, the mesh at half height lies where the border was, without
# the steps.


def areas_mm2(mask, scale_mm):
    """Return the surface by faces, by a mesh and by a smooth mesh."""
    mask = np.pad(mask, 4).astype(float)
    n_faces = [np.count_nonzero(np.diff(mask, axis=i)) for i in range(3)]
    areas = [np.sum(n_faces * (np.prod(scale_mm) / scale_mm))]
    for volume in mask, gaussian(mask, sigma=1):
        mesh = marching_cubes(volume, 0.5, spacing=tuple(scale_mm))
        areas.append(mesh_surface_area(*mesh[:2]))
    return np.array(areas)


methods = ("faces", "mesh", "smooth mesh")
cp_mm2 = areas_mm2(is_cp, scale_mm)
for method, mm2 in zip(methods, cp_mm2, strict=True):
    print(f"{method}: {mm2:.2f} mm²")

# %%
# Check with a ball
# -----------------
# The three disagree, and CP cannot tell which is right. A ball can: its
# surface is known. Draw balls of several sizes into the same voxels, off
# their centres, and measure them.
radii_mm = np.array([0.2, 0.4, 0.8, 1.6])
ratios = []
for radius_mm in radii_mm:
    n = int(radius_mm / scale_mm.min()) + 2
    offset_mm = (np.indices([2 * n + 1] * 3).T - n + 0.3) * scale_mm
    ball = radius_mm**2 >= np.sum(offset_mm**2, axis=-1).T
    ratios.append(areas_mm2(ball, scale_mm) / (4 * np.pi * radius_mm**2))
    found = ", ".join(f"{ratio:.3f}" for ratio in ratios[-1])
    print(f"radius {radius_mm} mm: {found} of the true surface")

# %%
# See the difference
# ------------------
# One section through the last part, each voxel a square, with the border of
# the smooth mesh; beside it, the three methods on the balls.
plane = round(index[:, 0].mean())
low = index[index[:, 0] == plane][:, 1:].min(axis=0) - 2
corner = (slice(low[0], low[0] + 30), slice(low[1], low[1] + 30))
down_mm, across_mm = (
    first_mm[axis] + (low[axis - 1] + np.arange(30)) * scale_mm[axis]
    for axis in (1, 2)
)
fig, (left, right) = plt.subplots(
    1, 2, figsize=(7.2, 3.8), layout="constrained"
)
left.pcolormesh(across_mm, down_mm, is_cp[plane][corner], cmap="Blues", vmax=2)
soft = gaussian(is_cp[plane - 4 : plane + 5].astype(float), sigma=1)[4]
left.contour(across_mm, down_mm, soft[corner], [0.5], colors="black")
left.set(title="CP, voxels and smooth border", aspect="equal")
left.set_xlabel("{}  ←  mm  →  {}".format(*ways[2].split("-to-")))
left.set_ylabel("{1}  ←  mm  →  {0}".format(*ways[1].split("-to-")))
left.invert_yaxis()
for style, column in zip(("s-", "^--", "o:"), range(3), strict=True):
    ratio = [row[column] for row in ratios]
    right.plot(radii_mm, ratio, "k" + style, mfc="none", label=methods[column])
right.set(title="Balls: measured / true surface")
right.set(xlabel="radius (mm)", ylim=(0.6, 1.7))
right.legend(loc="lower right")
fig.alt = (
    "Left, the edge of the caudoputamen as a staircase of squares, with a "
    "smooth black line through the steps. Right, measured over true surface "
    "of balls: faces stay half too large at every radius, the mesh a little "
    "too large, and the smooth mesh comes to 1 as balls grow."
)
plt.show()

# %%
# Smaller voxels do not help the faces: the steps get finer, and more of them.
# The smooth mesh is right for bodies many voxels wide, and wrong for thin
# ones, which blurring dissolves.
#
# Give the result
# ---------------
# Two balls of the same volume would have the smallest surface possible.
both_mm3 = is_cp.sum() * scale_mm.prod()
balls_mm2 = 2 * np.cbrt(36 * np.pi * (both_mm3 / 2) ** 2)
print(f"CP: {cp_mm2[2]:.1f} mm², {cp_mm2[2] / balls_mm2:.2f} times two balls")

# %%
# The ball bounds the error of the method on smooth borders alone. What CP's
# border is between two voxels, or in one animal, this cannot tell.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/walk_hierarchy` collects the parts of a
#    structure that has some. The `scikit-image documentation
#    <https://scikit-image.org/docs/stable/api/skimage.measure.html>`_ lists
#    more measures of shape.

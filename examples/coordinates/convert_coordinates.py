# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "s3fs>=2025.7",
#     "zarr>=3.1",
# ]
# ///
"""
Convert coordinates: voxels, µm, mm and bregma
==============================================

One matrix for each step, and what is not known about bregma in the atlas.

Where is a voxel in mm, which voxel holds a position, and how far is it from
bregma? Scale, origin and direction of axes fit in one 4×4 matrix, an affine.
The metadata of the Allen mouse atlas give every affine but the one to bregma.
"""

# sphinx_gallery_tags = ["locate", "intermediate"]

import matplotlib.pyplot as plt
import numpy as np
import zarr

# %%
# Build the affine of each level
# ------------------------------
# For each :term:`level` the metadata give the scale and the translation that
# lead from an index to the centre of its :term:`voxel`, in mm. One level is
# read whole, to be turned below.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
to_mm = {}
for dataset in image["datasets"]:
    scale, translation = dataset["coordinateTransformations"]
    affine = np.diag([*scale["scale"], 1.0])
    affine[:3, 3] = translation["translation"]
    to_mm[dataset["path"]] = affine
level = min(to_mm, key=lambda path: abs(to_mm[path][0, 0] - 0.05))
annotation = group[level][:]
print(f"index to mm, level {level}:\n{to_mm[level]}")

# %%
# Go there and back
# -----------------
# Inverted, the affine leads from mm to indices. A position inside a voxel has
# a fractional index, and the nearest whole number is the voxel's.


def convert(affine, points):
    """Return points (n, 3) that an affine (4, 4) has moved."""
    return points @ affine[:3, :3].T + affine[:3, 3]


rng = np.random.default_rng(seed=1)
index = rng.integers(annotation.shape, size=(100_000, 3))
centre_mm = convert(to_mm[level], index)
back = convert(np.linalg.inv(to_mm[level]), centre_mm)
print(f"{np.sum(np.rint(back) != index)} indices changed on the way")
print(f"largest error: {np.abs(back - index).max():.1e} voxels")
print(f"index {index[0]} is at {centre_mm[0]} mm = {1000 * centre_mm[0]} µm")

# %%
# Tell the centre from the corner
# -------------------------------
# Many programs compute ``int(position / resolution)`` instead, which puts zero
# at the corner of the array; the metadata put it at the centre of the finest
# level's first voxel. At every level the two frames are half a finest voxel
# apart, and a point that close to a border changes its voxel.
half_mm = min(affine[0, 0] for affine in to_mm.values()) / 2
points_mm = rng.uniform(0, 7, size=(1_000_000, 3))
for path, affine in to_mm.items():
    by_centre = np.rint(convert(np.linalg.inv(affine), points_mm))
    by_corner = np.floor(points_mm / np.diag(affine)[:3])
    differs = np.any(by_centre != by_corner, axis=1).mean()
    predicted = 1 - np.prod(1 - half_mm / np.diag(affine)[:3])
    print(f"{path}: {differs:.4f} of points differ, {predicted:.4f} expected")

# %%
# Turn the axes
# -------------
# The :term:`orientation` ``asr`` names where axes begin; they lead to ``PIL``.
# Other programs want ``RAS`` and mean where axes lead. Each letter is an axis
# of ours or the opposite of one, which is then counted from its end.
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
begins, leads = ("".join(end[n][0] for end in ends).upper() for n in (0, 1))
turn = np.diag([0, 0, 0, 1])
for new, letter in enumerate("RAS"):
    old = (begins + leads).index(letter) % 3
    is_back = letter in begins
    turn[new, old] = -1 if is_back else 1
    turn[new, 3] = annotation.shape[old] - 1 if is_back else 0
print(f"{begins} leads to {leads}; indices for RAS:\n{turn}")

# %%
# When numpy turns the array itself, both indices must find the same ids.
turned = annotation.transpose(np.abs(turn[:3, :3]).argmax(axis=1))
turned = np.flip(turned, np.flatnonzero(turn[:3, :3].sum(axis=1) < 0))
ids = annotation[tuple(index.T)]
new_ids = turned[tuple(convert(turn, index).T)]
print(f"{turned.shape} after the turn; {np.sum(ids != new_ids)} ids differ")

# %%
# Choose a bregma
# ---------------
# The atlas is an average of brains without a skull, and bregma is a point of
# the skull. Several estimates are in use. The `Allen forum
# <https://community.brain-map.org/t/1858>`_ gives one in voxels of 10 µm, with
# a tilt of 5° and a squeeze in height by 0.9434; `iblatlas
# <https://docs.internationalbrainlab.org/_autosummary/iblatlas.atlas.html>`_
# gives another in µm, first along the axis whose begin it calls left and these
# metadata right. Stereotaxic numbers grow forwards, upwards and rightwards.
forum_mm = np.array([540, 44, 570]) * 0.01
ibl_mm = np.array([5739, 5400, 332])[[1, 2, 0]] / 1000
print(f"forum - iblatlas: {1000 * (forum_mm - ibl_mm)} µm along our axes")
target_mm = np.array([[-4.0, -3.5, 1.5]])
to_bregma = {}
for name, bregma_mm, tilt, squeeze in (
    ("iblatlas", ibl_mm, 0, 1),
    ("forum", forum_mm, np.radians(5), 0.9434),
):
    shift, rotate = np.eye(4), np.eye(4)
    shift[:3, 3] = -bregma_mm
    rotate[0, :2] = np.cos(tilt), -np.sin(tilt)
    rotate[1, :2] = np.sin(tilt), np.cos(tilt)
    to_bregma[name] = np.diag([-1, -squeeze, -1, 1]) @ rotate @ shift
    place_mm = convert(np.linalg.inv(to_bregma[name]), target_mm)[0]
    print(f"{name}: the target is at {place_mm.round(3)} mm")

# %%
# Draw both problems
# ------------------
# A few points by both rules, and the target's section with darkened borders.
size_mm = np.diag(to_mm[level])[:3]
low_mm = to_mm[level][:3, 3] - size_mm / 2
high_mm = low_mm + size_mm * annotation.shape
at_mm = rng.uniform(1.01, 1.19, size=(3_000, 2))
is_moved = (at_mm - low_mm[:2]) // size_mm[:2] != at_mm // size_mm[:2]
section = annotation[:, :, int((place_mm[2] - low_mm[2]) / size_mm[2])].T
grey = np.where(section > 0, 0.85, 1.0)
grey[1:][section[1:] != section[:-1]] = 0.65
grey[:, 1:][section[:, 1:] != section[:, :-1]] = 0.65

# %%
# Left, the points that the rules put into different voxels are black. Right,
# the axes from both bregmas have a dot for each mm.
fig, (small, large) = plt.subplots(
    ncols=2, figsize=(7.2, 3.3), width_ratios=(1, 2), layout="constrained"
)
small.scatter(*at_mm.T, s=2, c=np.where(is_moved.any(axis=1), "k", "0.75"))
borders_mm = low_mm[0] + size_mm[0] * np.arange(21, 25)
small.set(xticks=borders_mm, yticks=borders_mm, xlabel="mm", ylabel="mm")
small.set(title="centre or corner", aspect="equal")
small.grid()
extent_mm = low_mm[0], high_mm[0], high_mm[1], low_mm[1]
large.imshow(grey, "gray", vmin=0, extent=extent_mm, interpolation="nearest")
ruler_mm = np.zeros((14, 3))
ruler_mm[:7, 1], ruler_mm[6:, 0] = range(-6, 1), range(0, -8, -1)
for name, style, mark in ("iblatlas", "k.-", "kx"), ("forum", "r.--", "r+"):
    back = np.linalg.inv(to_bregma[name])
    large.plot(*convert(back, ruler_mm)[:, :2].T, style, label=name)
    large.plot(*convert(back, target_mm)[0, :2], mark, markersize=9)
large.legend(loc="lower left", fontsize=8)
large.set_title("two bregmas, one target")
large.set_xlabel("{}  ←  mm  →  {}".format(*ends[0]))
large.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
fig.alt = (
    "Left, dots on a grid of voxels; black ones form thin strips along the "
    "lines. Right, a sagittal section of a mouse brain and two sets of axes "
    "from nearly one origin above it, one tilted, with the targets apart."
)
plt.show()

# %%
# The atlas's own conversions are exact but for floating point. Those to bregma
# are estimates that differ by more than a thin layer of cortex, and no file in
# the cloud can decide between them: report which one was used.
#
# .. seealso::
#
#    :doc:`/orientation` draws the axes, and :doc:`/data` says who made them.
#    :doc:`/aws_examples/coordinates/assign_points` looks positions up.

# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "s3fs>=2025.7",
#     "scikit-image>=0.25",
#     "trimesh>=4.6",
#     "zarr>=3.1",
# ]
# ///
"""
Build a structure's surface
===========================

A closed surface in mm, smoothed without shrinking, in a file for any viewer.

What does the dentate gyrus look like from all sides? A surface of triangles
shows it, and any 3-D program can open one. Marching cubes lay the triangles
between the voxels that are inside a structure and those that are not. The
Allen mouse atlas stores one mask for each structure, ready to be marched
over; scikit-image marches and trimesh smooths, measures and writes.
"""

# sphinx_gallery_tags = ["shape", "intermediate"]

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import trimesh
import zarr
from skimage.measure import marching_cubes
from trimesh.smoothing import filter_laplacian, filter_taubin

# %%
# Read the mask
# -------------
# Beside the :term:`annotation` lies an array of masks with one more axis: one
# mask for each :term:`structure`, its parts included, in the order of the ids
# in ``annotation_values``. The dentate gyrus is 726. The :term:`level` of
# 50 µm gives its thin blades several voxels.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
steps = {d["path"]: d["coordinateTransformations"] for d in image["datasets"]}
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][1] - 0.05))
scale_mm = np.array(steps[level][0]["scale"][1:])
first_mm = np.array(steps[level][1]["translation"][1:])
[number] = np.flatnonzero(group["annotation_values"][:] == 726)
mask = group[level][number]
voxels_mm3 = np.count_nonzero(mask) * scale_mm.prod()
print(f"mask {number} of level {level}: {voxels_mm3:.3f} mm³ in voxels")

# %%
# Choose an order of the axes
# ---------------------------
# A viewer takes three numbers as axes of a right hand. Whether ours are tells
# the determinant of the directions in which they lead: of -1, the viewer
# would show the brain in a mirror, with left and right exchanged.
sides = {"right": (1, 0, 0), "anterior": (0, 1, 0), "superior": (0, 0, 1)}
sides |= {"left": (-1, 0, 0), "posterior": (0, -1, 0), "inferior": (0, 0, -1)}
ways = {a["name"]: a["orientation"]["value"] for a in image["axes"][1:]}
for order in "zyx", "xyz":
    leads = [sides[ways[name].split("-to-")[1]] for name in order]
    print(f"{', '.join(order)}: determinant {np.linalg.det(leads):+.0f}")

# %%
# So the surface is given in the order x, y, z, the reverse of the array's.
#
# March over the voxels
# ---------------------
# The values are taken to lie at the centres of voxels, which scale and
# translation place in the atlas (see :doc:`/orientation`). A border of zeros
# closes the surface of a structure that reaches the edge of the array.
corners, triangles, *_ = marching_cubes(np.pad(mask, 1).astype(float), 0.5)
vertices_mm = first_mm + (corners - 1) * scale_mm
mesh = trimesh.Trimesh(vertices_mm[:, ::-1], triangles, process=False)
print(f"{len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles")

# %%
# Check that it is closed
# -----------------------
# Each edge of a closed surface belongs to two triangles, and only then does
# it enclose a volume: a positive one if the triangles face outwards. It is a
# little less than that of the voxels, whose corners the triangles cut off. The
# Euler number is two for each part, less two for each handle, a hole through.
n_handles = mesh.body_count - mesh.euler_number // 2
print(f"closed: {mesh.is_watertight}, parts: {mesh.body_count}")
print(f"Euler number {mesh.euler_number}: {n_handles} handles")
print(f"{mesh.volume:.3f} mm³, {mesh.volume / voxels_mm3 - 1:+.2%} of voxels")

# %%
# Smooth it in two ways
# ---------------------
# The surface still has the steps of the voxels. To move each vertex half-way
# to the mean of its neighbours takes them away, and volume too: that is
# Laplacian smoothing. Taubin's moves them back by a little more at every
# second pass, which restores what is wide and not the steps. The mean angle
# between neighbouring triangles says how rough a surface is.
for n in 0, 4, 16, 64:
    copies = {
        "Laplace": filter_laplacian(
            mesh.copy(), 0.5, n, volume_constraint=False
        ),
        "Taubin": filter_taubin(mesh.copy(), 0.5, 0.52, n),
    }
    for name, smooth in copies.items():
        share = smooth.volume / mesh.volume - 1
        degrees = np.degrees(smooth.face_adjacency_angles.mean())
        print(f"{name} {n:2}: {share:+7.2%} volume, {degrees:4.1f}°")

# %%
# Compare them where they are equally smooth: a few passes of the one do what
# many do of the other, but they shrink thin blades, and Taubin's do not.
#
# Look at it
# ----------
# Each triangle is as light as it faces a lamp above, in front and to the left
# of the animal, which needs its outward direction again. Matplotlib's third
# axis is vertical: y goes there, turned to have superior on top.
mesh = filter_taubin(mesh, 0.5, 0.52, 64)
light = mesh.face_normals @ np.array([2, -2, -1]) / 3
x, y, z = mesh.vertices.T
low, high = mesh.bounds
fig = plt.figure(figsize=(7.2, 4.8), layout="constrained")
ax = fig.add_subplot(projection="3d")
plain = {"linewidth": 0, "antialiased": False, "clip_on": False}
surface = ax.plot_trisurf(x, z, y, triangles=mesh.faces, **plain)
surface.set_facecolor(plt.cm.copper(0.5 + 0.5 * light))
ax.set(xlim=(low[0], high[0]), ylim=(low[2], high[2]), zlim=(high[1], low[1]))
ax.set_box_aspect((high - low)[[0, 2, 1]])
ax.view_init(elev=25, azim=-110)
for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), "xzy", strict=True):
    axis.set_label_text("{} → {}".format(*ways[name].split("-to-")))
    axis.set_major_locator(plt.MultipleLocator(1))
ax.set_title("The dentate gyri, from the front and above (mm)", y=0.95)
fig.alt = (
    "Two smooth shaded bodies, mirror images of each other, in a box with "
    "axes in mm: each begins near the midline, arches backwards and to its "
    "side, and descends."
)
plt.show()

# %%
# The animal looks at us, and its right is on our left: no mirror image.
#
# Write a file that says what it is
# ---------------------------------
# A PLY file has neither units nor names for its axes, but room for comments.
# This one, ``dentate_gyrus.ply``, is written to the current directory.
axes = ", ".join(f"{name} {ways[name]}" for name in "xyz")
note = f"\ncomment dentate gyrus of a mouse, in mm\ncomment {axes}\nelement"
ply = mesh.export(file_type="ply", vertex_normal=False)
ply = ply.replace(b"\nelement", note.encode(), 1)
path = Path("dentate_gyrus.ply")
path.write_bytes(ply)
copy = trimesh.load_mesh(path, process=False)
apart_um = 1000 * np.abs(copy.vertices - mesh.vertices).max()
print(ply[: ply.index(b"end_header")].decode())
print(f"Read back: equal triangles {np.array_equal(copy.faces, mesh.faces)},")
print(f"vertices within 0.001 µm: {apart_um < 0.001}")

# %%
# The surface is closed, in mm and in the atlas's own place, and its file says
# so. It is no finer than the voxels: how the border runs between their centres
# is the work of the smoothing, and what is thinner than they are is missing or
# torn.
#
# .. seealso::
#
#    :doc:`/aws_examples/surfaces/read_surface` takes a surface that the atlas
#    publishes. :doc:`/aws_examples/volumes/describe_shape` measures how large
#    a surface is. :doc:`/orientation` explains the axes.

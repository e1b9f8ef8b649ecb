# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "dracopy>=1.5",
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
#     "s3fs>=2025.7",
#     "trimesh>=4.6",
#     "zarr>=3.1",
# ]
# ///
"""
Read the published surface
==========================

A surface as the atlas publishes it, in mm, and where it lies in the voxels.

Must one build a surface, if the atlas has one for each structure? The Allen
mouse atlas keeps them for web viewers, packed by Draco, which DracoPy opens.
But no file says where a position lies in a voxel: at its centre or at its
corner. This page reads the surface of the retrosplenial area (RSP) and finds
out from the voxels themselves.
"""

# sphinx_gallery_tags = ["shape", "locate", "advanced"]

import json
from pathlib import Path

import DracoPy
import matplotlib.pyplot as plt
import numpy as np
import pooch
import trimesh
import zarr
from matplotlib.collections import LineCollection
from trimesh.intersections import mesh_plane

# %%
# Fetch the files
# ---------------
# Each surface is one object, named by the id of its :term:`structure`, with a
# few bytes that tell a viewer what is in it. Two texts hold for all of them.
root = (
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/annotation-sets/"
    "allen_mouse-annotation/3_0/annotations.precomputed/"
)
cache = pooch.os_cache("brainglobe_atlases")
labels_json, meshes_json, surface_drc, index = (
    Path(pooch.retrieve(root + name, known_hash=None, path=cache))
    for name in ("info", "mesh/info", "mesh/254", "mesh/254.index")
)
[labels] = json.loads(labels_json.read_text())["scales"]
meshes = json.loads(meshes_json.read_text())
print(f"{meshes['@type']}, voxels of {labels['resolution']} nm")

# %%
# Check that it is whole
# ----------------------
# The format, multilod_draco of Neuroglancer, can cut a surface into pieces and
# coarser copies. Bytes 24 and 44 of the index count both. Where there is one
# of each, the object is the whole surface, and the last number is its size.
counts = np.frombuffer(index.read_bytes(), dtype="<u4")
print(f"levels of detail: {counts[6]}, pieces: {counts[11]}")
print(f"{counts[-1]:,} of {surface_drc.stat().st_size:,} bytes")

# %%
# Decode it
# ---------
# The format's positions are nanometres, in the order x, y, z, after a
# transform by a matrix. We want mm in the order of the arrays, z, y, x.
# To reverse the order is to look in a mirror, so that the corners of each
# triangle must be reversed too, or they all face inwards.
decoded = DracoPy.decode(surface_drc.read_bytes())
transform = np.reshape(meshes["transform"], (3, 4))
points_nm = decoded.points @ transform[:, :3].T + transform[:, 3]
points_mm, faces = points_nm[:, ::-1] / 1e6, decoded.faces[:, ::-1]
mesh = trimesh.Trimesh(points_mm, faces, process=False)
print(f"{len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles")
print(f"closed: {mesh.is_watertight}, {mesh.volume:.3f} mm³")

# %%
# Find the voxels it was made from
# --------------------------------
# The atlas's masks tell which voxels are RSP. Of their :term:`levels <level>`
# take the one whose voxels are as large as the first file says.
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
wanted_mm = labels["resolution"][2] / 1e6
level = min(steps, key=lambda p: abs(steps[p][0]["scale"][1] - wanted_mm))
scale_mm = np.array(steps[level][0]["scale"][1:])
first_mm = np.array(steps[level][1]["translation"][1:])

# %%
# A box around the surface is enough, with ten voxels to spare.
[number] = np.flatnonzero(group["annotation_values"][:] == 254)
start = np.maximum(np.floor(mesh.bounds[0] / scale_mm).astype(int) - 10, 0)
stop = np.ceil(mesh.bounds[1] / scale_mm).astype(int) + 10
is_rsp = group[level][(number, *map(slice, start, stop))] == 1
voxels_mm3 = np.count_nonzero(is_rsp) * scale_mm.prod()
print(f"level {level}: {voxels_mm3:.3f} mm³ in voxels of {scale_mm} mm")
print(f"the surface encloses {mesh.volume / voxels_mm3 - 1:+.2%}")

# %%
# Compare their centres
# ---------------------
# A surface and its voxels have one centre of mass if each voxel is where it
# belongs. Put the centre of voxel *i* at *i* times the scale to begin with:
# the two then differ by the place of voxel 0. The ends tell the same, but less
# surely: half a voxel beyond the outermost centres, if that is right.
ways = [axis["orientation"]["value"] for axis in image["axes"][1:]]
zero_mm = np.empty(3)
for axis, way in enumerate(ways):
    n = is_rsp.sum(axis=tuple({0, 1, 2} - {axis}))
    voxel = start[axis] + np.flatnonzero(n)
    mean_mm = n[n > 0] @ voxel / n.sum() * scale_mm[axis]
    zero_mm[axis] = mesh.center_mass[axis] - mean_mm
    ends = mesh.bounds[:, axis] / scale_mm[axis] - voxel[[0, -1]]
    print(f"{way}: voxel 0 at {1000 * zero_mm[axis]:+.1f} µm, ", end="")
    print("ends at {:+.2f} and {:+.2f} voxels".format(*ends))

# %%
# Decide how to read it
# ---------------------
# There are three candidates for the place of voxel 0: zero, what the metadata
# of the level say, and half a voxel, so that its corner is at zero. At the
# finest level of this atlas the first two are one (see :doc:`/orientation`).
# If none is near, the surface was made from other voxels than these.
readings = {"at zero": 0 * scale_mm, "as the metadata say": first_mm}
readings["corner at zero"] = scale_mm / 2
far_um = {}
for name, place_mm in readings.items():
    far_um[name] = 1000 * np.abs(place_mm - zero_mm).mean()
    print(f"voxel 0 {name}: {far_um[name]:.1f} µm from what is found")
found = min(far_um, key=far_um.get)
shift_um = 1000 * (first_mm - readings[found]).round(6)
print(f"nearest: {found}; to meet the metadata, move it by {shift_um} µm")

# %%
# Look at half a voxel
# --------------------
# One section, with its voxels where each reading puts them, and the surface
# cut through their centres. Shown is the edge at its top.
middle = is_rsp.shape[0] // 2
rows, columns = np.nonzero(is_rsp[middle])
top, left = rows.min() - 2, columns[rows == rows.min()].min() - 6
corner = (slice(top, top + 14), slice(left, left + 14))
fig, panels = plt.subplots(1, 3, figsize=(7.2, 3.1), layout="constrained")
for ax, (name, place_mm) in zip(panels, readings.items(), strict=True):
    z_mm, y_mm, x_mm = (
        place_mm[i] + (start[i] + np.arange(n)) * scale_mm[i]
        for i, n in enumerate(is_rsp.shape)
    )
    y_mm, x_mm = y_mm[corner[0]], x_mm[corner[1]]
    grid = {"cmap": "Blues", "vmax": 2, "edgecolors": "lightgrey", "lw": 0.4}
    ax.pcolormesh(x_mm, y_mm, is_rsp[middle][corner], **grid)
    # A millionth of a mm off: a plane through corners has no clear outline.
    lines = mesh_plane(mesh, (1, 0, 0), (z_mm[middle] + 1e-6, 0, 0))
    ax.add_collection(LineCollection(lines[:, :, :0:-1], colors="black"))
    ax.set(xlim=x_mm[[0, -1]], ylim=y_mm[[-1, 0]], aspect="equal")
    ax.set_title(f"voxel 0 {name}:\n{far_um[name]:.1f} µm off", fontsize=9)
    ax.set_xlabel("{} → {} (mm)".format(*ways[2].split("-to-")))
panels[0].set_ylabel("{1} ← {0} (mm)".format(*ways[1].split("-to-")))
fig.alt = (
    "The same outline of the retrosplenial area three times, over squares "
    "that are voxels in three different places. Where they are placed right "
    "the outline runs along their edges, elsewhere a gap shows between."
)
plt.show()

# %%
# Where the voxels are placed right the outline follows their edges; where not
# it leaves a gap on one side. Decoded, reversed and moved, the surface can be
# used with any position in mm. How it was made it does not tell: one that was
# smoothed or thinned out lies in the right place and still cuts off voxels.
#
# .. seealso::
#
#    :doc:`/aws_examples/surfaces/build_surface` makes such a surface at any
#    level. :doc:`/orientation` explains where zero is.

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
Follow a probe
==============

Every structure along an electrode's track, with its entry and exit depths.

Which structures does a probe pass, and how deep is each? A straight track is
given by a point above the brain, two angles and a length. In the annotation
of the Allen mouse atlas the structure can change only where the track leaves
one voxel for the next. Those crossings are a matter of arithmetic, so that
nothing needs to be sampled and no thin layer is stepped over.
"""

# sphinx_gallery_tags = ["locate", "intermediate"]

import csv
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Describe the track
# ------------------
# The entry point is counted along the atlas's axes, in the frame of its
# metadata (see :doc:`/orientation`). The track leans from straight down by
# ``tilt``, in the direction of ``turn``: 0° is backwards, 90° is to the
# animal's left.
entry_um = 1000 * np.array([7.2, 0.3, 3.2])
tilt, turn, length_um = np.radians(15), np.radians(20), 5000.0
back, left = np.sin(tilt) * np.array([np.cos(turn), np.sin(turn)])
direction = np.array([back, np.cos(tilt), left])

# %%
# Open the annotation and the table
# ---------------------------------
# Layers of the cortex call for the :term:`level` of 25 µm. The metadata place
# the centre of the first voxel; its edge lies half a voxel before.
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
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.025))
annotation = group[level]
scale_um = 1000 * np.array(steps[level][0]["scale"])
edge_um = 1000 * np.array(steps[level][1]["translation"]) - scale_um / 2
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]

# %%
# The :term:`terminology` gives acronyms and colours.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {int(row["annotation_value"]): row for row in csv.DictReader(file)}
rows[0] = {"abbreviation": "background", "color_hex_triplet": "#FFFFFF"}
names = {i: row["abbreviation"] for i, row in rows.items()}
colours = {i: to_rgb(row["color_hex_triplet"]) for i, row in rows.items()}

# %%
# Look points up
# --------------
# Of the array, only the box that holds the points is read. A point on a border
# belongs to the voxel behind it.


def look_up(points_um):
    """Return the ids of the voxels that hold the points; outside is 0."""
    index = np.floor((points_um - edge_um) / scale_um).astype(int)
    is_inside = np.all((index >= 0) & (index < annotation.shape), axis=-1)
    low, high = index[is_inside].min(axis=0), index[is_inside].max(axis=0)
    box = annotation[tuple(map(slice, low, high + 1))]
    found = np.zeros(is_inside.shape, box.dtype)
    found[is_inside] = box[tuple((index[is_inside] - low).T)]
    return found


# %%
# Find every crossing
# -------------------
# Counted in voxels from the edge, the borders are the whole numbers, and the
# track moves along each axis at a constant speed. Between two crossings it is
# in one voxel, and the middle of the stretch says in which. Crossings within a
# millionth of a µm, as at the corner of a voxel, count once.
begin, per_um = (entry_um - edge_um) / scale_um, direction / scale_um
stops_um = [0.0, length_um]
for at, speed in zip(begin, per_um, strict=True):
    near, far = sorted((at, at + speed * length_um))
    borders = np.arange(np.ceil(near), np.floor(far) + 1)
    stops_um.extend((borders - at) / speed if speed else [])
stops_um = np.unique(np.round(np.clip(stops_um, 0, length_um), 6))
middle_um = (stops_um[1:] + stops_um[:-1]) / 2
ids = look_up(entry_um + np.multiply.outer(middle_um, direction))
print(f"{len(ids)} voxels on the way")

# %%
# List the structures
# -------------------
# Stretches that follow each other in one structure become one piece; depths
# are counted along the track from the entry point. The pieces must fill the
# track, and a walk in small steps, which knows nothing of crossings, must
# meet the same structures at the same depths.
starts = np.flatnonzero(np.diff(ids.astype(int), prepend=-1))
bounds_um = [*stops_um[starts], length_um]
pieces = list(zip(ids[starts].tolist(), pairwise(bounds_um), strict=True))
print("entry, exit and length in µm")
for i, (enter, leave) in pieces:
    print(f"{enter:8.2f} {leave:8.2f} {leave - enter:8.2f}  {names[i]}")

walked_um = np.arange(0.05, length_um, 0.1)
walked = look_up(entry_um + np.multiply.outer(walked_um, direction))
expected = ids[np.searchsorted(stops_um, walked_um) - 1]
print(f"sum of the pieces: {np.diff(bounds_um).sum():.6f} of {length_um} µm")
print(f"{np.sum(walked != expected)} of {walked.size:,} steps differ")

# %%
# Draw the track and its column
# -----------------------------
# On the left is the plane that holds the track and runs from side to side. On
# the right is the track alone, in the official colours, with a name where a
# piece is long enough for one.
down = direction * (1, 1, 0) / np.linalg.norm(direction[:2])
heights_um = np.arange(-400, length_um + 1400, scale_um.min())
sides_um = edge_um[2] + scale_um[2] * (np.arange(annotation.shape[2]) + 0.5)
across_um = np.multiply.outer(sides_um, (0, 0, 1))
slope_um = entry_um * (1, 1, 0) + np.multiply.outer(heights_um, down)
section = look_up(slope_um[:, np.newaxis] + across_um)
values, place = np.unique(section, return_inverse=True)
pale = 0.5 + 0.5 * np.array([colours[i] for i in values.tolist()])[place]
pale[1:][section[1:] != section[:-1]] *= 0.85
pale[:, 1:][section[:, 1:] != section[:, :-1]] *= 0.85

# %%
fig, (face, column) = plt.subplots(
    ncols=2, figsize=(7.2, 4.2), width_ratios=(5, 1), layout="constrained"
)
extent_um = [*sides_um[[0, -1]], *heights_um[[-1, 0]]]
extent_um = np.add(extent_um, scale_um.min() / 2 * np.array([-1, 1, 1, -1]))
face.imshow(pale, extent=extent_um, interpolation="nearest")
tip_um = length_um * direction
face.plot(entry_um[2] + [0, tip_um[2]], [0, tip_um @ down], "k", linewidth=2)
face.set_title("section that holds the track")
face.set_xlabel("{}  ←  µm  →  {}".format(*ends[2]))
face.set_ylabel("µm along the slope, from the entry point")
for i, (enter, leave) in pieces:
    bar = {"color": colours[i], "edgecolor": "black", "linewidth": 0.5}
    column.bar(0, leave - enter, bottom=enter, width=1, **bar)
    if leave - enter > 125:
        column.text(0.6, (enter + leave) / 2, names[i], va="center", size=7)
column.set(title="track", ylabel="depth (µm)", ylim=(length_um, 0))
column.set(xticks=[], xlim=(-0.5, 2), frame_on=False)
fig.alt = (
    "Left, an oblique section of a mouse brain; a black line enters the "
    "cortex of the right hemisphere and leans to the midline. Right, the "
    "line as a column of coloured, named pieces, from cortex to midbrain."
)
plt.show()

# %%
# Depths below the brain's surface are less by the background on the way to it.
# All are exact for this line in this annotation, whose voxels they cannot
# surpass. The line is only as good as its registration: a real track bends,
# and a brain swells and shrinks.
#
# .. seealso::
#
#    :doc:`/aws_examples/coordinates/convert_coordinates` turns stereotaxic
#    coordinates into an entry point, and says why that is a guess.
#    :doc:`/aws_examples/slices/cut_angle` explains oblique sections.

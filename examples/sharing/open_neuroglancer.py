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
Open this view in neuroglancer
==============================

A link that opens the same section and structures in a browser, to walk on.

A figure shows one section, and its reader would like the next. Neuroglancer, a
viewer in the browser, reads the same objects, and the address of a view says
all of it: where, what, from which files. Here, it is the Allen mouse atlas.
"""

# sphinx_gallery_tags = ["share", "draw", "intermediate"]

import csv
import json
from urllib.parse import quote, unquote

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgba

# %%
# Choose the view
# ---------------
# A position in mm, along the axes of the array, and what to show there. For
# another version change the first line: its :term:`manifest` names the parts.
atlas = "allen_mouse_25um/3_0"
position_mm = [7.5, 2.0, 7.9]
acronyms = ["RSP", "HIP"]
web = "https://brainglobe.s3.us-west-2.amazonaws.com/atlas"
cache = {"known_hash": None, "path": pooch.os_cache("brainglobe_atlases")}
path = pooch.retrieve(f"{web}/atlases/{atlas}/manifest.json", **cache)
with open(path, encoding="utf-8") as file:
    manifest = json.load(file)
folder = manifest["annotation_set"]["location"]
annotation = f"{folder}/annotations_compressed.ome.zarr"
template = manifest["template"]["location"] + "/template.ome.zarr"

# %%
# Select the structures
# ---------------------
# A voxel holds the id of the finest structure, so the link needs those of all
# :term:`descendants <descendant>`, which the :term:`terminology` tells.
place = manifest["terminology"]["location"]
path = pooch.retrieve(f"{web}{place}/terminology.csv", **cache)
with open(path, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
parts, colours = {}, {}
for acronym in acronyms:
    [family] = [[row] for row in rows if row["abbreviation"] == acronym]
    for row in family:
        i = row["identifier"]
        family += [child for child in rows if child["parent_identifier"] == i]
        colours[row["annotation_value"]] = row["color_hex_triplet"]
    parts[acronym] = [int(row["annotation_value"]) for row in family]

# %%
# Read the section
# ----------------
# The still shows template and annotation at this position, each by its own
# scale. Their edges lie half a :term:`voxel` beyond the outer centres.
sections, edges_mm = [], []
for part in template, annotation:
    group = zarr.open_group(
        f"s3://brainglobe/atlas{part}",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options={"anon": True, "max_concurrency": 1},
    )
    [image] = group.attrs["ome"]["multiscales"]
    steps = image["datasets"]
    steps = {v["path"]: v["coordinateTransformations"] for v in steps}
    level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.05))
    scale_mm = np.array(steps[level][0]["scale"])
    first_mm = np.array(steps[level][1]["translation"])
    plane = round((position_mm[0] - first_mm[0]) / scale_mm[0])
    sections.append(group[level][plane])
    low = first_mm - scale_mm / 2
    high = low + scale_mm * group[level].shape
    edges_mm.append((low[2], high[2], high[1], low[1]))

# %%
# Write down the state
# --------------------
# Neuroglancer counts in voxels, here in the finest. It follows the metadata:
# zero is the centre of the first (see :doc:`/orientation`). But its axes are
# x, y and z, and the array's z, y and x, so they are matched by name.
finest_mm = min(step[0]["scale"] for step in steps.values())
names = [axis["name"] for axis in image["axes"]]
size_mm = dict(zip(names, finest_mm, strict=True))
here_mm = dict(zip(names, position_mm, strict=True))
state = {
    "dimensions": {name: [size_mm[name] / 1000, "m"] for name in "xyz"},
    "position": [round(here_mm[name] / size_mm[name], 3) for name in "xyz"],
    "crossSectionScale": 0.02 / size_mm["x"],  # from one dot to the next
    "projectionScale": 16 / size_mm["x"],  # from top to bottom, in 3-D
    "layout": "4panel",
}

# %%
# Add the layers
# --------------
# Greys from 0 to 400 suit this template. The annotation is read as zarr, which
# has :term:`levels <level>`; surfaces and names come from the copy of it in
# neuroglancer's own format.
state["layers"] = [
    {
        "type": "image",
        "name": "template",
        "source": f"{web}{template}/|zarr3:",
        "shaderControls": {"normalized": {"range": [0, 400]}},
    },
    {
        "type": "segmentation",
        "name": "annotation",
        "source": [
            f"{web}{annotation}/|zarr3:",
            {
                "url": f"precomputed://{web}{folder}/annotations.precomputed",
                "subsources": {"mesh": True, "properties": True},
                "enableDefaultSubsources": False,
            },
        ],
        "segments": [*colours],
        "segmentColors": colours,
    },
]

# %%
# Make the link and decode it
# ---------------------------
# The address holds the state after ``#!``, as JSON without spaces. You can
# :neuroglancer:`open it from here <7.5 2.0 7.9; RSP, HIP>`. Decoded, it must
# be the state again, and lead to a voxel of one of the structures.
text = json.dumps(state, separators=(",", ":"))
link = "https://neuroglancer-demo.appspot.com/#!" + quote(text, safe="/:,")
print(f"{len(link):,} characters, {len(colours)} ids:\n{link}")
found = json.loads(unquote(link.partition("#!")[2]))
print("the same state:", found == state)
sizes_m = [size for size, unit in found["dimensions"].values()]
x_mm, y_mm, z_mm = 1000 * np.multiply(sizes_m, found["position"])
y, x = np.rint(([y_mm, x_mm] - first_mm[1:]) / scale_mm[1:]).astype(int)
print(f"x {x_mm:g}, y {y_mm:g}, z {z_mm:g} mm:", end=" ")
print(*(name for name in parts if sections[1][y, x] in parts[name]))

# %%
# Draw the still
# --------------
# It is the upper left of four panels: the structures half transparent over the
# template, and a cross at the position.
grey, ids = sections
painted = np.zeros((*ids.shape, 4))
for i, colour in colours.items():
    painted[ids == int(i)] = to_rgba(colour, 0.5)
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
fig, ax = plt.subplots(figsize=(7.2, 5.2), layout="constrained")
ax.imshow(grey, "gray", vmin=0, vmax=400, extent=edges_mm[0])
ax.imshow(painted, extent=edges_mm[1], interpolation="nearest")
ax.plot(position_mm[2], position_mm[1], "w+", markersize=40)
for acronym, family in parts.items():
    inside = np.argwhere(np.isin(ids, family))
    y, x = first_mm[1:] + scale_mm[1:] * inside[len(inside) // 2]
    ax.text(x, y, acronym, ha="center", va="center", weight="bold")
ax.set_title(f"coronal, {position_mm[0]} mm")
ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[1]))
fig.alt = (
    "Coronal section of a mouse brain in grey, with the retrosplenial area "
    "and the hippocampal region tinted and named, and a cross in the latter."
)
plt.show()

# %%
# The link names its files by version, so it shows the same as long as they and
# the viewer are kept. What a reader changes there is in the reader's address.
#
# .. seealso::
#
#    :doc:`/aws_examples/slices/outline_structures` draws exact borders.

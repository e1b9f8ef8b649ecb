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
Publish your own annotation
===========================

A small atlas of your own in the bucket's layout, checked and ready to upload.

The caudoputamen (CP) is one structure of the Allen mouse atlas. Say that you
divide it in thirds, on each side. To be opened like an atlas, labels need a
table, levels, positions and a manifest: all of it is put in ``my_atlas``.
"""

# sphinx_gallery_tags = ["share", "advanced"]

import csv
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read what you build on
# ----------------------
# The :term:`template`, :term:`hemispheres` and labels share a grid of 100 µm.
template = "templates/allen-adult-mouse-stpt-template/2015/template.ome.zarr"
allen, arrays = "annotation-sets/allen_mouse-annotation/3_0", []
names = ["hemispheres.ome.zarr", "annotations_compressed.ome.zarr"]
for path in [template, *(f"{allen}/{name}" for name in names)]:
    group = zarr.open_group(
        f"s3://brainglobe/atlas/{path}",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options={"anon": True, "max_concurrency": 1},
    )
    [image] = group.attrs["ome"]["multiscales"]
    steps = [d["coordinateTransformations"] for d in image["datasets"]]
    n = np.argmin([abs(step[0]["scale"][0] - 0.1) for step in steps])
    arrays.append(group[image["datasets"][n]["path"]][:])
grey, sides, annotation = arrays
scale_mm, first_mm = (np.array(step[step["type"]]) for step in steps[n])

# %%
# Divide the structure
# --------------------
# Two planes cut CP into thirds of about one volume. A label is ten times the
# third plus the side, 1 or 2; other tissue belongs to the root.
https = "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/"
names = ["terminologies/allen_mouse-terminology/3_0/terminology.csv"]
names.append("atlases/allen_mouse_100um/3_0/manifest.json")
cache = pooch.os_cache("brainglobe_atlases")
files = [pooch.retrieve(https + n, known_hash=None, path=cache) for n in names]
with open(files[0], newline="", encoding="utf-8") as file:
    [cp] = [r for r in csv.DictReader(file) if r["abbreviation"] == "CP"]
is_cp = annotation == int(cp["annotation_value"])
cuts = np.quantile(np.nonzero(is_cp)[0], [1 / 3, 2 / 3])
third = 1 + np.digitize(np.arange(len(annotation)), cuts)
labels = (annotation > 0).astype(np.uint32)
labels[is_cp] = (10 * third[:, None, None] + sides)[is_cp]

# %%
# The table gives each id a parent, a name, an acronym, a colour and a path.
rows = {1: ("", "root", "root", "#FFFFFF")}
rows[2] = (1, cp["name"], "CP", "#999999")
colours = {"anterior": "#E69F00", "middle": "#56B4E9", "posterior": "#009E73"}
for n, (part, colour) in enumerate(colours.items(), start=1):
    for side, word in (1, "Left"), (2, "Right"):
        name = f"{cp['name']}, {part} third, {word.lower()}"
        rows[10 * n + side] = (2, name, f"CP{part[0]}-{word[0]}", colour)
paths = {i: [i] for i in rows}
for path in paths.values():
    while path[0] in rows and rows[path[0]][0] and len(path) <= len(rows):
        path.insert(0, rows[path[0]][0])

# %%
# Check before writing
# --------------------
# Atlases with such faults have been published. One of them stops the page.
acronyms = [row[2] for row in rows.values()]
is_hex = re.compile("#[0-9A-Fa-f]{6}").fullmatch
faults = {
    "labels without a row": {*np.unique(labels).tolist()} - {0, *rows},
    "rows that lead to no root": {i for i in rows if paths[i][0] != 1},
    "acronyms given twice": {a for a in acronyms if acronyms.count(a) > 1},
    "rows without colour": {i for i in rows if not is_hex(rows[i][3])},
}
for fault, found in faults.items():
    if found:
        raise ValueError(f"{fault}: {found}")
    print(f"{fault}: none")

# %%
# Write the arrays
# ----------------
# A coarser :term:`level` must not invent ids, so labels are never averaged.
# Every second :term:`voxel` keeps volumes right on average, where a vote among
# eight eats thin layers; and as it stays in place, the translation stays too.
home = Path("my_atlas/brainglobe-atlasapi")
mine = home / "annotation-sets/my_cp-annotation/1_0"
masks = [np.isin(labels, [j for j in rows if i in paths[j]]) for i in rows]
for path, finest in {
    home / template: grey,
    mine / "hemispheres.ome.zarr": sides,
    mine / "annotations_compressed.ome.zarr": labels,
    mine / "annotations.ome.zarr": np.array(masks, np.uint8),
}.items():
    group = zarr.create_group(path, overwrite=True)
    more, datasets = finest.ndim - 3, []
    axes = [{"name": "c", "type": "channel"}] * more + image["axes"]
    asked = {"dimension_names": [axis["name"] for axis in axes]}
    asked["chunks"] = (1,) * more + (64, 64, 64)
    first = [0.0] * more + first_mm.tolist()
    for level, n in ("s0", 1), ("s1", 2):
        group.create_array(level, data=finest[..., ::n, ::n, ::n], **asked)
        place = [{"type": "scale", "scale": [1.0] * more + [*n * scale_mm]}]
        place.append({"type": "translation", "translation": first})
        datasets += [{"path": level, "coordinateTransformations": place}]
    whole = {"name": "/", "axes": axes, "datasets": datasets}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [whole]}
group.create_array("annotation_values", data=np.array([*rows], np.uint32))

# %%
# Write the table and the manifest
# --------------------------------
# The columns are Allen's, and so is most of the :term:`manifest`.
text = Path(files[1]).read_text().replace("allen_mouse", "my_cp")
manifest = json.loads(text.replace("3.0", "1.0").replace("3_0", "1_0"))
manifest["citation"] = "unpublished, after " + manifest["citation"]
about = home / manifest["location"][1:] / "manifest.json"
table = home / manifest["terminology"]["location"][1:] / "terminology.csv"
for path in about, table:
    path.parent.mkdir(parents=True, exist_ok=True)
about.write_text(json.dumps(manifest, indent=1))
with open(table, "w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerow(cp)
    for i, (parent, *rest) in rows.items():
        csv.writer(file).writerow([i, parent, i, *rest, paths[i]])

# %%
# Read it back
# ------------
# What a stranger counts must be what went in. The borders are Allen's.
group = zarr.open_group(mine / "annotations_compressed.ome.zarr", mode="r")
n = np.isin(group["s0"][:], [i for i in rows if 2 in paths[i]]).sum()
print(f"CP: {n:,} of {is_cp.sum():,} voxels = {n * scale_mm.prod():.3f} mm³")

# %%
depth = np.argmax(is_cp.sum(axis=(0, 2)))
new, old = group["s0"][:, depth], annotation[:, depth]
picture = np.where(old[..., None] > 0, 0.9, np.ones(3))
low, size = first_mm - scale_mm / 2, annotation.shape * scale_mm
fig, ax = plt.subplots(figsize=(5.4, 5.6), layout="constrained")
for i in sorted({*new.ravel().tolist()} - {0, 1}):
    picture[new == i] = to_rgb(rows[i][3])
    down, across = np.argwhere(new == i).mean(axis=0) * scale_mm[[0, 2]]
    ax.text(across + first_mm[2], down + first_mm[0], rows[i][2], ha="center")
picture[1:][old[1:] != old[:-1]] *= 0.7
picture[:, 1:][old[:, 1:] != old[:, :-1]] *= 0.7
extent = low[2], low[2] + size[2], low[0] + size[0], low[0]
ax.imshow(picture, extent=extent, interpolation="nearest")
ends = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
ax.set_title("Thirds of the caudoputamen (CP), horizontal section")
ax.set_xlabel("{}  ←  mm  →  {}".format(*ends[2]))
ax.set_ylabel("{1}  ←  mm  →  {0}".format(*ends[0]))
fig.alt = (
    "Horizontal section of a mouse brain with grey borders. On each side the "
    "caudoputamen is cut across into three coloured parts, CPa, CPm and CPp."
)
plt.show()

# %%
# Shown ``my_atlas``, other programs open ``my_cp_100um`` like any atlas; only
# surfaces are missing. The checks are of form: whether a third of CP is a
# structure, they cannot tell.
#
# .. seealso::
#
#    :doc:`/aws_examples/atlases/follow_manifest` reads what is written here.

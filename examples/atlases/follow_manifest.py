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
Follow an atlas's manifest
==========================

From one name to every table and array: where it is, what it is, how large.

What is behind the name ``allen_mouse_25um``? Its manifest names four parts,
and a few file names that are the same for every atlas lead on to the arrays.
The way there has three traps, and needs no listing of the bucket.
"""

# sphinx_gallery_tags = ["choose", "intermediate"]

import configparser
import json
from urllib.parse import urljoin

import matplotlib.pyplot as plt
import numpy as np
import pooch
import s3fs
import zarr

# %%
# From the name to the manifest
# -----------------------------
# The index says which version is current. The first trap: the version has a
# point in the index, ``3.0``, and an underscore in the address, ``3_0``.
atlas = "allen_mouse_25um"
root = "s3://brainglobe/atlas"
index = configparser.ConfigParser()
bucket = s3fs.S3FileSystem(anon=True)
contents = bucket.cat_file(f"{root}/atlases/last_versions.conf")
index.read_string(contents.decode())
version = index["atlases"][atlas].replace(".", "_")
print(f"version {index['atlases'][atlas]}, folder {version}")

# %%
# The :term:`manifest` says what the atlas is. Below its versioned address it
# is not meant to change, so it may be kept.
manifest_json = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/atlases/"
    f"{atlas}/{version}/manifest.json",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(manifest_json, encoding="utf-8") as file:
    manifest = json.load(file)
for key in "species", "resolution", "shape", "orientation", "citation":
    print(f"{key}: {manifest[key]}")

# %%
# From the manifest to the parts
# ------------------------------
# Each part has a ``location``. The second trap is its leading slash: joined as
# an address, such a path starts again from the host, and the prefix is lost.
names = "coordinate_space", "terminology", "template", "annotation_set"
places = {name: manifest[name]["location"] for name in names}
print("wrong:", urljoin("https://host/atlas/", places["template"]))
for name, place in places.items():
    print(f"{name}: {root}{place}")

# %%
# Open the parts that are small files
# -----------------------------------
# The terminology is a table. The coordinate space is only a name that atlases
# share: where zero is and how the axes run stands with each array.
files = {"coordinate_space": "manifest.json", "terminology": "terminology.csv"}
texts = {}
for part, name in files.items():
    address = f"{root}{places[part]}/{name}"
    texts[part] = bucket.cat_file(address).decode()
n_rows = len(texts["terminology"].splitlines()) - 1
print(f"terminology: {n_rows} rows")
print(f"coordinate space: {', '.join(json.loads(texts['coordinate_space']))}")

# %%
# Open the parts that hold arrays
# -------------------------------
# The names of the stores are fixed by the layout. Each is a group that holds
# one image in several :term:`levels <level>`.
stores = {
    "template.ome.zarr": "template",
    "annotations_compressed.ome.zarr": "annotation_set",
    "hemispheres.ome.zarr": "annotation_set",
}
options = {"mode": "r", "zarr_format": 3, "use_consolidated": False}
options["storage_options"] = {"anon": True, "max_concurrency": 1}
groups = {
    store: zarr.open_group(f"{root}{places[part]}/{store}", **options)
    for store, part in stores.items()
}

# %%
# The third trap is the unit: manifests speak of µm, arrays here of mm, and
# only the arrays' metadata say so. The megabytes are those in memory; what is
# sent is compressed, one :term:`chunk` at a time.
um_per = {"micrometer": 1, "millimeter": 1000}
levels = []
for store, group in groups.items():
    [image] = group.attrs["ome"]["multiscales"]
    unit_um = np.array([um_per[axis["unit"]] for axis in image["axes"]])
    for dataset in image["datasets"]:
        scale = dataset["coordinateTransformations"][0]["scale"]
        array = group[dataset["path"]]
        levels.append((store, dataset["path"], array, scale * unit_um))
for store, path, array, _ in levels:
    chunks = " × ".join(map(str, array.chunks))
    megabytes = f"{array.nbytes / 1e6:,.0f} MB"
    print(f"{store}/{path}: {array.dtype}, {megabytes}, chunks of {chunks}")

# %%
# Draw the map
# ------------
# The annotation set holds the same structures in two more forms, which the map
# names without opening them: a mask for each structure, and surfaces.
nodes = [(0, f"atlases/{atlas}/{version}/manifest.json", "manifest")]
for part, place in places.items():
    nodes.append((1, place.strip("/"), part.replace("_", " ")))
    if part in files:
        nodes.append((2, files[part], f"{len(texts[part]):,} characters"))
    for store in [name for name in stores if stores[name] == part]:
        own = [level for level in levels if level[0] == store]
        nodes.append((2, store, f"{len(own)} levels"))
        for _, path, array, um in own:
            size = " × ".join(map(str, array.shape))
            is_named = np.allclose(um, manifest["resolution"])
            mark = "  ◄" if is_named else ""
            nodes.append((3, path, f"{size} voxels of {um[0]:g} µm{mark}"))
nodes.append((2, "annotations.ome.zarr", "one mask for each structure"))
nodes.append((2, "annotations.precomputed", "one surface for each structure"))

# %%
# A line leads from each name to the one that it was found by.
fig, ax = plt.subplots(figsize=(7.2, 0.23 * len(nodes)), layout="constrained")
above = {}
for y, (depth, name, remark) in enumerate(nodes):
    above[depth] = y
    x = 0.03 * depth
    if depth:
        corner = x - 0.02, x - 0.02, x - 0.003
        ax.plot(corner, (above[depth - 1] + 0.4, y, y), "0.5", lw=1)
    weight = "bold" if depth < 2 else "normal"
    style = {"family": "monospace", "weight": weight, "va": "center"}
    ax.text(x, y, name, fontsize=8, **style)
    ax.text(0.58, y, remark, va="center", fontsize=8)
ax.set(xlim=(0, 1), ylim=(len(nodes) - 0.5, -0.5))
ax.set_title(f"What {atlas} is made of")
ax.axis("off")
fig.alt = (
    "A tree of names, drawn with thin lines. The manifest is at the top; "
    "below it stand the coordinate space, the terminology, the template and "
    "the annotation set, and under these their files, arrays and levels."
)
plt.show()

# %%
# The name of the atlas chooses one level of each image, marked ◄, and nothing
# more: the manifests of its other resolutions lead to the same parts.
#
# Check the arrays against the manifest
# -------------------------------------
# The two were written separately and describe the same box of space.
box_um = np.array(manifest["shape"]) * manifest["resolution"]
excess_um = [array.shape * um - box_um for _, _, array, um in levels]
print(f"sides differ by at most {np.abs(excess_um).max():.3f} µm")
starts = "".join(a["orientation"]["value"][0] for a in image["axes"])
print(f"axes begin at {starts}; the manifest says {manifest['orientation']}")

# %%
# This layout is BrainGlobe's third. Earlier ones had other file names, and a
# later one may; the versions in the addresses keep what is published in place.
#
# .. seealso::
#
#    :doc:`/aws_examples/atlases/pin_atlas` writes down what was read, byte for
#    byte. :doc:`/orientation` explains the axes, and :doc:`/data` names the
#    authors of the data.

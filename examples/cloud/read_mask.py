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
Read one structure's mask
=========================

A structure with all its parts, as zeros and ones, without the rest of a brain.

In the annotation of the Allen mouse atlas a voxel has the id of the finest
structure there; a whole must be put together from its parts. Beside it lie
ready masks, one for each structure, parts included. How is one found, what
does it cost, and does it agree with the annotation?
"""

# sphinx_gallery_tags = ["scale", "intermediate"]

import csv
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import ListedColormap

# %%
# Open masks and annotation
# -------------------------
# They are two groups of one folder. The options are explained in
# :doc:`/aws_examples/cloud/read_slice`.
folder = "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
groups = [
    zarr.open_group(
        f"{folder}{name}.ome.zarr",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options={"anon": True, "max_concurrency": 1},
    )
    for name in ("annotations", "annotations_compressed")
]

# %%
# The masks are one array of four axes: the first numbers the structures, the
# others are those of the :term:`annotation`. In each group take the
# :term:`level` whose voxels measure 50 µm. The groups need not have the same
# levels or the same zero; their voxels correspond by index.
arrays = []
for group in groups:
    [image] = group.attrs["ome"]["multiscales"]
    scales = {
        dataset["path"]: dataset["coordinateTransformations"][0]["scale"]
        for dataset in image["datasets"]
    }
    level = min(scales, key=lambda path: abs(scales[path][-1] - 0.05))
    arrays.append(group[level])
    print(f"{arrays[-1].shape} voxels in chunks of {arrays[-1].chunks}")
masks, annotation = arrays
scale_mm = np.array(scales[level])
print("scale:", scale_mm, image["axes"][0]["unit"])

# %%
# Find the structures
# -------------------
# Which mask is whose? The :term:`terminology` has an id for each
# :term:`acronym`, and the array ``annotation_values`` the id of each mask.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["abbreviation"]: row for row in csv.DictReader(file)}
id_of = {name: int(row["annotation_value"]) for name, row in rows.items()}
ids = groups[0]["annotation_values"][:].tolist()
number_of = {i: number for number, i in enumerate(ids)}

# %%
# What is too thin for any voxel may have no mask; a look-up without a default
# then ends in an error, as it should.
none = [name for name in rows if id_of[name] not in number_of]
print(f"{len(ids)} masks; {len(none)} structures have none:", *none)

# %%
# Read three masks
# ----------------
# Read the retrosplenial area (RSP), the isocortex around it and the brain,
# ``root``, then the annotation, and keep each answer of the bucket. An absent
# :term:`chunk` is read as background, so a mask without a single voxel is no
# answer but a loss.
step, answers = "", defaultdict(list)
masks.store.fs.s3.meta.events.register(
    "after-call.s3",
    lambda http_response, **_: answers[step].append(http_response),
)
mask = {}
for step in "RSP", "Isocortex", "root":
    mask[step] = masks[number_of[id_of[step]]].astype(bool)
    assert mask[step].any()
step = "annotation"
labels = annotation[:]

# %%
# A mask is ones and zeros in large blocks: few requests, and few bytes until
# they are unpacked.
for name, got in answers.items():
    stored = [answer for answer in got if answer.status_code == 200]
    kb = sum(int(answer.headers["Content-Length"]) for answer in stored) / 1000
    print(f"{name:10} {len(got):3} requests, {kb:7.1f} kB")
chunk_mb = np.prod(masks.chunks) * masks.dtype.itemsize / 1e6
print(f"one chunk of a mask opens to {chunk_mb:.1f} MB")

# %%
# Compare with the annotation
# ---------------------------
# The longer way to the same structures: every voxel whose id is that of the
# structure or of one below it.
for name, own in mask.items():
    inside = [name]
    for whole in inside:  # grows while it is read, until no part is left
        i = rows[whole]["identifier"]
        inside += [a for a in rows if rows[a]["parent_identifier"] == i]
    n_differ = np.sum(own != np.isin(labels, [id_of[a] for a in inside]))
    mm3 = own.sum() * scale_mm.prod()
    print(f"{name}: {own.sum():,} voxels = {mm3:.3f} mm³;", end=" ")
    print(f"{n_differ} differ from the voxels of {len(inside)} ids")

# %%
# See them
# --------
# Each structure lies within the next, so the number of masks that a line of
# sight meets tells which one it is.
ways = [axis["orientation"]["value"].split("-to-") for axis in image["axes"]]
size_mm = np.array(annotation.shape) * scale_mm
colours = dict(zip(mask, ("#0b3d6b", "#7fbfe6", "0.85"), strict=True))
shown = ListedColormap(["white", *reversed(colours.values())])
form = {"ncols": 3, "width_ratios": size_mm[[2, 2, 0]]}
fig, axes = plt.subplots(**form, figsize=(7.2, 3.2), layout="constrained")
orders = (1, 0, 2), (0, 1, 2), (2, 1, 0)
for ax, (along, down, across) in zip(axes, orders, strict=True):
    n_met = np.zeros(np.array(annotation.shape)[[down, across]], dtype=int)
    for own in mask.values():
        n_met += own.transpose(along, down, across).any(axis=0)
    extent = (0, size_mm[across], size_mm[down], 0)
    ax.imshow(n_met, cmap=shown, extent=extent, interpolation="nearest")
    ax.set_title("{} to {}".format(*ways[along]))
    ax.set(xlabel=f"mm from {ways[across][0]}")
    ax.set(ylabel=f"mm from {ways[down][0]}")
for name, colour in colours.items():
    ax.plot([], [], "s", color=colour, label=name)
fig.legend(loc="outside lower center", ncols=3)
fig.alt = (
    "A mouse brain in three projections, pale grey. The isocortex, blue, "
    "covers its upper middle; the retrosplenial area, dark blue, is a narrow "
    "saddle on the midline, at the back of the isocortex."
)
plt.show()

# %%
# Three masks were enough, and the hierarchy was needed only to check them. A
# mask is the short way to one structure that has many parts. To many
# structures the annotation is shorter, since it holds all of them at once, and
# to a small piece of one, where its chunks are smaller. Neither says how sure
# a border is.
#
# .. seealso::
#
#    :doc:`/aws_examples/volumes/measure_structures` measures all structures
#    from the annotation. :doc:`/aws_examples/volumes/describe_shape` says more
#    about one. :doc:`/aws_examples/cloud/guard_data` notices what is lost.

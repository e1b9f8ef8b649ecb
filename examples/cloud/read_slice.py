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
Read one slice from the cloud
=============================

A section, a structure's box and a whole level, and what each read costs.

How much of an atlas must travel to see one slice of it, or one structure? An
array in the cloud is stored in blocks, its chunks, and whole chunks are what
a read fetches. This page reads the annotation of the Allen mouse atlas in
three ways, counts what the bucket sends, and explains the options with which
every page opens such arrays.
"""

# sphinx_gallery_tags = ["scale", "draw", "beginner"]

import csv
from collections import defaultdict
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import s3fs
import zarr

# %%
# Open without detours, and with limits
# -------------------------------------
# ``anon`` asks a public :term:`bucket` without an account. ``zarr_format=3``
# spares the search for metadata of an older format. ``use_consolidated=False``
# takes no summary of the metadata, which might be out of date. With a
# ``max_concurrency`` above 1, s3fs would ask for the size of each object
# before it fetches it: two requests for each chunk.
#
# The rest is for a server that takes the call and then says nothing. By
# default s3fs waits 15 seconds, five times, and that five times over: six
# minutes. Here two times two tries of 10 seconds end in an error after about
# 40. (zarr's own ``async.timeout`` does not bound such reads.)
s3fs.S3FileSystem.retries = 2
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={
        "anon": True,
        "max_concurrency": 1,
        "config_kwargs": {"read_timeout": 10, "retries": {"max_attempts": 0}},
    },
)

# %%
# Listen to the answers
# ---------------------
# The package below s3fs, botocore, reports every answer to whoever registers.
# From here on answers are kept under the name of the step that asked. The
# first step opens two :term:`levels <level>`.
step, answers = "metadata", defaultdict(list)
group.store.fs.s3.meta.events.register(
    "after-call.s3",
    lambda http_response, **_: answers[step].append(http_response),
)
[image] = group.attrs["ome"]["multiscales"]
scales = {
    dataset["path"]: np.array(dataset["coordinateTransformations"][0]["scale"])
    for dataset in image["datasets"]
}
fine = min(scales, key=lambda path: abs(scales[path][0] - 0.025))
coarse = min(scales, key=lambda path: abs(scales[path][0] - 0.1))
annotation, overview = group[fine], group[coarse]
print(f"{annotation.shape} voxels in chunks of {annotation.chunks}")

# %%
# Learn the box from a coarse level
# ---------------------------------
# Where is the retrosplenial area (RSP)? The :term:`terminology` has its ids,
# and at 100 µm the whole brain is a few :term:`chunks <chunk>`.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}
inside = [i for i in rows if rows[i]["abbreviation"] == "RSP"]
for i in inside:  # grows while it is read, until no part is left to add
    inside += [j for j in rows if rows[j]["parent_identifier"] == i]
rsp_ids = [int(rows[i]["annotation_value"]) for i in inside]

# %%
# A coarse level holds a sample of the finer voxels, so a thin edge can be
# missing from it. One coarse voxel more on every side makes up for that,
# unless a sliver leads further: an assumption, to be checked below.
step = "overview"
places = np.nonzero(np.isin(overview[:], rsp_ids))
ratios = np.rint(scales[coarse] / scales[fine]).astype(int)
box = tuple(
    slice(max(0, place.min() - 1) * ratio, (place.max() + 2) * ratio)
    for place, ratio in zip(places, ratios.tolist(), strict=True)
)
print("box:", *(f"{side.start} to {side.stop}" for side in box))

# %%
# Read a section, the box and the level
# -------------------------------------
# The section cuts the box in its middle. A chunk that is all background is
# not stored: the bucket answers 404, *no such key*, and zarr fills in zeros. A
# bucket that forbids listing answers 403 instead, and that is an error.
wanted = {"section": (box[0].start + box[0].stop) // 2, "box": box, "all": ...}
read = {}
for step, part in wanted.items():
    begin = perf_counter()
    read[step] = annotation[part]
    print(f"measured: {step} in {perf_counter() - begin:.2f} s")

# %%
# Absent chunks cost requests too; the overview is part of the box's price.
for name, got in answers.items():
    n_absent = sum(answer.status_code == 404 for answer in got)
    stored = [answer for answer in got if answer.status_code == 200]
    kb = sum(int(answer.headers["Content-Length"]) for answer in stored) / 1000
    print(f"{name:8} {len(got):4} requests, {n_absent:3} absent, {kb:8.1f} kB")
for name, voxels in read.items():
    share = voxels.size / (len(answers[name]) * np.prod(annotation.chunks))
    print(f"{name}: {share:.1%} of the voxels of these chunks were wanted")

# %%
# The section is a small part of the chunks it cuts. Its neighbours lie in the
# same chunks: read together, they cost no more than it does alone.
#
# Check the box
# -------------
# Count RSP in the box, blank the box in the level, and count what is left.
is_rsp = np.isin(read["box"], rsp_ids)
kind = (read["all"] > 0).astype("uint8")
kind[box] += is_rsp
read["all"][box] = 0
n_outside = sum(np.isin(plane, rsp_ids).sum() for plane in read["all"])
print(f"RSP: {is_rsp.sum():,} voxels in the box, {n_outside} outside")

# %%
# See which chunks were read
# --------------------------
# Each picture is one row of chunks seen through its depth: tissue in grey, RSP
# darker, and on top the chunks that were asked for.
deep, high, wide = annotation.chunks
views = np.maximum.reduceat(kind, range(0, len(kind), deep))
shape = {"nrows": 3, "ncols": len(views), "sharex": True, "sharey": True}
fetched = {"facecolor": "#56b4e980", "edgecolor": "black", "linewidth": 0.6}
absent = {"facecolor": "none", "hatch": "xxxx", "linewidth": 0}
fig, axes = plt.subplots(**shape, figsize=(7.2, 2.9), layout="constrained")
for (_, a), ax in np.ndenumerate(axes):
    ax.imshow(views[a], cmap="gray_r", vmax=3, interpolation="nearest")
for row, name in zip(axes, wanted, strict=True):
    row[0].set_ylabel(name)
    for answer in answers[name]:
        a, b, c = map(int, answer.url.split("/c/")[-1].split("/"))
        block = plt.Rectangle((c * wide - 0.5, b * high - 0.5), wide, high)
        block.set(**(absent if answer.status_code == 404 else fetched))
        row[a].add_patch(block)
fig.suptitle("Chunks fetched (blue) and absent (hatched), front to back")
fig.supxlabel("voxels from the right")
fig.supylabel("voxels from the top")
fig.alt = (
    "Three rows of brains under a grid, from front to back. A section takes "
    "all blocks of one picture, a structure's box a few at the top of some, "
    "and the level all of them; blocks beside the brain are absent."
)
plt.show()

# %%
# How an array is cut into chunks decides the price of a read, more than how
# many voxels are wanted; the seconds depend on the line as well. No count
# tells a chunk that was never stored from one that was lost.
#
# .. seealso::
#
#    :doc:`/aws_examples/cloud/read_mask` reads one structure by itself,
#    :doc:`/aws_examples/cloud/bound_memory` a level that does not fit in
#    memory. :doc:`/aws_examples/cloud/guard_data` notices what is lost.

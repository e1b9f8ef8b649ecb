# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
#     "s3fs>=2025.7",
#     "tqdm>=4.66",
#     "zarr>=3.1",
# ]
# ///
"""
Measure at 10 µm in bounded memory
==================================

The volumes of all structures at 10 µm, on a computer of any size.

The finest annotation of the Allen mouse atlas does not fit into the memory of
many computers. It need not: to count voxels, look at each chunk once and
forget it. How many chunks are in memory at a time is our choice, so the memory
needed is known before the first is read.
"""

# sphinx_gallery_tags = ["scale", "measure", "intermediate"]

import csv
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from tqdm import tqdm

# %%
# Open the levels
# ---------------
# Opening a :term:`level` reads its description and no :term:`voxel` yet, so
# that its size is known before it is fetched.
group = zarr.open_group(
    "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr",
    mode="r",
    zarr_format=3,
    use_consolidated=False,
    storage_options={"anon": True, "max_concurrency": 1},
)
[image] = group.attrs["ome"]["multiscales"]
assert {axis["unit"] for axis in image["axes"]} == {"millimeter"}
levels, voxel_mm3 = {}, {}
for dataset in image["datasets"]:
    scale_mm = np.array(dataset["coordinateTransformations"][0]["scale"])
    um = round(1000 * scale_mm.max())
    levels[um], voxel_mm3[um] = group[dataset["path"]], scale_mm.prod()
for um in 10, 50:
    print(f"{um} µm: {levels[um].size:,} voxels, {levels[um].nbytes:,} bytes")

# %%
# Count the coarse level in one piece
# -----------------------------------
# At 50 µm the whole array is small. ``np.unique`` sorts a copy of it, so that
# equal ids stand together, and counts them. At 10 µm the same line would ask
# for two copies of an array more than a hundred times larger.
n_own = {50: Counter(), 10: Counter()}
ids, n = np.unique(levels[50][:], return_counts=True)
n_own[50].update(dict(zip(ids.tolist(), n.tolist(), strict=True)))

# %%
# State the bound
# ---------------
# While a :term:`chunk` is counted it exists up to three times: as decoded, as
# an array, and as its sorted copy. Allow as much again for memory that is
# free but not yet given back. Now choose the memory, and the number of chunks
# at a time follows. Several are better than one, because a chunk from far away
# is mostly waited for.
bound_mb = 240
annotation = levels[10]
chunk_mb = np.prod(annotation.chunks) * annotation.dtype.itemsize / 1e6
n_at_a_time = int(bound_mb / (6 * chunk_mb))
print(f"{n_at_a_time} chunks of {chunk_mb:.2f} MB at a time, six times each:")
print(f"{6 * n_at_a_time * chunk_mb:.0f} MB at most")

# %%
# Stream the chunks
# -----------------
# Each thread fetches a chunk, counts every id in it and keeps nothing but the
# counts. A chunk that is not stored is background and arrives as zeros.
# ``tracemalloc`` tells the most that Python and numpy held at once; it slows
# the loop, so leave it out once you trust the bound.
held_mb = []
tracemalloc.start()
with ThreadPoolExecutor(n_at_a_time) as pool:
    counted = pool.map(
        lambda index: np.unique(annotation.blocks[index], return_counts=True),
        np.ndindex(annotation.cdata_shape),
    )
    for ids, n in tqdm(counted, total=annotation.nchunks, unit="chunk"):
        n_own[10].update(dict(zip(ids.tolist(), n.tolist(), strict=True)))
        held_mb.append(tracemalloc.get_traced_memory()[1] / 1e6)
tracemalloc.stop()
print(f"{n_own[10].total():,} voxels in {len(held_mb)} chunks")
print(f"measured {held_mb[-1]:.0f} MB at most")

# %%
# Draw the memory
# ---------------
# Had the chunks been kept, memory would have grown along the dashed line.
n_read = np.arange(1, len(held_mb) + 1)
fig, ax = plt.subplots(figsize=(7.2, 4), layout="constrained")
ax.plot(n_read, n_read * chunk_mb, color="#d55e00", linestyle="--")
ax.plot(n_read, held_mb, color="#0072b2")
ax.axhline(bound_mb, color="black")
at = {"x": n_read[-1] * 0.98, "ha": "right", "fontsize": 12}
ax.text(s="if every chunk were kept", y=1900, color="#d55e00", **at)
ax.text(s="bound", y=bound_mb * 1.1, **at)
ax.text(s="most held at once", y=50, color="#0072b2", **at)
ax.set(yscale="log", xlim=(0, n_read[-1]), ylim=(4, 8_000))
ax.yaxis.set_major_formatter("{x:,.0f}")
ax.set_title(f"{annotation.nbytes / 1e9:.1f} GB through {bound_mb} MB")
ax.set_xlabel("chunks read")
ax.set_ylabel("memory for voxels (MB)")
fig.alt = (
    "Memory against chunks read, on a logarithmic axis. The most that was "
    "held at once is soon level, below a line that marks the bound, while the "
    "sum of all chunks read so far climbs far above it."
)
plt.show()

# %%
# The last chunk needs no more memory than the tenth: an array twice as long
# takes twice the time, and the same memory. The packages and the figure need
# theirs besides.
#
# Add parts to their wholes
# -------------------------
# The ids are those of the finest structures. A whole is the sum of its parts,
# which the :term:`terminology` links by ``parent_identifier`` (see
# :doc:`/aws_examples/volumes/measure_structures`).
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}
structure_of = {int(row["annotation_value"]): i for i, row in rows.items()}

# %%
# An id without a row would be lost in silence, so it is reported.
mm3 = {50: Counter(), 10: Counter()}
for um, counts in n_own.items():
    for value, n in counts.items():
        i = structure_of.get(value)
        while i:
            mm3[um][rows[i]["abbreviation"]] += n * voxel_mm3[um]
            i = rows[i]["parent_identifier"]
unknown = set().union(*n_own.values()) - {0, *structure_of}
print("Ids without a row:", sorted(unknown))

# %%
# Compare with 50 µm
# ------------------
# The two counts share no chunk. If they agree on the brain, none was lost on
# the way: a lost one would be taken for background in silence.
for name in "root", "Isocortex", "CP", "RSP", "CA2", "SCH":
    change = mm3[50][name] / mm3[10][name] - 1
    print(f"{name:10} {mm3[10][name]:8.3f} mm³, at 50 µm {change:+.2%}")
differ = [n for n in mm3[10] if abs(mm3[50][n] / mm3[10][n] - 1) > 0.05]
largest = max(differ, key=mm3[10].get)
print(f"{len(differ)} of {len(mm3[10])} structures differ by more than 5 %,")
print(f"the largest of them {largest}, {mm3[10][largest]:.3f} mm³")

# %%
# Large structures do not need 10 µm: what one voxel at a border has too much
# another has too little. Small and thin ones do, and it costs time but no
# memory. Counting needs each voxel alone; what needs its neighbours too, such
# as a surface, has to read chunks that overlap.
#
# .. seealso::
#
#    :doc:`/aws_examples/volumes/compare_resolutions` says how far a level can
#    be trusted. :doc:`/aws_examples/cloud/scale_out` shares the chunks among
#    processes and computers, and :doc:`/aws_examples/cloud/read_slice` limits
#    how long a read may hang.

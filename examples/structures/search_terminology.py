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
Search the terminology
======================

Find structures by acronym, by words in the name and by the value of a voxel.

Which structures of the mouse brain have to do with movement, and what is the
number that an array holds at a given place? The terminology answers both. It
is a plain CSV file, and yet easy to read wrongly: names hold commas, and some
ids are too large for the types that programs choose by habit.
"""

# sphinx_gallery_tags = ["name", "beginner"]

import csv

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.colors import to_rgb

# %%
# Read the table
# --------------
# Each row of the :term:`terminology` describes one :term:`structure`. A CSV
# reader leaves every cell as text, which is what names and acronyms are;
# readers that guess types take an acronym such as ``NA`` for a missing value.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    lines = file.read().splitlines()
rows = list(csv.DictReader(lines))
print(f"{len(rows)} structures, each with {', '.join(rows[0])}")

# %%
# Count what a careless reader would lose
# ---------------------------------------
# ``line.split(",")`` is tempting, and works for the first rows that one tries.
# A comma within a name moves all that follows into the next column.
column = list(rows[0]).index("abbreviation")
n_wrong = sum(
    line.split(",")[column] != row["abbreviation"]
    for line, row in zip(lines[1:], rows, strict=True)
)
n_comma = sum("," in row["name"] for row in rows)
print(f"{n_comma} names hold a comma")
print(f"{n_wrong} acronyms are wrong if lines are split at commas")

# %%
# The ids deserve the same care. 16 bits end at 65,535, and a 32-bit float,
# which image software often turns labels into, counts by ones only up to 2²⁴.
ids = np.array([int(row["annotation_value"]) for row in rows])
as_float = ids.astype("float32").astype(int)
print(f"{np.sum(ids > 65_535)} ids exceed 65,535")
print(f"{np.sum(ids > 2**24)} exceed 2²⁴; the largest is {max(ids):,}")
print(f"{np.sum(as_float != ids)} ids change as float32")
print(f"{len(ids)} structures would share {len(set(as_float))} numbers")

# %%
# Search by acronym
# -----------------
# Here every :term:`acronym` is different, so it can be a key; check that of
# another atlas first. It has to match as a whole, capitals included: ``CM`` is
# a nucleus of the thalamus and ``cm`` are the cranial nerves.
by_acronym = {row["abbreviation"]: row for row in rows}
print(f"{len(by_acronym)} different acronyms")
for acronym in "RSP", "VISp", "fiber tracts":
    row = by_acronym[acronym]
    print(acronym, row["annotation_value"], row["name"], sep=" | ")

# %%
# Search by words in the name
# ---------------------------
# Capitals do not count, and neither do the borders of words: the search finds
# the oculomotor nucleus too. Layers repeat the name of their area; leaving
# them out keeps the answer short.
wanted, unwanted = "motor", "layer"
hits = [row for row in rows if wanted in row["name"].lower()]
found = [row for row in hits if unwanted not in row["name"].lower()]
print(f"{len(hits)} names with '{wanted}', {len(found)} of them not layers")

# %%
# Search by the value of a voxel
# ------------------------------
# The column ``annotation_value`` is the link to the array. An array may hold a
# value that its table lacks, and always holds 0 for background, so the lookup
# needs an answer for both.
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
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.1))
scale_mm, first_mm = steps[level][0]["scale"], steps[level][1]["translation"]

names = {int(row["annotation_value"]): row["name"] for row in rows}
names[0] = "background"
for point_mm in (4.3, 1.3, 4.2), (7.5, 2.5, 3.5), (0.0, 0.0, 0.0):
    offset = np.array(point_mm) - first_mm
    index = np.rint(offset / scale_mm).astype(int)
    value = int(group[level][tuple(index)])
    print(point_mm, "mm:", value, names.get(value, "not in the table"))

# %%
# Look at the colours
# -------------------
# Every structure has an official colour, written in hexadecimal. The acronym
# stands on its swatch in black or white, whichever can be read.
n_lines = -(-len(found) // 2)
height = 0.8 + 0.3 * n_lines
fig, ax = plt.subplots(figsize=(7.2, height), layout="constrained")
for number, row in enumerate(found):
    x, y = divmod(number, n_lines)
    rgb = to_rgb(row["color_hex_triplet"])
    ax.barh(y, 0.16, 0.86, left=x, color=rgb, edgecolor="0.3", linewidth=0.5)
    dark = np.dot(rgb, (0.299, 0.587, 0.114)) < 0.5
    ink = {"color": "white" if dark else "black", "fontsize": 8}
    ax.text(x + 0.08, y, row["abbreviation"], ha="center", va="center", **ink)
    ax.text(x + 0.18, y, row["name"], va="center", fontsize=8)
ax.set(xlim=(-0.02, 2), ylim=(n_lines - 0.4, -0.6))
ax.set_title(f"Structures with '{wanted}' in their name, in official colours")
ax.axis("off")
fig.alt = (
    "Swatches in two columns, each with an acronym on it and the structure's "
    "name beside it. Structures of the cortex are green, of the midbrain "
    "violet, of the pons orange, of the medulla pink; nerves are grey."
)
plt.show()

# %%
# The colour tells the family, from cortex to medulla, and the order is the
# table's: a word in a name gathers structures from all over the brain, which
# the hierarchy keeps apart.
#
# Check the search
# ----------------
# The lines that hold the word, found without any parsing, must be as many.
n_lines_with_word = sum(wanted in line.lower() for line in lines[1:])
print(f"{len(hits)} rows, {n_lines_with_word} lines")

# %%
# A search by words finds what the authors of the names wrote and nothing else:
# the cerebellum serves movement too, and no name of its parts says so.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/walk_hierarchy` finds what belongs to a
#    structure, whatever it is called. :doc:`/orientation` explains how a
#    position becomes an index.

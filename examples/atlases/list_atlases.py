# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "s3fs>=2025.7",
# ]
# ///
"""
List all atlases in the bucket
==============================

Which animals, how fine, how large: every atlas in one table and one figure.

Which brain atlases are in BrainGlobe's bucket, and which of them is fine
enough for a question? A small index names them all, and each has a manifest
that says what it is. Together they are read in seconds, long before any image.
"""

# sphinx_gallery_tags = ["choose", "beginner"]

import configparser
import json
from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import numpy as np
import s3fs
from matplotlib.ticker import LogLocator, NullLocator

# %%
# Read the index
# --------------
# All else in the :term:`bucket` has its version in its address and is not
# meant to change. The index is rewritten with every new atlas, so it is read
# afresh: from a cache such as pooch's it would be out of date for ever.
bucket = s3fs.S3FileSystem(anon=True)
root = "s3://brainglobe/atlas/atlases"
index = configparser.ConfigParser()
index.optionxform = str  # it would turn names into lower case
index.read_string(bucket.cat_file(f"{root}/last_versions.conf").decode())
versions = dict(index["atlases"])
print(f"{len(versions)} entries, such as:")
for entry in list(versions)[:3]:
    print(f"{entry} = {versions[entry]}")

# %%
# Take the names apart
# --------------------
# An entry is an atlas's name and its resolution. Both may hold underscores,
# hyphens and points, and only the last underscore parts them.
parts = {entry: entry.rpartition("_") for entry in versions}
n_of = Counter(name for name, _, _ in parts.values())
print(f"{len(n_of)} atlases; those with most resolutions:")
for name, n in n_of.most_common(5):
    print(f"{name}: {n}")

# %%
# Fetch the manifests
# -------------------
# A version has points in the index and underscores in the folder's name. Asked
# for in one call, the :term:`manifests <manifest>` arrive side by side, which
# for hundreds of files saves minutes. A file that is not there is news about
# the bucket, and reported; any other failure ends the program.
paths = {
    entry: f"{root}/{entry}/{version.replace('.', '_')}/manifest.json"
    for entry, version in versions.items()
}
found = bucket.cat(list(paths.values()), on_error="return")
manifests, missing = {}, []
for entry, path in paths.items():
    content = found[path.removeprefix("s3://")]
    if isinstance(content, bytes):
        manifests[entry] = json.loads(content)
    elif isinstance(content, FileNotFoundError):
        missing.append(entry)
    else:
        raise content
print(f"{len(manifests)} manifests; missing: {', '.join(missing) or 'none'}")

# %%
# Make the table
# --------------
# The resolution, in µm, and the shape follow the axes of the array. Where the
# axes differ, the atlas's name has room for one number only.
order = sorted(manifests, key=lambda entry: manifests[entry]["species"])
table = [("species", "atlas", "resolution (µm)", "shape", "version")]
for entry in order:
    manifest = manifests[entry]
    resolution = " × ".join(f"{um:g}" for um in manifest["resolution"])
    shape = " × ".join(map(str, manifest["shape"]))
    version = manifest["version"]
    table.append((manifest["species"], entry, resolution, shape, version))
widths = [max(map(len, column)) for column in zip(*table, strict=True)]
for line in table:
    print("  ".join(map(str.ljust, line, widths)).rstrip())

# %%
# Compare resolution and size
# ---------------------------
# The size is the longest side of the array, which may be larger than the
# brain within.
resolution_um = np.array([manifests[entry]["resolution"] for entry in order])
n_voxels = np.array([manifests[entry]["shape"] for entry in order])
size_mm = (n_voxels * resolution_um).max(axis=1) / 1000
finest_um, coarsest_um = resolution_um.min(axis=1), resolution_um.max(axis=1)
sizes_of = defaultdict(list)
for entry, mm in zip(order, size_mm, strict=True):
    sizes_of[manifests[entry]["species"]].append(mm)
species = sorted(sizes_of, key=lambda name: np.median(sizes_of[name]))

# %%
# Each species is named at the right, at the height of its middle size as far
# as the names leave room for one another.
bottom, top = np.log10([size_mm.min() / 2, size_mm.max() * 2])
height = [np.log10(np.median(sizes_of[name])) for name in species]
wished = (np.array(height) - bottom) / (top - bottom)
room = np.arange(len(species)) / max(22, len(species))
pushed_up = np.maximum.accumulate(wished - room) + room
pushed_down = np.minimum.accumulate((wished - room)[::-1])[::-1] + room
at = (pushed_up + pushed_down) / 2
at += max(0, -at[0]) - max(0, at[-1] - 1)

fig, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
marks = {"facecolor": "none", "edgecolor": "#0072b2"}
ax.hlines(size_mm, finest_um, coarsest_um, color="#0072b2")
ax.scatter(finest_um, size_mm, **marks)
ax.scatter(coarsest_um, size_mm, **marks)
ends_um = np.array([finest_um.min() / 2, coarsest_um.max() * 2])
for n in 10 ** np.arange(1, 6):
    ax.plot(ends_um, ends_um * n / 1000, ":", color="0.5", linewidth=0.8)
    um = max(ends_um[0], 10**bottom * 1000 / n) * 1.15
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.text(um, um * n / 1000, f"{n:,}", fontsize=7, bbox=box, clip_on=True)
pointer = {"arrowstyle": "-", "linewidth": 0.5, "relpos": (0, 0.5)}
words = {"fontsize": 8, "va": "center", "xycoords": "axes fraction"}
for name, y, y_text in zip(species, wished, at, strict=True):
    label = f"{name} ({len(sizes_of[name])})"
    ax.annotate(label, (1, y), (1.08, y_text), arrowprops=pointer, **words)
ax.set(
    title="How fine and how large the atlases are",
    xlabel="resolution (µm)",
    ylabel="longest side (mm)",
    xscale="log",
    yscale="log",
    xlim=ends_um,
    ylim=(10**bottom, 10**top),
)
for axis in ax.xaxis, ax.yaxis:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
fig.alt = (
    "Circles on two logarithmic axes: resolution across, longest side of the "
    "array upwards. Dotted diagonals join equal numbers of voxels. At the "
    "right stands the name of each species with its number of entries."
)
plt.show()

# %%
# A circle is an entry; a bar joins its finest axis to its coarsest. Along
# a dotted line the longest side has the number of voxels that is written on
# it: circles near one line hold equally much detail, however large the brain.
#
# Check the names
# ---------------
# Names and manifests were written separately. The number in a name should be
# the resolution of at least one axis, and the rest the name in the manifest.
odd = [
    entry
    for entry, manifest in manifests.items()
    if float(parts[entry][2].removesuffix("um")) not in manifest["resolution"]
    or parts[entry][0] != manifest["name"]
    or versions[entry] != manifest["version"]
]
print(f"{len(odd)} of {len(manifests)} disagree: {', '.join(odd) or 'none'}")

# %%
# The list says what exists and not how good it is. Neither the number of
# structures nor how they were drawn is in a manifest, and a name may round:
# the metadata of the array have the last word on the size of a voxel.
#
# .. seealso::
#
#    :doc:`/aws_examples/atlases/follow_manifest` goes from one name to every
#    array. The bucket is described in the `Registry of Open Data on AWS
#    <https://registry.opendata.aws/brainglobe/>`_.

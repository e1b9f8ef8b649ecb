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
Pin and cite an atlas
=====================

The exact bytes behind a number, in a small file that can be checked for ever.

A paper says "CCFv3". Which files were that? Here one structure of the Allen
mouse atlas is measured, and all that was read for it is written down: versions
and the SHA-256 of every object, for whoever wants to read the same again.
"""

# sphinx_gallery_tags = ["share", "intermediate"]

import csv
import hashlib
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pooch
import s3fs
import zarr

# %%
# Begin with a version
# --------------------
# The index of the bucket tells which version is current today. A study that
# is to be repeated writes it down, and the :term:`manifest` tells the rest.
root = "brainglobe/atlas"
bucket = s3fs.S3FileSystem(anon=True)
manifest_name = f"{root}/atlases/allen_mouse_100um/3_0/manifest.json"
manifest = json.loads(bucket.cat_file(f"s3://{manifest_name}"))
parts = [manifest["annotation_set"], manifest["terminology"]]
for part in parts:
    print(part["name"], part["version"], part["location"])

# %%
# Name every object
# -----------------
# An array is many objects: its metadata, and :term:`chunks <chunk>` whose
# names follow from its shape. The level is that of the manifest's resolution.
store = f"{root}{parts[0]['location']}/annotations_compressed.ome.zarr"
options = {"mode": "r", "zarr_format": 3, "use_consolidated": False}
anon = {"storage_options": {"anon": True, "max_concurrency": 1}}
remote = zarr.open_group(f"s3://{store}", **anon, **options)
[image] = remote.attrs["ome"]["multiscales"]
steps = {d["path"]: d["coordinateTransformations"] for d in image["datasets"]}
wanted_mm = np.array(manifest["resolution"]) / 1000
[level] = [v for v in steps if np.allclose(steps[v][0]["scale"], wanted_mm)]

# %%
# The lock holds names without ``s3://``, because they serve every address.
table = f"{root}{parts[1]['location']}/terminology.csv"
names = [manifest_name, table, f"{store}/zarr.json"]
names.append(f"{store}/{level}/zarr.json")
for index in np.ndindex(remote[level].cdata_shape):
    names.append(f"{store}/{level}/c/{'/'.join(map(str, index))}")
print(f"{len(names)} objects, {len(names) - 4} of them chunks of {level}")

# %%
# Fetch and measure
# -----------------
# What is pinned and what is measured must be the same bytes, so the array is
# opened from copies in a temporary folder. A chunk that is all background does
# not exist, a fact to pin too; any other failure ends the program.
folder = tempfile.TemporaryDirectory()
copies = Path(folder.name)
for name, content in bucket.cat(names, on_error="return").items():
    if isinstance(content, bytes):
        (copies / name).parent.mkdir(parents=True, exist_ok=True)
        (copies / name).write_bytes(content)
    elif not isinstance(content, FileNotFoundError):
        raise content

with open(copies / table, newline="", encoding="utf-8") as file:
    [row] = [r for r in csv.DictReader(file) if r["abbreviation"] == "CP"]
annotation = zarr.open_group(copies / store, **options)[level][:]
n_voxels = np.count_nonzero(annotation == int(row["annotation_value"]))
mm3 = n_voxels * wanted_mm.prod()
print(f"{row['name']}: {n_voxels:,} voxels = {mm3:.3f} mm³")

# %%
# Write the lock
# --------------
# A digest changes with any byte, and no two files are known that share one.
# In the lock ``null`` stands for an object that does not exist.


def digests(folder):
    """Return the SHA-256 of each object, or None if there is no such file."""
    files = {n: folder / n for n in names if (folder / n).exists()}
    sums = {n: hashlib.sha256(f.read_bytes()) for n, f in files.items()}
    return {n: sums[n].hexdigest() if n in sums else None for n in names}


lock = {"versions": {part["name"]: part["version"] for part in parts}}
lock["sha256"] = digests(copies)
lock_file = copies / "atlas.lock.json"
lock_file.write_text(json.dumps(lock, indent=1))
for name, digest in lock["sha256"].items():
    print(str(digest)[:16], name.removeprefix(f"{root}/"))

# %%
# Verify, and see it fail
# -----------------------
# First the copies as they are, then with one bit of one chunk turned over. A
# chunk here carries no checksum of its own, and zarr need not notice.
pinned = json.loads(lock_file.read_text())["sha256"]
print("as fetched, the copies agree:", digests(copies) == pinned)
victim = copies / [name for name in names if pinned[name]][-1]
content = bytearray(victim.read_bytes())
content[len(content) // 2] ^= 1
victim.write_bytes(content)
now = digests(copies)
changed = [name for name in names if now[name] != pinned[name]]
print("one bit later, different:", *changed)

# %%
# Look at the digests
# -------------------
# Each digest is drawn as its 32 bytes, from black to white.
fig, axes = plt.subplots(1, 2, figsize=(7.2, 4.2), layout="constrained")
titles = "in the lock", "one bit later"
for ax, title, found in zip(axes, titles, (pinned, now), strict=True):
    shown = [bytes.fromhex(found[name] or "") for name in names]
    tiles = [list(code) or [np.nan] * 32 for code in shown]
    ax.imshow(tiles, cmap="gray", aspect="auto")
    ax.set(title=title, xlabel="byte of the digest", yticks=[])
short = [name.removeprefix(f"{store}/").split("/3_0/")[-1] for name in names]
axes[0].set_yticks(range(len(names)), short)
for name in changed:
    axes[1].text(32.5, names.index(name), "≠", va="center", fontsize=14)
fig.alt = (
    "Two panels of grey tiles, a row for each object. One row, marked with an "
    "unequal sign, differs from left to right; all others are the same."
)
plt.show()

# %%
# The digest of the altered chunk has nothing in common with the one before:
# it tells that something changed, and not how much.
#
# Check by another way in
# -----------------------
# ``pooch`` takes a digest from the lock and refuses any other file. It asks
# for the table at the bucket's other address.
https = "https://brainglobe.s3.us-west-2.amazonaws.com/"
table_csv = pooch.retrieve(
    https + table.partition("/")[2],
    known_hash=f"sha256:{pinned[table]}",
    path=pooch.os_cache("brainglobe_atlases"),
)
print(f"accepted: {Path(table_csv).stat().st_size:,} bytes")

# %%
# Cite it
# -------
# The digest of the lock stands for all others. Those who drew the atlas are
# named in the manifest, and cited whatever the licence of the files.
lock_digest = hashlib.sha256(lock_file.read_bytes()).hexdigest()
folder.cleanup()
text = f"""
The structure was measured on {parts[0]["name"]} {parts[0]["version"]}
({manifest["citation"]})
as packaged by BrainGlobe (Claudi et al. 2020, doi:10.21105/joss.02668).
BrainGlobe Atlases was accessed on DATE from
https://registry.opendata.aws/brainglobe. All objects read are named in
atlas.lock.json (SHA-256 {lock_digest[:16]}…).
"""
print(text.strip())

# %%
# The Registry of Open Data lists the bucket under CC0 1.0; :doc:`/data` gives
# the terms of the atlas's own authors. A lock tells whether bytes are the same
# and cannot bring them back: keep copies of what a study rests on.
#
# .. seealso::
#
#    :doc:`/aws_examples/atlases/follow_manifest` shows what else a manifest
#    leads to; :doc:`/aws_examples/explore_atlas` pins its files by hand.

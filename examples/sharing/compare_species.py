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
Compare two species
===================

Which structures take a larger share of a rat's brain than of a mouse's.

A rat's brain is several times a mouse's, and volumes tell little else. Shares
can be compared, after two decisions that no file makes: what is the same in
the Allen mouse atlas and the Waxholm Space rat atlas, and what is the whole.
"""

# sphinx_gallery_tags = ["compare", "intermediate"]

import csv
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr

# %%
# Decide what is the same
# -----------------------
# Acronyms belong to one atlas, so these are names, with a semicolon between.
# They deceive too: the rat's cerebellum holds its white matter, the mouse's
# does not, so *arbor vitae* is added.
mouse_names = """
cerebellum: Cerebellum; arbor vitae
caudoputamen: Caudoputamen
hippocampus: Ammon's horn; Dentate gyrus
entorhinal: Entorhinal area
retrosplenial: Retrosplenial area
primary visual: Primary visual area
primary motor: Primary motor area
claustrum: Claustrum
not brain: ventricular systems"""

# %%
# The rat was drawn with some of its spinal cord and with its inner ears.
rat_names = """
cerebellum: Cerebellum, unspecified; Molecular cell layer of the cerebellum
caudoputamen: Caudate putamen
hippocampus: Cornu ammonis 1; Cornu ammonis 2; Cornu ammonis 3; Dentate gyrus
entorhinal: Medial entorhinal cortex; Lateral entorhinal cortex
retrosplenial: Retrosplenial dysgranular area; Retrosplenial granular area
primary visual: Primary visual area
primary motor: Primary motor area
claustrum: Claustrum
not brain: Ventricular system, unspecified; 4th ventricle; Central canal
not brain: Spinal cord; Cochlea; Vestibular apparatus; Spiral ganglion
not brain: Cochlear nerve; Vestibular nerve; optic nerve"""

# %%
# Look the names up
# -----------------
# To a name belong all :term:`descendants <descendant>`. A structure without a
# name would be too small: an error. What is not brain may as well be absent.
ids = {"allen_mouse": {}, "whs_sd_rat": {}}
for atlas, table in zip(ids, (mouse_names, rat_names), strict=True):
    path = pooch.retrieve(
        "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
        f"{atlas}-terminology/3_0/terminology.csv",
        known_hash=None,
        path=pooch.os_cache("brainglobe_atlases"),
    )
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for line in table.strip().splitlines():
        what, names = line.split(": ")
        for name in names.split("; "):
            family = [row for row in rows if row["name"] == name]
            assert family or what == "not brain", f"{atlas}: no {name}"
            for row in family:
                i = row["identifier"]
                family += [r for r in rows if r["parent_identifier"] == i]
                found = ids[atlas].setdefault(what, set())
                found.add(int(row["annotation_value"]))

# %%
# Open both annotations
# ---------------------
# The rat has one :term:`level`, of 39 µm; the mouse's nearest to it serves.
annotations, voxel_mm3 = [], []
for atlas in ids:
    group = zarr.open_group(
        f"s3://brainglobe/atlas/annotation-sets/{atlas}-annotation/3_0/"
        "annotations_compressed.ome.zarr",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options={"anon": True, "max_concurrency": 1},
    )
    [image] = group.attrs["ome"]["multiscales"]
    steps = image["datasets"]
    scales = {v["path"]: v["coordinateTransformations"][0] for v in steps}
    level = min(scales, key=lambda path: abs(scales[path]["scale"][0] - 0.039))
    annotations.append(group[level])
    voxel_mm3.append(np.prod(scales[level]["scale"]))

# %%
# Count every id
# --------------
# A row of :term:`chunks <chunk>` at a time is in memory.
n_voxels = []
for annotation, found in zip(annotations, ids.values(), strict=True):
    n_of = Counter()
    for index in np.ndindex(annotation.cdata_shape[:2]):
        values, n = np.unique(annotation.blocks[index], return_counts=True)
        n_of.update(dict(zip(values.tolist(), n.tolist(), strict=True)))
    del n_of[0]
    parts = [sum(n_of[i] for i in found[what]) for what in ids["allen_mouse"]]
    n_voxels.append([*parts, n_of.total()])

# %%
# Choose a whole
# --------------
# What has an id, less what is not brain; all that has an id; or the structures
# compared, so that the rest has no say.
*parts_mm3, other_mm3, all_mm3 = np.transpose(n_voxels) * voxel_mm3
wholes_mm3 = {
    "brain": all_mm3 - other_mm3,
    "all with an id": all_mm3,
    "structures compared": np.sum(parts_mm3, axis=0),
}
for whole, (mouse, rat) in wholes_mm3.items():
    print(f"{whole}: {mouse:.1f} and {rat:.1f} mm³, ratio {rat / mouse:.3f}")

# %%
# Compare the shares
# ------------------
# A ratio of shares is one of volumes, divided by that of the wholes. So
# another whole changes all of them by one factor, and not their order.
structures = [*ids["allen_mouse"]][:-1]
shares = np.array(parts_mm3) / wholes_mm3["brain"]
for name, mm3, (mouse, rat) in zip(structures, parts_mm3, shares, strict=True):
    print(f"{name:15} mouse {mm3[0]:6.2f} mm³ = {mouse:7.3%}, ", end="")
    print(f"rat {mm3[1]:6.2f} mm³ = {rat:7.3%}, ratio {rat / mouse:.2f}")

# %%
# Draw both
# ---------
order = np.argsort(shares[:, 1] / shares[:, 0])
y = [structures[i] for i in order]
fig, (left, right) = plt.subplots(
    ncols=2, figsize=(7.2, 3.6), sharey=True, layout="constrained"
)
left.hlines(y, *100 * shares[order].T, color="0.6")
left.plot(100 * shares[order, 0], y, "o", color="#0072b2", label="mouse")
left.plot(100 * shares[order, 1], y, "s", color="#d55e00", label="rat", ms=4)
for mark, (whole, mm3) in zip("ox+", wholes_mm3.items(), strict=True):
    mouse, rat = (parts_mm3 / mm3)[order].T
    right.plot(rat / mouse, y, "k" + mark, mfc="none", label=whole)
right.axvline(1, color="0.6", zorder=0)
left.set(title="Shares of the brain", xlabel="share (%)", xscale="log")
right.set(title="Rat's share over mouse's", xlabel="ratio", xlim=(0.5, 2.5))
left.legend(loc="upper right")
right.legend(title="whole", loc="lower right")
fig.alt = (
    "Left, the shares of eight structures of the brain, in close pairs of "
    "mouse and rat. Right, their ratios, which another whole hardly moves."
)
plt.show()

# %%
# In the real atlases the cerebellum and the visual cortex take more of a rat's
# brain, the caudoputamen and the motor cortex of a mouse's. The claustrum
# stands out, and is the thinnest: its borders may have been drawn otherwise.
#
# Check the sampling
# ------------------
# The sampling error of a volume is about twice the cube root of its voxels.
n = np.min(n_voxels)
print(f"At most {2 * np.cbrt(n) / n:.1%} of a volume is sampling error")

# %%
# In the real atlases no difference is so small. Whether animals differ or
# authors, who drew one rat and a mean of many mice, these shares leave open.
#
# .. seealso::
#
#    :doc:`/aws_examples/volumes/compare_resolutions` explains that error.

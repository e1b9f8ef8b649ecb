# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "pooch>=1.8",
# ]
# ///
"""
Walk the hierarchy
==================

Parents, children, descendants and depth, from one column of the table.

What contains the retrosplenial area, what does it contain, and how is the
whole brain divided? Every structure of the Allen mouse atlas but one names
its parent. That single column is the whole hierarchy; acronyms, which look
as if they could replace it, mislead for every fifth structure or so.
"""

# sphinx_gallery_tags = ["name", "beginner"]

import csv
from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import numpy as np
import pooch
from matplotlib.colors import to_rgb

# %%
# Read who is whose parent
# ------------------------
# The table also has a column of ready paths, ``root_identifier_path``. Some
# atlases fill it with paths that skip generations or end in another structure,
# so ``parent_identifier`` is the better foundation.
terminology_csv = pooch.retrieve(
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv",
    known_hash=None,
    path=pooch.os_cache("brainglobe_atlases"),
)
with open(terminology_csv, newline="", encoding="utf-8") as file:
    rows = {row["identifier"]: row for row in csv.DictReader(file)}

# %%
# Turned round, the column of parents gives each structure's children.
parent = {i: row["parent_identifier"] for i, row in rows.items()}
children = defaultdict(list)
for i, above in parent.items():
    children[above].append(i)
[root] = children[""]
print(f"At the top: {rows[root]['name']}, the parent of {len(children[root])}")

# %%
# Walk up and down
# ----------------
# Up there is one way; down there are many, so a list remembers what is still
# to visit. The structure itself counts as part of its subtree, because a
# question about the retrosplenial area is about all of it.


def lineage(i):
    """Return the ids from a structure up to the root."""
    path = [i]
    while parent[path[-1]]:
        path.append(parent[path[-1]])
    return path


def subtree(i):
    """Return a structure and its descendants, each before its own parts."""
    found, waiting = [], [i]
    while waiting:
        found.append(waiting.pop())
        waiting += reversed(children[found[-1]])
    return found


# %%
# A parent without a row, or structures that contain each other in a circle,
# would be out of the root's reach, and the walk up might never end. Downwards
# from the root there are no circles, so ask there first, and then for the
# retrosplenial area (RSP).
n_lost = len(rows) - len(subtree(root))
assert n_lost == 0, f"{n_lost} rows of the table are out of the root's reach"
acronym = {i: row["abbreviation"] for i, row in rows.items()}
[rsp] = [i for i in rows if acronym[i] == "RSP"]
print("Up:", " < ".join(acronym[i] for i in lineage(rsp)))
print("Children:", ", ".join(acronym[i] for i in children[rsp]))
print(f"Down: {len(subtree(rsp)) - 1} descendants")

# %%
# Measure the tree
# ----------------
# A leaf has no children; it is the finest name that the atlas knows. The
# depth of a structure is the number of steps from it to the root.
leaves = {i for i in rows if not children[i]}
depth = {i: len(lineage(i)) - 1 for i in rows}
n_at, n_leaves_at = Counter(depth.values()), Counter(depth[i] for i in leaves)
for d in sorted(n_at):
    print(f"depth {d}: {n_at[d]} structures, {n_leaves_at[d]} of them leaves")
print(f"{len(rows)} structures, {len(leaves)} leaves, {len(n_at)} generations")

# %%
# Leaves lie at many depths. To say "depth 6" is therefore to mix wholes with
# parts; :doc:`/aws_examples/structures/coarsen_annotation` shows a better cut.
#
# Compare with acronyms
# ---------------------
# For each structure, which others begin with its :term:`acronym`? If that
# were a substitute for the hierarchy, the two sets would agree.
parts = {i: set(subtree(i)) for i in rows}
alike = {
    i: {j for j in rows if acronym[j].startswith(acronym[i])} for i in rows
}
misled = [i for i in rows if parts[i] != alike[i]]
print(f"For {len(misled)} of {len(rows)} acronyms the sets differ:")
for name in "VISp", "TH", "P":
    [i] = [i for i in rows if acronym[i] == name]
    extra, missed = len(alike[i] - parts[i]), len(parts[i] - alike[i])
    print(f"{name}: {extra} strangers, {missed} descendants missed")

# %%
# See the whole brain
# -------------------
# Each structure is a box; its parts stand to its right and share its height.
# A leaf is one unit high, so a box says how finely a structure is divided and
# nothing about its size in the brain.
order = subtree(root)
is_leaf = np.array([i in leaves for i in order])
top = np.cumsum(is_leaf) - is_leaf
height = np.array([len(parts[i] & leaves) for i in order])
left = np.array([depth[i] for i in order])
colours = np.array([to_rgb(rows[i]["color_hex_triplet"]) for i in order])
is_dark = colours @ (0.299, 0.587, 0.114) < 0.5

# %%
# An acronym is written where its box is high enough to hold it.
line = np.where(is_leaf, 0.05, 0.4)
middle = top + height / 2
fig, ax = plt.subplots(figsize=(7.2, 7.6), layout="constrained")
boxes = {"width": 1, "align": "edge", "edgecolor": "0.35", "linewidth": line}
ax.bar(left, height, bottom=top, color=colours, **boxes)
centred = {"ha": "center", "va": "center", "fontsize": 7}
for n in np.flatnonzero(height >= len(leaves) / 55):
    ink = "white" if is_dark[n] else "black"
    ax.text(left[n] + 0.5, middle[n], acronym[order[n]], color=ink, **centred)
ax.set(
    title="The hierarchy of the atlas, from the root to the leaves",
    xlabel="depth below the root",
    ylabel="leaves, in the order of the table",
    xlim=(0, len(n_at)),
    ylim=(len(leaves), 0),
)
ax.set_xticks(np.arange(len(n_at)) + 0.5, sorted(n_at))
fig.alt = (
    "Boxes in columns, one column for each depth. The root fills the first; "
    "grey matter, fibre tracts and ventricles divide the second; further to "
    "the right the boxes split into ever thinner ones. Cortex is green, "
    "thalamus and hypothalamus red, midbrain violet, cerebellum yellow."
)
plt.show()

# %%
# The cerebral cortex takes the largest share, not for its size but because
# each area is divided into layers. White on the right is past a branch's end.
#
# Check the walk
# --------------
# In this atlas the ready paths can be compared with what was walked.
n_same = sum(
    row["root_identifier_path"] == f"[{', '.join(reversed(lineage(i)))}]"
    for i, row in rows.items()
)
print(f"{n_same} of {len(rows)} paths are the same")

# %%
# The hierarchy is the atlas authors' view of the brain. Another atlas draws
# other borders and may file the same structure under another parent.
#
# .. seealso::
#
#    :doc:`/aws_examples/structures/search_terminology` finds a structure by
#    its name. :doc:`/glossary` defines :term:`descendant` and structure.

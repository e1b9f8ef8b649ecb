"""Draw the gallery's logo from the atlas: a section and its hippocampus.

When the logo shall change, run it with the folder to write to:

    .venv/bin/python docs/_ext/atlas_launch.py \
        .venv/bin/python docs/_ext/draw_logo.py docs/_static
"""

import csv
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pooch
import zarr
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

ATLAS = "s3://brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
TABLE = (
    "https://brainglobe.s3.us-west-2.amazonaws.com/atlas/terminologies/"
    "allen_mouse-terminology/3_0/terminology.csv"
)
# Level s2 has voxels of 50 µm; in this section the hippocampal region (HIP) is
# a pair of horns that one knows again.
LEVEL, SECTION, STRUCTURE = "s2", 155, "HIP"
# In a tab it must stand out on white and on black alike.
VIOLET, PALE = "#8457b8", "#f2e9fb"
SIZE = 64
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">
<path fill="{violet}" d="{brain}"/>
<path fill="{pale}" d="{structure}"/>
</svg>
"""


def structure_ids() -> list[int]:
    """Return the ids of the structure and of all that it contains."""
    path = pooch.retrieve(TABLE, known_hash=None)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    [top] = [r["identifier"] for r in rows if r["abbreviation"] == STRUCTURE]
    return [
        int(row["annotation_value"])
        for row in rows
        if int(top) in json.loads(row["root_identifier_path"])
    ]


def smooth(mask: np.ndarray, width: int) -> np.ndarray:
    """Return a mask without the steps of its voxels."""
    window = np.hanning(width + 2)[1:-1]
    for axis in (0, 1):
        mask = np.apply_along_axis(
            np.convolve, axis, mask, window / window.sum(), "same"
        )
    return mask


def simplified(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Return a line of fewer points (Ramer, Douglas and Peucker)."""
    start, end = points[0], points[-1]
    along = end - start
    offsets = points - start
    length = np.hypot(*along)
    distances = (
        np.abs(along[0] * offsets[:, 1] - along[1] * offsets[:, 0]) / length
        if length
        else np.hypot(*offsets.T)
    )
    farthest = int(distances.argmax())
    if distances[farthest] <= tolerance:
        return np.array([start, end])
    first = simplified(points[: farthest + 1], tolerance)
    return np.vstack([first[:-1], simplified(points[farthest:], tolerance)])


def outlines(mask: np.ndarray, width: int) -> list[np.ndarray]:
    """Return the outlines of a mask, in voxels, without specks."""
    lines = plt.contour(smooth(mask.astype(float), width), [0.5])
    return [
        simplified(line, 0.4)
        for line in lines.get_paths()[0].to_polygons()
        if np.ptp(line, axis=0).min() > 8
    ]


def path_of(lines: list[np.ndarray]) -> str:
    """Return outlines as SVG writes them."""
    return "".join(
        "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in line[:-1]) + "Z"
        for line in lines
    )


def main(folder: Path) -> None:
    """Write the logo as SVG, and as PNG where SVG is not understood."""
    annotation = zarr.open_array(
        f"{ATLAS}annotations_compressed.ome.zarr/{LEVEL}",
        mode="r",
        zarr_format=3,
        storage_options={"anon": True},
    )
    # Larger by zeros all round, so that every outline is closed.
    section = np.pad(annotation[SECTION], 12)
    brain = outlines(section > 0, 7)
    structure = outlines(np.isin(section, structure_ids()), 5)
    low, high = brain[0].min(axis=0), brain[0].max(axis=0)
    scale = (SIZE - 2) / (high - low).max()

    brain, structure = (
        [(line - (low + high) / 2) * scale + SIZE / 2 for line in lines]
        for lines in (brain, structure)
    )
    (folder / "logo.svg").write_text(
        SVG.format(
            size=SIZE,
            violet=VIOLET,
            pale=PALE,
            brain=path_of(brain),
            structure=path_of(structure),
        )
    )
    figure = plt.figure(figsize=(1, 1))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, SIZE), ylim=(SIZE, 0))
    axes.axis("off")
    for lines, colour in (brain, VIOLET), (structure, PALE):
        shape = Outline.make_compound_path(*map(Outline, lines))
        axes.add_patch(PathPatch(shape, facecolor=colour, linewidth=0))
    figure.savefig(folder / "favicon.png", dpi=96, transparent=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

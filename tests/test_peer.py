"""What pages print agrees with BrainGlobe's own reader of the same atlas."""

import re
import shutil
from pathlib import Path

import pytest
from brainglobe_atlasapi import BrainGlobeAtlas
from conftest import ROOT, run_example

VOLUMES = ROOT / "examples" / "volumes"


@pytest.fixture(scope="session")
def peer(mirror, tmp_path_factory):
    """Return a function: resolution in µm -> the atlas, read by the peer."""
    folder = tmp_path_factory.mktemp("peer")

    def unread(path, names):
        """Name the voxels of fine levels, which the peer only looks up."""
        return {"c"} & set(names) if path.endswith(("/s0", "/s1")) else ()

    # The peer may write beside what it reads: it gets a copy of its own.
    shutil.copytree(
        mirror / "s3/brainglobe/atlas",
        folder / "brainglobe-atlasapi",
        ignore=unread,
    )
    return lambda um: BrainGlobeAtlas(
        f"allen_mouse_{um}um", brainglobe_dir=folder, check_latest=False
    )


def printed(stem: str, mirror: Path, cwd: Path, pattern: str) -> float:
    """Return a number that a page prints."""
    text = run_example(VOLUMES / f"{stem}.py", str(mirror), cwd)
    return float(re.search(pattern, text)[1].replace(",", ""))


@pytest.mark.parametrize(
    ("um", "acronym", "stem", "pattern"),
    [
        (100, "RSP", "compare_resolutions", r"(?m)^100 µm: ([\d,]+) ±"),
        (50, "RSP", "compare_resolutions", r"(?m)^50 µm: ([\d,]+) ±"),
        (50, "CP", "describe_shape", r"(?m)^([\d,]+) voxels ="),
    ],
)
def test_voxels(um, acronym, stem, pattern, peer, mirror, tmp_path, agree):
    mask = peer(um).get_structure_mask(acronym) > 0
    shown = printed(stem, mirror, tmp_path, pattern)
    what = f"{acronym}, {um} µm, by the peer"
    agree(stem, what, shown, mask.sum(), "voxels", "brainglobe-atlasapi")


@pytest.mark.parametrize("acronym", ["TH", "HY", "CB", "HPF"])
def test_volumes(acronym, peer, mirror, tmp_path, agree):
    """A division has the page's volume, but for the peer's 100 µm voxels."""
    mask = peer(100).get_structure_mask(acronym) > 0
    mm3 = printed(
        "measure_structures",
        mirror,
        tmp_path,
        rf"(?m)^{acronym} .* voxels +([\d.]+) mm³",
    )
    by = "brainglobe-atlasapi at 100 µm, which rounds to its own voxels"
    what = f"{acronym}, by the peer"
    other = mask.sum() / 1000
    agree("measure_structures", what, mm3, other, "mm³", by, 0.01 * mm3)

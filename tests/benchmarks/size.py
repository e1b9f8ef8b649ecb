"""Cost against size: the same atlas at 100, 50, 25 and 10 µm, on disk.

The second word of the command is the length of a voxel in micrometres.
"""

import sys
from collections.abc import Iterable

import numpy as np
import zarr
from rounds import memory_mb, run, spread, tell, timed
from structures import COUNT_CHUNKS, COUNT_ROWS, answer, prepared


def whole(names: dict) -> int:
    """One structure as before: load all, ask each voxel."""
    is_rsp = np.isin(names["annotation"][:], names["rsp_ids"])
    return int(is_rsp.sum())


def rows(names: dict) -> dict:
    """All structures as on their page: one row of chunks at a time."""
    run(COUNT_ROWS, names)
    return names["n_own"]


def chunks(names: dict) -> dict:
    """All structures as on the first page: chunk by chunk."""
    names["resolution_um"] = 1
    run(COUNT_CHUNKS, names)
    return names["n_voxels"]


VARIANTS = {"whole": whole, "rows": rows, "chunks": chunks}
BASELINE = "whole"
COMPARISONS = ["100 µm", "50 µm", "25 µm", "10 µm"]
ROUNDS = 5
TARGETS = [
    ("10 µm", variant, "memory_mb", "value", 1000)
    for variant in ("rows", "chunks")
]


def slope(voxels: Iterable[int], costs: Iterable[float]) -> float:
    """Return the exponent of a power of the size: 1 if linear, 0 if flat."""
    return float(np.polyfit(np.log(list(voxels)), np.log(list(costs)), 1)[0])


def derive(turns: dict[str, list[dict]]) -> dict:
    """Return the slopes of time and memory over all sizes measured."""
    found = {}
    if len(turns) < 2:
        return found
    for variant in VARIANTS:
        for cost in ("first_s", "memory_mb"):
            exponents = []
            for turn in zip(*turns.values(), strict=True):
                known = {
                    (100 / int(name.split()[0])) ** 3: costs[variant][cost]
                    for name, costs in zip(turns, turn, strict=True)
                    if cost in costs[variant]
                }
                exponents.append(slope(known.keys(), known.values()))
            found[f"slope of {cost}, {variant}"] = spread(exponents)
    return found


def main(variant: str, um: str, *_: str) -> None:
    """Measure a variant at a level, unless this machine has no room."""
    available = memory_mb("MemAvailable", "/proc/meminfo")
    if (variant, um) == ("whole", "10") and available < 14_000:
        # It needs two copies of the array, and some.
        tell({}, {})
        return
    names = prepared(int(um))
    names["annotation"] = zarr.open_array(names["levels"][um], mode="r")
    # So that nobody pays here for the start of zarr's threads.
    names["annotation"].blocks[0, 0, 0]
    result, seconds = timed(VARIANTS[variant], names)
    costs = {"first_s": seconds, "memory_mb": memory_mb("VmHWM")}
    tell(answer(result, names["rsp_ids"]), costs)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Dask on this computer: the gain of a second worker, and the engine's cost.

What is run are the cells of the page "Scale out with Dask", on a copy of the
level on disk. The second word is the length of a voxel in micrometres.
"""

import sys
import time

import numpy as np
import zarr
from distributed import Client, get_task_stream
from distributed.deploy.subprocess import SubprocessCluster
from rounds import cell, fetched, run, spread, tell

PAGE = "cloud/scale_out.py"
CELLS = [
    cell(PAGE, phrase)
    for phrase in ("def count_row(", "def count_on(", "local = {")
]


def loop(names: dict) -> tuple:
    """No engine: a plain loop over rows of chunks."""
    begun, count = time.perf_counter(), names["count_row"]
    counts = [count(row, names["annotation"]) for row in names["rows"]]
    total = names["add"](counts)
    return total, {"total_s": time.perf_counter() - begun}


def on_workers(names: dict, n_workers: int) -> tuple:
    """Return the sum of all rows, and the time to start and to count."""
    begun = time.perf_counter()
    local = names["local"] | {"n_workers": n_workers}
    with SubprocessCluster(**local) as cluster, Client(cluster) as client:
        client.wait_for_workers(n_workers)
        client.run(names["count_row"], names["rows"][0], names["annotation"])
        start_s = time.perf_counter() - begun
        workers = list(client.nthreads())
        total, _ = names["count_on"](client, workers)
        total_s = time.perf_counter() - begun
    costs = {"total_s": total_s, "start_s": start_s}
    return total, costs | {"count_s": total_s - start_s}


def one_worker(names: dict) -> tuple:
    """Dask with one worker, its start included in the total."""
    return on_workers(names, 1)


def two_workers(names: dict) -> tuple:
    """Dask with two workers, their start included in the total."""
    return on_workers(names, 2)


VARIANTS = {"loop": loop, "one_worker": one_worker, "two_workers": two_workers}
BASELINE = "loop"
COMPARISONS = ["25 µm", "10 µm"]
ROUNDS = 5
TARGETS = []


def derive(turns: dict[str, list[dict]]) -> dict:
    """Return how many times faster two workers count than one."""
    return {
        f"speed-up from one to two workers, {name}": spread(
            [
                turn["one_worker"]["count_s"] / turn["two_workers"]["count_s"]
                for turn in some
            ]
        )
        for name, some in turns.items()
    }


def main(variant: str, um: str, *_: str) -> None:
    """Count a level in one way."""
    annotation = zarr.open_array(fetched(int(um))["levels"][um], mode="r")
    names = {"np": np, "get_task_stream": get_task_stream}
    names |= {"annotation": annotation, "group": {"": annotation}}
    names["rows"] = list(np.ndindex(annotation.cdata_shape[:2]))
    for code in CELLS:
        run(code, names)
    (ids, counts), costs = VARIANTS[variant](names)
    tell({"ids": len(ids), "voxels": int(counts[ids > 0].sum())}, costs)


if __name__ == "__main__":
    main(*sys.argv[1:])

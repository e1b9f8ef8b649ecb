# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "distributed>=2025.7",
#     "matplotlib>=3.10",
#     "numpy>=2.2",
#     "s3fs>=2025.7",
#     "zarr>=3.1",
# ]
# ///
"""
Scale out with Dask
===================

One count, shared among processes here or computers elsewhere, and its price.

When one computer is too slow, several can share the chunks of the Allen mouse
atlas at 10 µm. Each worker reads its own from the cloud, and only counts
travel between them. Dask hands out the tasks, on this computer or on a
cluster: one line says which. Is it worth it?
"""

# sphinx_gallery_tags = ["scale", "advanced"]

import time

import matplotlib.pyplot as plt
import numpy as np
import zarr
from distributed import Client, get_task_stream
from distributed.deploy.subprocess import SubprocessCluster

# %%
# Open the level of 10 µm
# -----------------------
# The metadata tell how large the voxels of each :term:`level` are. A task will
# be one row of :term:`chunks <chunk>`, which are fetched together.
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
steps = {d["path"]: d["coordinateTransformations"] for d in image["datasets"]}
level = min(steps, key=lambda path: abs(steps[path][0]["scale"][0] - 0.01))
annotation = group[level]
rows = list(np.ndindex(annotation.cdata_shape[:2]))
print(f"{len(rows)} rows of chunks, {annotation.nbytes:,} bytes")

# %%
# Write the task, and how to add
# ------------------------------
# A task returns ids and counts. Several such results add up to one of the
# same form, so that sums can be summed again. Both are small.


def count_row(index, array):
    """Return the ids in a row of chunks, and how many voxels each has."""
    return np.unique(array.blocks[index], return_counts=True)


def add(counts):
    """Return several counts as one."""
    every_id, every_n = map(np.concatenate, zip(*counts, strict=True))
    ids, place = np.unique(every_id, return_inverse=True)
    n = np.zeros(len(ids), dtype=np.int64)
    np.add.at(n, place, every_n)
    return ids, n


ids, n = add([count_row(index, annotation) for index in rows[60:62]])
print(f"two rows: {n.sum():,} voxels in, {ids.nbytes + n.nbytes:,} bytes out")

# %%
# Count without Dask
# ------------------
# A plain loop is what the workers have to beat.
begun = time.perf_counter()
counted = {"plain loop": add([count_row(i, annotation) for i in rows])}
took_s = {"plain loop": time.perf_counter() - begun}

# %%
# Build a tree of sums
# --------------------
# Eight results are added where one of them is, then eight of those sums, until
# one is left: no place receives them all. Dask records who did what when.


def count_on(client, workers):
    """Return the sum over all rows, and the record of the tasks."""
    options = {"workers": workers, "pure": False}
    with get_task_stream(client) as stream:
        parts = client.map(count_row, rows, array=annotation, **options)
        while len(parts) > 1:
            groups = [parts[i : i + 8] for i in range(0, len(parts), 8)]
            parts = client.map(add, groups, **options)
        total = parts[0].result()
    return total, stream.data


# %%
# Choose the computers
# --------------------
# Two workers run on this computer. No other can reach them, and forgotten they
# end by themselves. To use more, change the line below that begins with
# ``with``: name a scheduler that is running, or let a SLURM queue start one.
#
# .. code-block:: python
#
#     with Client("tcp://192.0.2.7:8786") as client:
#     with SLURMCluster(**jobs) as cluster, Client(cluster) as client:
#
# There ``jobs = {"n_workers": 16, "cores": 1, "memory": "2GB"}`` asks for 16
# jobs; ``SLURMCluster`` is in the package dask-jobqueue. Workers need the
# packages of this page and a way to the cloud: they are sent no voxels.
local = {"n_workers": 2, "threads_per_worker": 1}
local |= {"worker_class": "distributed.Worker"}
local |= {"dashboard_address": "127.0.0.1:0"}
local |= {"scheduler_kwargs": {"idle_timeout": "5 minutes"}}

# %%
# Count on one worker, then on all
# --------------------------------
# First each counts one row, so that none is timed while it imports numpy.
begun, record = time.perf_counter(), {}
with SubprocessCluster(**local) as cluster, Client(cluster) as client:
    client.wait_for_workers(2)
    client.run(count_row, rows[0], annotation)
    start_s = time.perf_counter() - begun
    workers = list(client.nthreads())
    counted["one worker"], record["one worker"] = count_on(client, workers[:1])
    counted["all workers"], record["all workers"] = count_on(client, workers)
    logs = client.run(lambda dask_worker: [*dask_worker.transfer_incoming_log])
n_moved = sum(entry["total"] for log in logs.values() for entry in log)
print(f"{[len(tasks) for tasks in record.values()]} tasks")
print(f"measured {n_moved:,} bytes from worker to worker")

# %%
# Draw who worked when
# --------------------
# Each blue bar is a task. Sums are too short to be seen.
fig, ax = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
ax.barh("plain loop", took_s["plain loop"], color="#999999")
for name, tasks in record.items():
    spans = sorted(
        (workers.index(task["worker"]) + 1, span["start"], span["stop"])
        for task in tasks
        for span in task["startstops"]
    )
    worker, begin, end = np.array(spans).T
    took_s[name] = end.max() - begin.min()
    lane = [f"{name}, {number:2.0f}" for number in worker]
    left = start_s + begin - begin.min()
    ax.barh(sorted(set(lane)), start_s, color="w", ec="black", hatch="///")
    ax.barh(lane, end - begin, left=left, color="#0072b2", ec="white")
ax.text(start_s / 2, 1, "start", ha="center", va="center", backgroundcolor="w")
ax.invert_yaxis()
ax.set(title="Who counted when", xlabel="time (s)")
fig.alt = (
    "Bars over time: a plain loop without a break; after a hatched bar for "
    "the start, one worker task after task; two workers with the same tasks."
)
plt.show()

# %%
# Compare times and results
# -------------------------
# Whoever counts, the sum is the same, to the voxel.
for name, (ids, n) in counted.items():
    assert np.array_equal(counted["plain loop"], counted[name])
    mm3 = n[ids > 0].sum() * np.prod(steps[level][0]["scale"])
    print(f"{name}: {len(ids) - 1} ids, {mm3:.6f} mm³ of tissue")
    print(f"measured {took_s[name]:.1f} s")
speed_up = took_s["one worker"] / took_s["all workers"]
print(f"measured {speed_up:.2f} times the speed; {start_s:.1f} s to start")

# %%
# A job of seconds is not worth the start. Nor do workers on one computer gain
# much: they share its processors and its line to the cloud, and the plain loop
# uses both well, as it too fetches a row of chunks at a time. A cluster pays
# when work lasts minutes and each worker brings a line of its own; how much,
# the seconds of one computer do not tell.
#
# .. seealso::
#
#    :doc:`/aws_examples/cloud/bound_memory` shares the work among threads and
#    adds parts to their wholes. The `documentation of Dask
#    <https://docs.dask.org/en/stable/deploying.html>`_ lists other clusters.

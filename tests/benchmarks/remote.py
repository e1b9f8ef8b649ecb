"""Reads from a bucket that answers late, through several clients.

The bucket is the local server with a delay, in a process of its own; it counts
requests and the bytes of its answers. The second word of the command is the
delay of each answer, in milliseconds.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from rounds import LABELS, ROOT, cell, run, tell, timed

PAGE = cell("volumes/measure_structures.py", "group = zarr.open_group(")
# A coronal section through the structure RSP, the box around it (as the page
# "Read one slice from the cloud" finds it), and everything, at 25 µm.
PARTS = {
    "section": 330,
    "box": (slice(240, 420), slice(4, 104), slice(116, 340)),
    "level": ...,
}


def late_server(delay_ms: str) -> None:
    """Serve the chosen source with a delay until the reader hangs up."""
    sys.path.insert(0, str(ROOT / "docs/_ext"))
    from atlas_launch import Sources
    from atlas_server import AtlasServer
    from atlas_store import Cloud

    class LateServer(AtlasServer):
        def get(self, *what, **how) -> bytes:
            time.sleep(int(delay_ms) / 1000)
            return super().get(*what, **how)

    cache = Path(os.environ.get("ATLAS_CACHE") or ROOT / ".cache/atlas")
    chosen = os.environ.get("ATLAS_SOURCE") or "auto"
    examples = list((ROOT / "examples").rglob("*.py"))
    with LateServer(Sources(chosen, Cloud(cache), examples).store_of) as late:
        print(late.url, flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def late(delay_ms: str) -> Iterator[str]:
    """Lead s3fs and obstore to such a server; yield its address."""
    with subprocess.Popen(
        [sys.executable, __file__, "late_server", delay_ms],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        address = server.stdout.readline().strip()
        os.environ |= {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true"}
        yield address
        server.stdin.close()


def finest_of_25_um(group):
    """Return the array of the level that the page chooses."""
    [image] = group.attrs["ome"]["multiscales"]
    steps = {
        dataset["path"]: dataset["coordinateTransformations"][0]["scale"][0]
        for dataset in image["datasets"]
    }
    return group[min(steps, key=lambda path: abs(steps[path] - 0.025))]


def plain(zarr):
    """With s3fs, the shortest line: only anon."""
    options = {"anon": True}
    group = zarr.open_group(
        f"s3://{LABELS}", mode="r", storage_options=options
    )
    return finest_of_25_um(group)


def idiom(zarr):
    """With s3fs, the line of the gallery's pages."""
    names = {"zarr": zarr}
    run(PAGE, names)
    return names["annotation"]


def connections(zarr):
    """With s3fs and 64 requests at a time: two lines more."""
    zarr.config.set({"async.concurrency": 64})
    options = {"anon": True, "max_concurrency": 1}
    options["config_kwargs"] = {"max_pool_connections": 64}
    group = zarr.open_group(
        f"s3://{LABELS}",
        mode="r",
        zarr_format=3,
        use_consolidated=False,
        storage_options=options,
    )
    return finest_of_25_um(group)


def obstore(zarr):
    """With obstore, a store of its own: two lines more."""
    from obstore.store import S3Store

    bucket, _, prefix = LABELS.partition("/")
    store = S3Store(
        bucket, prefix=prefix, region="us-west-2", skip_signature=True
    )
    group = zarr.open_group(
        zarr.storage.ObjectStore(store, read_only=True),
        mode="r",
        zarr_format=3,
        use_consolidated=False,
    )
    return finest_of_25_um(group)


def obstore_connections(zarr):
    """With obstore and 64 requests at a time: three lines more."""
    zarr.config.set({"async.concurrency": 64})
    return obstore(zarr)


VARIANTS = {
    function.__name__: function
    for function in (plain, idiom, connections, obstore, obstore_connections)
}
BASELINE = "plain"
COMPARISONS = ["5 ms", "50 ms"]
ROUNDS = 5
TARGETS = [
    (delay, "idiom", cost, "ratio", 1)
    for delay in COMPARISONS
    for cost in ("section_s", "box_s", "level_s")
]


def counted(address: str, call: Callable) -> tuple[object, dict]:
    """Return what a call returns, its seconds, requests and kilobytes."""

    def turn_page() -> dict:
        url = f"{address}/-/page?name="
        with urllib.request.urlopen(url, data=b"") as answer:
            return json.load(answer)

    turn_page()
    result, seconds = timed(call)
    page = turn_page()
    costs = {"s": seconds, "requests": page["requests"]}
    return result, costs | {"kb": page["bytes"] / 1000}


def main(variant: str, delay_ms: str) -> None:
    """Open, read the parts, and tell what each of these cost."""
    with late(delay_ms) as address:
        # Not before: botocore reads the address when it is imported first.
        import s3fs  # noqa: F401
        import zarr
        import zarr.storage

        if variant.startswith("obstore"):
            import obstore.store  # noqa: F401
        answer, costs = {}, {}
        annotation, opened = counted(address, lambda: VARIANTS[variant](zarr))
        costs |= {f"open_{unit}": x for unit, x in opened.items()}
        for name, part in PARTS.items():
            voxels, read = counted(address, lambda part=part: annotation[part])
            costs |= {f"{name}_{unit}": x for unit, x in read.items()}
            answer[f"sum of the {name}"] = int(voxels.sum(dtype="u8"))
        tell(answer, costs)


if __name__ == "__main__":
    if sys.argv[1] == "late_server":
        late_server(sys.argv[2])
    else:
        main(*sys.argv[1:3])

"""Have on disk what is read there, and tell where: nothing of it is timed.

Its own process, so that the memory of those that are measured is their own.
"""

import contextlib
import itertools
import json
import math
import os
import sys
from pathlib import Path

import pooch
import s3fs
from rounds import LABELS, cell, run

BUCKET = s3fs.S3FileSystem(anon=True, max_concurrency=1)
# A folder of the run that the launcher began, or the reader's own cache.
FOLDER = os.environ.get("ATLAS_POOCH") or pooch.os_cache("brainglobe_atlases")


def described(folder: str) -> dict:
    """Return the metadata of a group or an array."""
    return json.loads(BUCKET.cat(f"{folder}/zarr.json"))


def level(um: int) -> str:
    """Return the folder of a copy of a level of the annotation."""
    target = Path(FOLDER, "levels", str(um))
    if not (target / "zarr.json").exists():
        [image] = described(LABELS)["attributes"]["ome"]["multiscales"]
        [path] = [
            dataset["path"]
            for dataset in image["datasets"]
            for scale in dataset["coordinateTransformations"][:1]
            if round(1000 * scale["scale"][0]) == um
        ]
        array = described(f"{LABELS}/{path}")
        chunks = array["chunk_grid"]["configuration"]["chunk_shape"]
        grid = [
            range(math.ceil(n / of))
            for n, of in zip(array["shape"], chunks, strict=True)
        ]
        keys = [f"c/{i}/{j}/{k}" for i, j, k in itertools.product(*grid)]
        # What says that the copy is whole comes last.
        for key in [*keys, "zarr.json"]:
            with contextlib.suppress(FileNotFoundError):
                content = BUCKET.cat(f"{LABELS}/{path}/{key}")
                (target / key).parent.mkdir(parents=True, exist_ok=True)
                (target / key).write_bytes(content)
    return str(target)


if __name__ == "__main__":
    names = {"pooch": pooch}
    run(cell("explore_atlas.py", "pooch.retrieve("), names)
    told = ("annotation_zip", "annotation_name", "structures_csv")
    where = {name: str(names[name]) for name in told}
    where["levels"] = {um: level(int(um)) for um in sys.argv[1:]}
    print(json.dumps(where))

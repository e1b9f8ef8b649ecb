"""Have on disk what is read there, and tell where: nothing of it is timed.

Its own process, so that the memory of those that are measured is their own.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pooch
import s3fs
from rounds import LABELS, cell, run

BUCKET = s3fs.S3FileSystem(anon=True, max_concurrency=1)
# A folder of the run that the launcher began, or the reader's own cache.
FOLDER = os.environ.get("ATLAS_POOCH") or pooch.os_cache("brainglobe_atlases")


def level(um: int) -> str:
    """Return the folder of a copy of a level of the annotation."""
    target = Path(FOLDER, "levels", str(um))
    if not target.exists():
        group = json.loads(BUCKET.cat(f"{LABELS}/zarr.json"))
        [image] = group["attributes"]["ome"]["multiscales"]
        [path] = [
            dataset["path"]
            for dataset in image["datasets"]
            for scale in dataset["coordinateTransformations"][:1]
            if round(1000 * scale["scale"][0]) == um
        ]
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        BUCKET.get(f"{LABELS}/{path}", str(partial), recursive=True)
        partial.rename(target)
    return str(target)


if __name__ == "__main__":
    names = {"pooch": pooch}
    run(cell("explore_atlas.py", "pooch.retrieve("), names)
    told = ("annotation_zip", "annotation_name", "structures_csv")
    where = {name: str(names[name]) for name in told}
    where["levels"] = {um: level(int(um)) for um in sys.argv[1:]}
    print(json.dumps(where))

"""Discard the generated gallery when its results may no longer hold.

Sphinx-Gallery runs an example again when its text changes. Its results also
depend on the source of the data, on the packages and on the build itself, and
a renamed example leaves its old page behind. A key of all that stands beside
the generated gallery; when it differs, everything generated is discarded.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError


def build_key(docs: Path) -> str:
    """Return a digest of what the results depend on, but the examples."""
    digest = hashlib.sha256(os.environ["ATLAS_SOURCES"].encode())
    digest.update(repr(sys.version_info[:2]).encode())
    files = [docs.parent / "requirements.lock", docs / "conf.py"]
    files += sorted(p for p in (docs / "_ext").rglob("*") if p.is_file())
    for path in files:
        if "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def discard_if_stale(app: Sphinx, config) -> None:
    """Empty the gallery and the output unless the key fits."""
    if "ATLAS_SOURCES" not in os.environ:
        raise ExtensionError(
            "The examples have no source of data. Build with `make html`."
        )
    docs = Path(app.confdir)
    conf = config.sphinx_gallery_conf
    gallery = docs / conf["gallery_dirs"][0]
    examples = (docs / conf["examples_dirs"][0]).resolve()
    stamp = gallery / "build_key.json"
    key = {
        "key": build_key(docs),
        "examples": sorted(
            str(path.relative_to(examples)) for path in examples.rglob("*.py")
        ),
    }
    old = json.loads(stamp.read_text()) if stamp.exists() else {}
    gone = set(old.get("examples", ())) - set(key["examples"])
    if old.get("key") != key["key"] or gone:
        for folder in (gallery, Path(app.outdir), Path(app.doctreedir)):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
    if old != key:
        stamp.write_text(json.dumps(key, indent=1))


def setup(app: Sphinx) -> dict:
    """Look before anything is generated or read."""
    app.connect("config-inited", discard_if_stale, priority=900)
    return {"parallel_read_safe": True}

"""What happens around each example: order, counting, figures, failures."""

import ctypes
import gc
import json
import os
import re
import shutil
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib.pyplot as plt
from sphinx.application import Sphinx
from sphinx_gallery import backreferences
from sphinx_gallery.scrapers import matplotlib_scraper

_order: list[str] = []
_started = {}
# Linux tells, for each process, the most memory that it used since asked to
# forget. Elsewhere the card does not say.
PROCESS = Path("/proc/self")

# Sphinx-Gallery hides a card's link text, and shows its sentence only while a
# mouse is over it. Here `gallery_find` makes the card.
CARD = """
.. gallery-card:: {doc_name}
   :picture: /{thumbnail}

   {intro}

"""


class LearningOrder:
    """Sort the examples of a section by the list ``gallery_order``."""

    def __init__(self, src_dir: str):
        self._section = Path(src_dir).name

    def __call__(self, fname: str) -> int:
        """Return the place of an example.

        Raises
        ------
        ValueError
            The list does not name it. The build stops.
        """
        stem = Path(fname).stem
        if stem not in _order:
            raise ValueError(
                f"{self._section}/{fname} has no place in the gallery: add "
                f'"{stem}" to gallery_order in docs/conf.py.'
            )
        return _order.index(stem)


def set_order(app: Sphinx, config) -> None:
    """Remember the order; the sort key is given no configuration."""
    _order[:] = config.gallery_order


def turn_server_to(name: str) -> dict:
    """Make the server count for another page; return the last one's reads."""
    query = urllib.parse.urlencode({"name": name})
    url = f"{os.environ['ATLAS_SERVER']}/-/page?{query}"
    with urllib.request.urlopen(url, data=b"") as answer:
        return json.load(answer)


def levels_of(objects: list[str]) -> dict[str, dict[str, str]]:
    """Return the resolution, in words, of the levels of the arrays read."""
    found = {}
    for name in objects:
        if name.startswith("s3/") and name.endswith(".zarr/zarr.json"):
            url = f"{os.environ['ATLAS_SERVER']}/{name[3:]}"
            with urllib.request.urlopen(url) as answer:
                attributes = json.load(answer)["attributes"]
            [image] = attributes["ome"]["multiscales"]
            found[name.removesuffix("/zarr.json")] = {
                dataset["path"]: " × ".join(
                    f"{mm * 1000:g}"
                    for mm in sorted(
                        set(dataset["coordinateTransformations"][0]["scale"][-3:])
                    )
                ) + " µm"
                for dataset in image["datasets"]
            }  # fmt: skip
    return found


def paths_of(gallery_conf: dict, fname: str) -> tuple[Path, Path]:
    """Return an example, and its generated file without its suffix."""
    source = Path(gallery_conf["src_dir"])
    examples = (source / gallery_conf["examples_dirs"][0]).resolve()
    [example] = examples.rglob(Path(fname).name)
    gallery = (source / gallery_conf["gallery_dirs"][0]).resolve()
    return example, gallery / example.relative_to(examples).with_suffix("")


def move_written(old: set[Path], example: Path, target: Path) -> None:
    """Keep the folder of the examples clean: they run in it.

    A new file that the example names goes beside its generated page, in place
    of what it wrote there before.
    """
    text = example.read_text()
    for path in set(example.parent.iterdir()) - old:
        if f"``{path.name}``" in text:
            there = target.parent / path.name
            if there.is_dir():
                shutil.rmtree(there)
            shutil.move(path, there)


def memory(line: str) -> int:
    """Return a line of the kernel's account of this process, in bytes."""
    return 1024 * int(
        re.search(rf"{line}:\s+(\d+) kB", (PROCESS / "status").read_text())[1]
    )


def page(gallery_conf: dict, fname: str, when: str) -> None:
    """Count what one example reads, and begin each with an empty cache."""
    example, target = paths_of(gallery_conf, fname)
    if when == "before":
        shutil.rmtree(os.environ["ATLAS_POOCH"], ignore_errors=True)
        examples = Path(gallery_conf["examples_dirs"][0]).name
        gallery = gallery_conf["gallery_dirs"][0]
        relative = str(target).rpartition(f"/{gallery}/")[2]
        turn_server_to(f"{examples}/{relative}.py")
        used = None
        if (PROCESS / "clear_refs").exists():
            gc.collect()
            # What a page freed is given back, or the next one takes it unseen.
            if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
                trim(0)
            used = memory("VmRSS")
            (PROCESS / "clear_refs").write_text("5")
        files = set(example.parent.iterdir())
        _started[fname] = time.perf_counter(), used, files
    else:
        started, used, files = _started.pop(fname)
        move_written(files, example, target)
        reads = turn_server_to("")
        reads["seconds"] = time.perf_counter() - started
        if used is not None:
            reads["memory"] = max(0, memory("VmHWM") - used)
        reads["levels"] = levels_of(reads["objects"])
        reads["date"] = time.strftime("%Y-%m-%d", time.gmtime())
        target.with_suffix(".reads.json").write_text(json.dumps(reads))


def figures(block, block_vars, gallery_conf, **options) -> str:
    """Save figures as Sphinx-Gallery does, with the alt text of ``fig.alt``.

    Raises
    ------
    ValueError
        A figure has none. The build stops.
    """
    alts = [getattr(plt.figure(n), "alt", "") for n in plt.get_fignums()]
    if not all(alts):
        example = Path(block_vars["src_file"]).name
        raise ValueError(
            f"{example}: a figure has no alt text. Say in words what it "
            'shows: fig.alt = "…" before plt.show().'
        )
    rst = matplotlib_scraper(block, block_vars, gallery_conf, **options)
    remaining = iter(alts)
    return re.sub(
        r"(:alt: ?).*", lambda m: m[1] + " ".join(next(remaining).split()), rst
    )


def drop_failed_pages(app: Sphinx, exception: Exception | None) -> None:
    """Leave no page that shows a traceback where its results should be."""
    conf = app.config.sphinx_gallery_conf
    for example in conf["failing_examples"]:
        _, target = paths_of(conf, example)
        # Its digest too, or an undone change would find the failure current.
        for path in target.parent.glob(f"{target.name}.*"):
            path.unlink()
        page = Path(app.outdir) / target.relative_to(app.srcdir)
        page.with_suffix(".html").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    """Keep progress bars off the pages and watch for failures."""
    # tqdm reads this when it is imported, and an example may be the first to.
    os.environ["TQDM_DISABLE"] = "1"
    backreferences.THUMBNAIL_TEMPLATE = CARD
    app.add_config_value("gallery_order", [], "html", types=[list])
    app.connect("config-inited", set_order)
    app.connect("build-finished", drop_failed_pages, priority=100)
    return {"parallel_read_safe": True}

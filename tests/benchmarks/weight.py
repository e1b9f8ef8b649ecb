"""What a reader's first view of a page brings, against the stock theme.

The stock site has the same programs and results, built by Sphinx-Gallery with
the same theme and no more settings than it needs. Text is zipped, as hosts do.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright
from rounds import ROOT, tell

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs/_ext")]
from test_light import Host, first_view  # noqa: E402

STOCK = """
project = "Stock"
extensions = ["sphinx_gallery.gen_gallery", "sphinx_design"]
html_theme = "pydata_sphinx_theme"
sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["aws_examples"],
    "filename_pattern": r"\\.py$",
}
"""
PAGES = {
    "home": "index.html",
    "index": "aws_examples/index.html",
    "example": "aws_examples/explore_atlas.html",
}


def ours(folder: Path) -> Path:
    """Build this site, if it is not built."""
    subprocess.run(["make", "html"], cwd=ROOT, stdout=2, check=True)
    return ROOT / "docs/_build/html"


def stock(folder: Path) -> Path:
    """Build the stock theme, with the same pages and pictures."""
    ours(folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    # With the digests of the programs, so that none is run again.
    shutil.copytree(ROOT / "docs/aws_examples", folder / "docs/aws_examples")
    shutil.copy(ROOT / "docs/index.rst", folder / "docs")
    (folder / "docs/conf.py").write_text(STOCK)
    sphinx = [sys.executable, "-m", "sphinx", "-Q"]
    subprocess.run([*sphinx, folder / "docs", folder / "site"], check=True)
    return folder / "site"


VARIANTS = {"stock": stock, "ours": ours}
BASELINE = "stock"
COMPARISONS = [""]
# Nothing is timed: every round gives the same.
ROUNDS = 1
TARGETS = [
    ("", "ours", "home_kb", "value", 250),
    ("", "ours", "index_kb", "value", 250),
    ("", "ours", "example_without_figures_kb", "value", 125),
]


def weigh(site: Path) -> dict[str, float]:
    """Return the requests and kilobytes of each page's first view."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=site))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    costs = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        for name, page in PAGES.items():
            url = f"http://127.0.0.1:{host.server_port}/{page}"
            received = first_view(browser, url)
            costs[f"{name}_requests"] = len(received)
            costs[f"{name}_kb"] = sum(received.values()) / 1000
    costs["example_without_figures_kb"] = (
        sum(n for u, n in received.items() if "/_images/" not in u) / 1000
    )
    host.shutdown()
    return costs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tell({}, weigh(VARIANTS[sys.argv[1]](Path(folder))))

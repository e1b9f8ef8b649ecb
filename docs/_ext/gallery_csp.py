"""Tell the browser to run and load only what the site itself ships.

A host of static pages sends no headers of ours, so the policy stands in each
page, before anything that it governs. The few scripts that the theme writes
into a page are named by their digests; whatever else somebody might get into
the page does not run.
"""

import base64
import hashlib
import re
from pathlib import Path

from sphinx.application import Sphinx

POLICY = (
    "default-src 'self'; img-src 'self' data:; script-src 'self'{scripts}; "
    # Sphinx gives columns their width by attributes.
    "style-src 'self'{styles}; style-src-attr 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'"
)
META = '\n    <meta http-equiv="Content-Security-Policy" content="{}" />'


def digests(html: str, tag: str) -> str:
    """Return the digests of what a page holds between some tags."""
    found = re.findall(rf"(?s)<{tag}(?![^>]*\bsrc=)[^>]*>(.*?)</{tag}>", html)
    return "".join(
        f" 'sha256-{base64.b64encode(digest).decode()}'"
        for digest in sorted(
            {hashlib.sha256(text.encode()).digest() for text in found}
        )
    )


def protect(app: Sphinx, exception: Exception | None) -> None:
    """Write the policy into each page, once it is what readers get."""
    if exception or app.builder.format != "html":
        return
    if not app.config.gallery_csp:
        return
    site = Path(app.outdir)
    for path in site.rglob("*.html"):
        html = path.read_text()
        if site / "_static" in path.parents or META[:40] in html:
            continue
        policy = POLICY.format(
            scripts=digests(html, "script"), styles=digests(html, "style")
        )
        opening = re.compile(r"<head>\s*(?:<meta charset=[^>]*>)?")
        path.write_text(opening.sub(rf"\g<0>{META.format(policy)}", html, 1))


def setup(app: Sphinx) -> dict:
    """Work on the finished pages, after everybody else."""
    # `make live` puts a script of its own into the pages that it shows.
    app.add_config_value("gallery_csp", True, "html", types=[bool])
    app.connect("build-finished", protect, priority=900)
    return {"parallel_read_safe": True}

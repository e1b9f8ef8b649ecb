"""Write down what the site was made from, and let nothing else be published.

A build leaves two records in the site:

``_data.sha256``
    Every object that a page read, and its digest, as ``sha256sum`` lists them.
``_version.json``
    The commit and whether the files differ from it, the date, the digests of
    the lock of the data (the list above) and of that of the packages, and the
    source of every page: ``cloud``, ``mirror``, ``stand-in``, ``none`` for a
    page that reads nothing, ``not run`` for an example without results.

    python docs/_ext/gallery_version.py SITE

refuses a site unless all of it was made from the cloud and from one commit. A
site that it accepts is sealed: ``SHA256SUMS`` lists every file.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from atlas_store import sha256
from gallery_card import BANNER, SOURCES, reads_of
from sphinx.application import Sphinx

VERSION = "_version.json"
DATA = "_data.sha256"
SEAL = "SHA256SUMS"
PUBLISHED = ("cloud", "none")


def commit_of(root: Path) -> tuple[str, bool | None]:
    """Return the commit, and whether the files differ from it, if known."""

    def git(*words: str) -> str | None:
        done = subprocess.run(
            ["git", "-C", root, *words], capture_output=True, text=True
        )
        return None if done.returncode else done.stdout.strip()

    # A copy inside another repository is not of its commit.
    if not (root / ".git").exists() or not shutil.which("git"):
        return os.environ.get("GITHUB_SHA", "unknown"), None
    commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return commit or "unknown", None if changed is None else bool(changed)


def objects_of(app: Sphinx, page: str) -> dict | None:
    """Return what a page read, or None for an example that was not run."""
    if reads := reads_of(app, page):
        return reads["objects"]
    if Path(app.srcdir, f"{page}.py").exists():
        return None
    return app.env.metadata.get(page, {}).get("objects", {})


def source_of(objects: dict | None) -> str:
    """Return the source of a page in a word or two."""
    if objects is None:
        return "not run"
    return " and ".join(sorted({o["source"] for o in objects.values()})) or (
        "none"
    )


def write_version(app: Sphinx, exception: Exception | None) -> None:
    """Write both records; what was accepted before is no longer sealed."""
    if app.builder.format != "html":
        return
    out, root = Path(app.outdir), Path(app.confdir).parent
    for name in (VERSION, DATA, SEAL):
        (out / name).unlink(missing_ok=True)
    if exception:
        return
    # Moved pages and the search have no document of their own.
    pages = {*app.env.found_docs, *app.config.redirects, "search"}
    objects = {page: objects_of(app, page) for page in sorted(pages)}
    rows = {
        f"{read['sha256']}  {name}\n"
        for found in objects.values()
        for name, read in (found or {}).items()
    }
    data = "".join(sorted(rows, key=lambda row: row.split()[::-1])).encode()
    (out / DATA).write_bytes(data)
    commit, dirty = commit_of(root)
    version = {
        "repository": app.config.gallery_repository or "unknown",
        "commit": commit,
        "dirty": dirty,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "data_lock": sha256(data),
        "dependency_lock": sha256((root / "requirements.lock").read_bytes()),
        "pages": {page: source_of(found) for page, found in objects.items()},
    }
    (out / VERSION).write_text(json.dumps(version, indent=1) + "\n")


def told(html: str) -> set[str]:
    """Return the sources that a page itself tells its reader of."""
    banner, _, _ = BANNER.partition("</strong>")
    found = {"stand-in"} if banner in html else set()
    # The row of the card; prose may speak of mirrors.
    for row in re.findall(r">From<.*?<p>(.*?)</p>", html, re.DOTALL):
        found |= {name for name, words in SOURCES.items() if words in row}
    return found


def problems(site: Path) -> list[str]:
    """Return why a site may not be published; nothing if it may."""
    try:
        version = json.loads((site / VERSION).read_text())
        pages = dict(version["pages"])
        commit, dirty = version["commit"], version["dirty"]
        data_lock = version["data_lock"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return [f"{VERSION} cannot be read: {problem!r}. Run make html."]
    found = []
    if not re.fullmatch("[0-9a-f]{40}", str(commit)):
        found.append(f"its commit is {commit}")
    if dirty is not False:
        found.append(
            "files differ from the commit"
            if dirty
            else "whether files differ from the commit is not known"
        )
    data = site / DATA
    if not data.is_file() or sha256(data.read_bytes()) != data_lock:
        found.append(f"{DATA} is not the list that {VERSION} names")
    for page, source in pages.items():
        if source not in PUBLISHED:
            found.append(f"{page}: {source}")
    return found + unrecorded(site, pages)


def unrecorded(site: Path, pages: dict[str, str]) -> list[str]:
    """Return what the pages say that the record does not, and the reverse."""
    found = []
    built = {
        str(path.relative_to(site).with_suffix("")): path
        for path in site.rglob("*.html")
        if site / "_static" not in path.parents
    }
    for page in sorted(pages.keys() - built.keys()):
        found.append(f"{page}: recorded, but not in the site")
    for page, path in sorted(built.items()):
        if page not in pages:
            found.append(f"{page}: in the site, but not in {VERSION}")
        elif more := told(path.read_text()) - {"cloud", *pages[page].split()}:
            found.append(f"{page}: shows {' and '.join(sorted(more))}")
    return found


def seal(site: Path) -> None:
    """List every file that readers get, as ``sha256sum`` does."""
    files = [
        path
        for path in sorted(site.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    rows = [
        f"{sha256(path.read_bytes())}  {path.relative_to(site)}\n"
        for path in files
        if path != site / SEAL
    ]
    (site / SEAL).write_text("".join(rows))


def main(site: Path) -> int:
    """Seal a site, or say why not; return the exit status."""
    (site / SEAL).unlink(missing_ok=True)
    if found := problems(site):
        print(f"{site} may not be published:", file=sys.stderr)
        print(*(f"  {line}" for line in found), sep="\n", file=sys.stderr)
        return 1
    seal(site)
    print(f"{site} may be published: {SEAL} lists its files")
    return 0


def setup(app: Sphinx) -> dict:
    """Write when everybody else has."""
    app.connect("build-finished", write_version, priority=999)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:])))

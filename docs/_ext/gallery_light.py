"""Send a reader no more than a page uses.

The theme and the extensions put the same files on every page, whether it uses
them or not: half of what a first view would weigh. What is done here is done
to the pages as they are published, so it holds whichever extension wrote them.
"""

import re
from io import BytesIO
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image
from sphinx.application import Sphinx

THEME = Path(pydata_sphinx_theme.__file__).parent
FONTS = "vendor/fontawesome/webfonts/*.woff2"
# The font draws the icons. Nothing here opens as a Bootstrap menu or tooltip.
UNUSED = ["fontawesome.js", "bootstrap.js", "sg-tags.js"]
UNUSED += [f"sg_gallery-{part}.css" for part in ("binder", "dataframe")]
UNUSED += ["sg_gallery-rendered-html.css"]
# search.js fetches these when somebody begins to search.
SEARCH = ["searchtools.js", "language_data.js", "searchindex.js"]
DESIGN = ["sphinx-design.min.css", "design-tabs.js"]
# A name of an icon, its character, and the characters that a style holds.
ICON = re.compile(r"\bfa-[\w-]+")
GLYPH = re.compile(r'((?:\.fa-[\w-]+,?)+)\{--fa:"(.+?)"\}')
PRIVATE = re.compile("[\ue000-\uf8ff]")
THUMBNAIL = (320, 224)
# A browser on a slow line fetches all of the index at once: 30 of these.
QUALITY = 45


def without(html: str, names: list[str]) -> str:
    """Return a page that does not ask for some files."""
    files = "|".join(map(re.escape, names))
    return re.sub(
        rf'<(?:script|link)\b[^>]*?(?:src|href)="[^"]*?\b(?:{files})\b[^"]*"'
        r"[^>]*>(?:</script>)?\s*",
        "",
        html,
    )


def sized(html: str, folder: Path) -> str:
    """Return a page whose pictures say their size and wait to be seen."""
    seen = 0

    def add(match: re.Match) -> str:
        nonlocal seen
        tag, source = match[0], match[1]
        path = folder / source
        if not path.is_file() or path.suffix not in (".png", ".webp"):
            return tag
        seen += 1
        if ' width="' not in tag:
            with Image.open(path) as image:
                width, height = image.size
            tag = f'{tag[:4]} width="{width}" height="{height}"{tag[4:]}'
        # The first may be in view from the beginning.
        if seen > 1 and ' loading="' not in tag:
            tag = f'{tag[:4]} loading="lazy"{tag[4:]}'
        return tag

    return re.sub(r'<img\b[^>]*?\bsrc="([^"]+)"[^>]*>', add, html)


def shrink_thumbnails(folder: Path) -> None:
    """Write each card's picture as small as it is shown."""
    for path in folder.glob("*_thumb.png"):
        small = path.with_suffix(".webp")
        if not small.exists() or small.stat().st_mtime < path.stat().st_mtime:
            with Image.open(path) as image:
                image = image.convert("RGB").resize(THUMBNAIL)
                image.save(small, quality=QUALITY, method=6)


def keep_glyphs(static: Path, used: set[str]) -> None:
    """Leave in the icon fonts what the pages, scripts and styles draw."""
    style = (THEME / "theme/pydata_sphinx_theme/static/styles").glob("*.css")
    css = "".join(path.read_text() for path in style)
    characters = set(PRIVATE.findall(GLYPH.sub("", css)))
    for names, code in GLYPH.findall(css):
        if used & set(names.replace(".", "").split(",")):
            hexadecimal = re.fullmatch(r"\\([0-9a-f]+) ?", code)
            characters.add(
                chr(int(hexadecimal[1], 16)) if hexadecimal else code
            )
    for path in static.glob(FONTS):
        # The built copy may have been cut by an earlier build.
        whole = THEME / "theme/pydata_sphinx_theme/static"
        font = TTFont(whole / path.relative_to(static))
        options = subset.Options(layout_features=[], flavor="woff2")
        cutter = subset.Subsetter(options)
        cutter.populate(text="".join(characters))
        cutter.subset(font)
        content = BytesIO()
        font.flavor = "woff2"
        font.save(content)
        path.write_bytes(content.getvalue())


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Go through what was built."""
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    static = site / "_static"
    for path in static.rglob("*.map"):
        path.unlink()
    shrink_thumbnails(site / "_images")
    icons = set()
    for path in sorted(site.rglob("*.html")):
        if static in path.parents:
            continue
        html = whole = path.read_text()
        names = UNUSED + ([] if path.name == "search.html" else SEARCH)
        names = names + ([] if 'class="sd-' in html else DESIGN)
        html = without(html, names).replace("_thumb.png", "_thumb.webp")
        html = sized(html, path.parent)
        if html != whole:
            path.write_text(html)
        icons.update(ICON.findall(html))
    for path in static.rglob("*.js"):
        icons.update(ICON.findall(path.read_text()))
    keep_glyphs(static, icons)


def setup(app: Sphinx) -> dict:
    """Work on the finished pages."""
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True}

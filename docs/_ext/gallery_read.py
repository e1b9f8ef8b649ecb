"""Make an example's page easier to read than Sphinx-Gallery writes it.

A figure carries its size, so that nothing moves when it arrives, and is a
link to itself at twice the resolution, which ``_static/enlarge.js`` shows
over the page. The paragraph after a figure is its caption. A long output
scrolls inside, by keyboard too. The last paragraph, which says what a page
does not tell, has the heading "Limits".
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size
from sphinx_gallery.directives import imgsgnode, visit_imgsg_html

MOST_LINES = 20  # of an output that is shown whole
FIGURE = (
    '<a class="atlas-enlarge" href="{large}"><img src="{uri}" '
    'srcset="{srcset}" alt="{alt}" class="{classes}" width="{width}" '
    'height="{height}" loading="lazy"><span>Enlarge</span></a>'
)
FIRST = (
    '<a class="atlas-first" href="#figure-1"><img src="{uri}" '
    'alt="To the figure" width="{width}" height="{height}"></a>'
)
LONG = (
    '<div class="atlas-long" role="region" tabindex="0" '
    'aria-label="Output: {step}">'
)


def name_limits(doctree: nodes.document) -> None:
    """Put the page's last paragraph, and what follows, below a heading."""
    *_, last = [None, *doctree.findall(addnodes.seealso)]
    if not last:
        return
    step = last.parent
    begin = step.index(last)
    if isinstance(step[begin - 1], nodes.paragraph):
        begin -= 1
    title = nodes.title("", "Limits")
    section = nodes.section("", title, *step[begin:], ids=["limits"])
    del step[begin:]
    next(doctree.findall(nodes.section)).append(section)


def is_output(node: nodes.Node) -> bool:
    """Say whether a node is what a cell printed."""
    return (
        isinstance(node, nodes.literal_block)
        and "sphx-glr-script-out" in node["classes"]
    )


def caption_figures(doctree: nodes.document) -> None:
    """Make figures of pictures, with the paragraph that follows."""
    for number, picture in enumerate(list(doctree.findall(imgsgnode)), 1):
        place = picture.parent
        figure = nodes.figure(
            "", classes=["atlas-figure"], ids=[f"figure-{number}"]
        )
        place.replace(picture, figure)
        figure += picture
        at = place.index(figure)
        # What the cell printed comes between: it belongs to the code above.
        while at + 1 < len(place) and is_output(place[at + 1]):
            place.insert(at, place.pop(at + 1))
            at += 1
        following = (
            n for n in place[at + 1 :] if not isinstance(n, nodes.comment)
        )
        text = next(following, None)
        if isinstance(text, nodes.paragraph):
            place.remove(text)
            figure += nodes.caption("", "", *text.children)


def show_first(app: Sphinx, doctree: nodes.document) -> None:
    """Let the page begin with a small copy of its figure, linked to it."""
    docname = app.env.docname
    name = f"sphx_glr_{Path(docname).name}_thumb.png"
    page = Path(app.env.doc2path(docname))
    size = get_image_size(page.parent / "images" / "thumb" / name)
    if size and any(doctree.findall(imgsgnode)):
        # The index has it too, and brings it to the folder of pictures.
        uri = "../" * docname.count("/") + f"_images/{name}"
        html = FIRST.format(uri=uri, width=size[0], height=size[1])
        section = next(doctree.findall(nodes.section))
        section.insert(1, nodes.raw("", html, format="html"))


def scroll_outputs(doctree: nodes.document) -> None:
    """Let long outputs scroll inside a box with a name."""
    for output in list(filter(is_output, doctree.findall())):
        if len(output.astext().splitlines()) > MOST_LINES:
            begin = LONG.format(step=escape(output.parent[0].astext()))
            place = output.parent
            at = place.index(output)
            place.insert(at, nodes.raw("", begin, format="html"))
            place.insert(at + 2, nodes.raw("", "</div>", format="html"))


def arrange(app: Sphinx, doctree: nodes.document) -> None:
    """Arrange the page of an example."""
    program = Path(app.srcdir, app.env.docname).with_suffix(".py")
    if program.exists():
        name_limits(doctree)
        caption_figures(doctree)
        show_first(app, doctree)
        scroll_outputs(doctree)


def visit_figure(self, node: imgsgnode) -> None:
    """Write a figure with its size, as a link to a larger one."""
    visit_imgsg_html(self, node)
    written = self.body.pop()
    uri, srcset = re.search(r'src="(.*?)" srcset="(.*?)"', written).groups()
    path = Path(self.builder.srcdir, node["uri"].lstrip("/"))
    width, height = get_image_size(path)
    self.body.append(
        FIGURE.format(
            uri=uri,
            srcset=srcset,
            large=srcset.split()[-2],
            alt=escape(node["alt"]),
            classes=" ".join(node["class"]),
            width=width,
            height=height,
        )
    )


def depart_figure(self, node: imgsgnode) -> None:
    """Do nothing: all is written."""


def add_script(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Load the script where there is something to enlarge."""
    if 'class="atlas-enlarge"' in context.get("body", ""):
        app.add_js_file("enlarge.js", loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Act before others append to a page."""
    app.add_node(imgsgnode, override=True, html=(visit_figure, depart_figure))
    app.connect("doctree-read", arrange, priority=380)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True}

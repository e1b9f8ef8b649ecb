"""Find where the site and its repository are, and tell what follows from it.

The address is written down nowhere: a build asks the environment or the git
remote, and leaves out what needs an address that it does not know.
"""

import html
import os
import re
import shutil
import subprocess
from pathlib import Path

from docutils import nodes
from gallery_text import first_paragraph
from sphinx.application import Sphinx
from sphinx_gallery.directives import imgsgnode

# These speak in absolute addresses only.
PUBLISHED = ("sphinx_sitemap", "sphinxext.opengraph", "notfound.extension")
SETTINGS = {
    "ogp_image": "_static/page.png",
    "ogp_image_alt": "A page of the gallery",
    "ogp_custom_meta_tags": [
        '<meta name="twitter:card" content="summary_large_image" />'
    ],
    "sitemap_url_scheme": "{link}",
    "sitemap_excludes": ["404.html", "genindex.html", "search.html"],
}


def find_repository(root: Path) -> str:
    """Return OWNER/NAME on GitHub, or nothing if it cannot be known.

    An empty ``SITE_URL`` asks for a build that knows no address at all.
    """
    if os.environ.get("SITE_URL") == "":
        return ""
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return name
    if not (root / ".git").exists() or not shutil.which("git"):
        return ""
    remote = subprocess.run(
        ["git", "-C", root, "remote", "get-url", "origin"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?/?$", remote)
    return found[1] if found else ""


def find_site(repository: str) -> str:
    """Return the address of the site, with a slash at its end, or nothing."""
    site = os.environ.get("SITE_URL", "")
    if not site and repository:
        owner, name = repository.lower(), repository.split("/")[1]
        host = f"{owner.split('/')[0]}.github.io"
        site = f"https://{host}/" + ("" if name.lower() == host else name)
    return site.rstrip("/") + "/" if site else ""


def set_addresses(app: Sphinx, config) -> None:
    """Tell Sphinx and the extensions that ask for it."""
    if site := config.gallery_site:
        config.html_baseurl = config.ogp_site_url = site
        for name, value in SETTINGS.items():
            config[name] = value
        config.notfound_urls_prefix = re.sub(r"https?://[^/]+", "", site)


def source_of(docname: str, conf: dict) -> str:
    """Return the file in the repository from which a page is made."""
    gallery = f"{conf['gallery_dirs'][0]}/"
    if not docname.startswith(gallery):
        return f"docs/{docname}.rst"
    example = f"examples/{docname.removeprefix(gallery)}"
    if example.endswith("/index"):
        return f"{example.removesuffix('index')}GALLERY_HEADER.rst"
    return f"{example}.py"


def picture(app: Sphinx, doctree: nodes.document) -> dict[str, str]:
    """Return the address and the alt text of a page's first figure."""
    for image in doctree.findall():
        if isinstance(image, nodes.image | imgsgnode) and image.get("alt"):
            name = Path(image["uri"]).name
            return {
                "og:image": f"{app.config.gallery_site}_images/{name}",
                "og:image:alt": html.escape(image["alt"]),
            }
    return {}


def describe_page(app: Sphinx, pagename, templatename, context, doctree):
    """Say what a page is to search engines, editors and those who share it."""
    if doctree is None:
        return
    told = html.escape(first_paragraph(doctree))
    if told:
        context["metatags"] += f'<meta name="description" content="{told}" />'
    if repository := app.config.gallery_repository:
        source = source_of(pagename, app.config.sphinx_gallery_conf)
        address = f"https://github.com/{repository}/edit/main/{source}"
        context["edit_address"] = address
    if app.config.gallery_site:
        # A later extension makes the card from what it finds here.
        card = {"og:description": told, **picture(app, doctree)}
        context["meta"] = {**(context["meta"] or {}), **card}


def lead_from_anywhere(app: Sphinx, doctree: nodes.document, docname: str):
    """Let the links of the page for what is not found name the whole path."""
    prefix = app.config.gallery_site and app.config.notfound_urls_prefix
    if docname == "404" and prefix:
        for link in doctree.findall(nodes.reference):
            if link.get("internal"):
                link["refuri"] = prefix + link["refuri"]


def write_robots(app: Sphinx, exception: Exception | None) -> None:
    """Invite all robots, and tell them where the list of pages is."""
    if (site := app.config.gallery_site) and not exception:
        lines = ("User-agent: *", "Allow: /", f"Sitemap: {site}sitemap.xml")
        Path(app.outdir, "robots.txt").write_text("\n".join(lines) + "\n")


def setup(app: Sphinx) -> dict:
    """Ask once, and load what needs an address where there is one."""
    repository = find_repository(Path(app.confdir).parent)
    site = find_site(repository)
    app.add_config_value("gallery_repository", repository, "html")
    app.add_config_value("gallery_site", site, "env")
    app.connect("config-inited", set_addresses)
    app.connect("doctree-resolved", lead_from_anywhere)
    app.connect("html-page-context", describe_page, priority=300)
    if site:
        for extension in PUBLISHED:
            app.setup_extension(extension)
        # The sitemap lists the pages that a build writes: write them all.
        app.connect("env-updated", lambda app, env: list(env.found_docs))
        app.connect("build-finished", write_robots)
    return {"parallel_read_safe": True}

"""Every reader can use every page."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import EXAMPLES, ROOT
from playwright.sync_api import expect
from test_light import pages_of

# Everything that axe knows, and the targets of WCAG 2.2, which it is not
# asked for by default.
AXE = {
    "resultTypes": ["violations", "incomplete"],
    "rules": {"target-size": {"enabled": True}},
}
# What a theme decides; the rest is the same in both.
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
VIEWS = {"light": AXE, "dark": COLOURS}
# To look at each word of code takes long: one of each kind is shown.
SHOW_ONE = """
() => {
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight span[class]")) {
    const inside = word.closest("a, .highlight").parentElement.className;
    const kind = `${inside}: ${word.className}`;
    if (seen.has(kind)) word.style.visibility = "hidden";
    seen.add(kind);
  }
}
"""
# Why axe cannot tell a contrast: a gradient or a picture lies below the text.
NOT_ONE_COLOUR = {"bgGradient", "bgImage", "imgNode"}
# Of the element that has the focus: how it shows it, and whether it is seen.
# A box to tick is seen by its label, which covers it.
FOCUSED = """
() => {
  const active = document.activeElement;
  const element = active.labels?.[0] ?? active;
  const drawn = element === active ? active : element.querySelector("span");
  const { top, bottom, left, right } = element.getBoundingClientRect();
  const style = getComputedStyle(drawn);
  const there = document.elementFromPoint(
    Math.min(Math.max((left + right) / 2, 1), innerWidth - 1),
    Math.min(Math.max((top + bottom) / 2, 1), innerHeight - 1));
  return {
    end: active === document.body,
    html: active.outerHTML.slice(0, 200),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
      || style.boxShadow !== "none",
    seen: !!there && (element.contains(there) || there.contains(element))
      && parseFloat(style.opacity) > 0,
  };
}
"""


def shown(browser, width: int, **wishes):
    """Return a page in a window of its own."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, **wishes
    )
    return context.new_page()


def pytest_generate_tests(metafunc):
    """Give the walk one page of each kind."""
    if "kind" in metafunc.fixturenames:
        kinds = ["index.html", "aws_examples/index.html", "search.html"]
        first = EXAMPLES[0].relative_to(ROOT / "examples")
        kinds.append(f"aws_examples/{first.with_suffix('.html')}")
        metafunc.parametrize("kind", kinds)


@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(site, browser, width):
    """And it can compute each contrast: no text stands on a gradient."""
    page = shown(browser, width, reduced_motion="reduce")
    found, undecided, wide = [], [], []
    for name in pages_of(site):
        page.emulate_media(color_scheme="light")
        page.goto((site / name).as_uri())
        page.evaluate(SHOW_ONE)
        for theme, options in VIEWS.items():
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(name)
            told = Axe().run(page, options=options).response
            for fault in told["violations"]:
                nodes = [node["html"][:200] for node in fault["nodes"]]
                found.append((name, theme, fault["id"], nodes[:2]))
            undecided += [
                (name, theme, node["html"][:200])
                for doubt in told["incomplete"]
                if doubt["id"] == "color-contrast"
                for node in doubt["nodes"]
                if node["any"][0]["data"]["messageKey"] in NOT_ONE_COLOUR
                and not node["html"].startswith("<text")
            ]
    page.context.close()
    assert found == []
    assert undecided == []
    assert wide == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(site, browser, theme):
    """The search and, in a narrow window, both menus."""
    page = shown(browser, 320, color_scheme=theme, reduced_motion="reduce")
    found = []
    for opener in (".primary-toggle", ".secondary-toggle", ".search-button"):
        page.goto((site / "aws_examples/explore_atlas.html").as_uri())
        page.locator(f"{opener}:visible, {opener}-field:visible").first.click()
        assert page.locator("dialog[open]").count() == 1
        if "search" in opener:
            page.keyboard.type("atlas")
            page.locator("#pst-search-dialog .search a").first.wait_for()
            page.wait_for_timeout(500)
        for violation in Axe().run(page, options=AXE).response["violations"]:
            nodes = [node["html"][:200] for node in violation["nodes"]]
            found.append((opener, violation["id"], nodes[:3]))
    page.context.close()
    assert found == []


@pytest.mark.parametrize("width", [1280, 320])
def test_a_keyboard_reaches_all_and_always_sees_where_it_is(
    site, browser, kind, width
):
    page = shown(browser, width, reduced_motion="reduce")
    page.goto((site / kind).as_uri())
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    session = page.context.new_cdp_session(page)
    reached, nameless, unseen = [], [], []
    for _ in range(400):
        page.keyboard.press("Tab")
        state = page.evaluate(FOCUSED)
        if state["end"] or state["html"] in reached[:1]:
            break
        reached.append(state["html"])
        handle = session.send(
            "Runtime.evaluate", {"expression": "document.activeElement"}
        )
        [node, *_] = session.send(
            "Accessibility.getPartialAXTree",
            {
                "objectId": handle["result"]["objectId"],
                "fetchRelatives": False,
            },
        )["nodes"]
        scrolled = state["html"].startswith("<pre")
        if not scrolled and not node.get("name", {}).get("value", "").strip():
            nameless.append(state["html"])
        if not (state["ring"] and state["seen"]):
            unseen.append(state)
    expected = page.evaluate(
        "[...document.querySelectorAll('main a[href]')].filter(link =>"
        "link.checkVisibility({visibilityProperty: true})).length"
    )
    page.context.close()
    assert len(reached) > expected
    assert nameless == []
    assert unseen == []


def test_nothing_waits_for_a_mouse(site, browser):
    """A button is visible; a link is, at the latest with the focus."""
    page = shown(browser, 1280, reduced_motion="reduce")
    hidden = []
    for name in pages_of(site):
        page.goto((site / name).as_uri())
        assert page.locator("[tooltip]").count() == 0
        assert (
            page.locator("article [title]:not(a, button, abbr)").count() == 0
        )
        hidden += page.evaluate(
            "[...document.querySelectorAll('article a, article button')]"
            ".filter(element => {"
            " if (element.matches('a')) element.focus({ focusVisible: true });"
            " const style = getComputedStyle(element);"
            " return style.opacity !== '1' || style.visibility === 'hidden';"
            "}).map(element => element.outerHTML.slice(0, 120))"
        )
    page.context.close()
    assert hidden == []


def test_a_reader_who_wants_no_motion_sees_none(site, browser):
    page = shown(browser, 1280, reduced_motion="reduce")
    page.goto((site / "aws_examples/explore_atlas.html").as_uri())
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(element => {"
        " const style = getComputedStyle(element);"
        " return (style.transitionDuration + ',' + style.animationDuration)"
        ".split(',').some(time => parseFloat(time) > 0.01)"
        " || style.scrollBehavior === 'smooth'; })"
        ".map(element => element.outerHTML.slice(0, 100))"
    )
    page.context.close()
    assert moving == []


def test_forced_colours_keep_the_focus_visible(site, browser):
    page = shown(browser, 1280, forced_colors="active")
    page.goto((site / "aws_examples/explore_atlas.html").as_uri())
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "getComputedStyle(document.activeElement).outlineStyle"
        ) not in ("none", "hidden")
    page.context.close()


def test_paper_shows_the_article_whole(site, browser):
    page = shown(browser, 760)
    page.emulate_media(media="print")
    page.goto((site / "aws_examples/explore_atlas.html").as_uri())
    for part in ("header.bd-header", ".copybtn", ".bd-sidebar-secondary"):
        assert not page.locator(part).first.is_visible(), part
    assert page.locator("h1").is_visible()
    cut = page.evaluate(
        "[...document.querySelectorAll('article pre')].filter(pre =>"
        " pre.scrollWidth > pre.clientWidth + 1"
        " || pre.scrollHeight > pre.clientHeight + 1).length"
    )
    page.context.close()
    assert cut == 0


LOOK = """
() => ["body", "h1", "article p", "article p a", ".atlas-card", "pre",
       ".highlight .kn", ".highlight .s2", ".bd-header", ".admonition",
       ".navbar-brand"].map(name => {
  const element = document.querySelector(name);
  const { color, backgroundColor, borderColor } = getComputedStyle(element);
  return [name, color, backgroundColor, borderColor];
})
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_javascript_the_theme_is_the_reader_s(site, browser, theme):
    """Each colour is what it is where the script ran."""
    looks = []
    for javascript in (True, False):
        page = shown(
            browser,
            1280,
            color_scheme=theme,
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        page.goto((site / "aws_examples/explore_atlas.html").as_uri())
        looks.append(page.evaluate(LOOK))
        assert page.locator(".logo__image:visible").count() == 1
        page.context.close()
    assert looks[0] == looks[1]


def test_without_javascript_the_menu_works(site, browser):
    page = shown(browser, 320, java_script_enabled=False)
    page.goto((site / "aws_examples/explore_atlas.html").as_uri())
    assert page.locator("button:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    links = page.locator("header nav a")
    assert links.count() >= 4
    for link in links.all():
        assert link.is_visible()
    assert page.locator("#pst-page-toc-nav a").first.is_visible()
    page.locator("header nav a", has_text="Glossary").click()
    assert page.url.endswith("glossary.html")
    page.context.close()

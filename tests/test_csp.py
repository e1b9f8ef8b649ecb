"""A page runs and loads only what the site itself ships."""

import re

import pytest
from test_light import address, pages_of  # noqa: F401

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push([event.violatedDirective, event.blockedURI,
                          event.sourceFile]));
"""
# A script, a handler and a script of another host, as one that got in.
INTRUDE = """
const script = document.createElement("script");
script.textContent = "window.intruded = 'script'";
document.body.append(script);
document.body.insertAdjacentHTML("beforeend",
  "<img src='data:,' onerror=\\"window.intruded = 'handler'\\">");
const other = document.createElement("script");
other.src = "https://127.0.0.1:9/other.js";
document.body.append(other);
"""


@pytest.fixture(params=["host", "disk"])
def base(request, site) -> str:
    """Return the address of the site, on a host and on a disk."""
    if request.param == "disk":
        return site.as_uri() + "/"
    return request.getfixturevalue("address")


def test_every_page_has_the_policy_before_all_else(site):
    for name in pages_of(site):
        head = re.search(
            r'<head>\s*(?:<meta charset="utf-8" />\s*)?<meta http-equiv='
            r'"Content-Security-Policy" content="([^"]+)"',
            (site / name).read_text(),
        )
        assert head, name
        policy = head[1]
        assert policy.startswith("default-src 'self'; ")
        scripts = re.search(r"script-src ([^;]+)", policy)[1]
        assert "unsafe" not in scripts
        assert "http" not in policy


def test_no_page_breaks_the_policy(site, browser, base):
    """Nor does what a reader does there."""
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.add_init_script(WATCH)
    complaints = []
    page.on(
        "console",
        lambda message: (
            "Security Policy" in message.text
            and complaints.append((page.url, message.text))
        ),
    )
    page.on("pageerror", lambda error: complaints.append((page.url, error)))
    for name in pages_of(site):
        page.goto(base + name)
        assert page.evaluate("window.violations") == [], name
    page.goto(base + "aws_examples/explore_atlas.html")
    for mode in ("dark", "light", "auto"):
        page.locator(f"header .theme-change-button[data-mode={mode}]").click()
        pressed = page.locator("header [aria-pressed=true]")
        assert pressed.get_attribute("data-mode") == mode
    page.locator("button.copybtn").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import csv\n")
    page.keyboard.press("Control+k")
    page.keyboard.type("atlas")
    page.locator("#pst-search-dialog .search a").first.wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.violations") == []
    page.goto(base + "search.html?q=structure")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.violations") == []
    context.close()
    assert complaints == []


def test_what_gets_into_a_page_does_not_run(browser, base):
    page = browser.new_page()
    page.add_init_script(WATCH)
    page.goto(base + "aws_examples/explore_atlas.html")
    page.evaluate(INTRUDE)
    page.wait_for_timeout(300)
    assert page.evaluate("window.intruded") is None
    broken = page.evaluate("window.violations.map(([directive]) => directive)")
    page.close()
    assert sorted(broken) == [
        *("script-src-attr", "script-src-elem", "script-src-elem"),
    ]

"""A newcomer gets from a clone to a page of their own."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml
from conftest import ENVIRONMENT, ROOT, each_example, run
from test_build import House, change

GITHUB = ROOT / ".github"
GLOSSARY = """
Glossary
========

.. glossary::

   annotation
      An array of ids.
"""


@pytest.fixture
def house(tmp_path, site) -> House:
    """Return a copy with one section."""
    house = House(tmp_path)
    (house.root / "examples/slices").mkdir()
    shutil.copy(
        ROOT / "examples/slices/GALLERY_HEADER.rst",
        house.root / "examples/slices/GALLERY_HEADER.rst",
    )
    (house.root / "docs/glossary.rst").write_text(GLOSSARY)
    return house


@each_example
def test_nothing_is_left_to_do(example):
    assert "TODO" not in example.read_text()


def test_new_example_lacks_nothing_but_its_content(house):
    done = house.make("new", "NAME=slices/draw_other")
    assert done.returncode == 0, done.stderr
    assert "gallery_order in docs/conf.py" in done.stdout
    example = house.root / "examples/slices/draw_other.py"
    assert example.read_text().count("TODO") > 5
    for check in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, example]
        checked = run(ruff, cwd=house.root)
        assert checked.returncode == 0, checked.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "tests/test_style.py"]
    checked = run([*tests, "-k", "draw_other"], "standin", house.root)
    assert checked.returncode == 0, checked.stdout
    assert "4 passed" in checked.stdout, checked.stdout
    refused = "tests/test_contribute.py::test_nothing_is_left_to_do"
    said = run([*tests[:-1], refused], "standin", house.root).stdout
    assert f"FAILED {refused}[draw_other]" in said
    assert "1 failed, 1 passed" in said
    assert house.ran("one", "PATTERN=draw_other") == 1
    page = house.page("slices/draw_other").read_text()
    assert "Brain in this section" in page
    assert "Synthetic data" in page


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("slices/draw", "section/verb_object"),
        ("slices/Draw_Other", "lower case"),
        ("slices/1_draw_other", "section/verb_object"),
        ("slices/draw_other.py", "section/verb_object"),
        ("slices/draw_" + "o" * 50, "at most 50 characters"),
        ("draw_other", "the sections are slices"),
        ("../slices/draw_other", "the sections are slices"),
        ("pictures/draw_other", 'no section "pictures"'),
        ("slices/draw_line", "examples/draw_line.py is there"),
    ],
)
def test_bad_name_is_refused_by_its_rule(house, name, said):
    before = sorted(house.root.rglob("*.py"))
    done = house.make("new", f"NAME={name}")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(house.root.rglob("*.py")) == before


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_live_page_follows_the_program(house, browser):
    """Without a hand on the browser, and one build for one change."""
    port = free_port()
    log = house.root / "live.log"
    command = ["make", "live", "PATTERN=draw_line", f"PORT={port}"]
    live = subprocess.Popen(
        command,
        cwd=house.root,
        env=ENVIRONMENT | {"ATLAS_SOURCE": "standin"},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}/aws_examples/draw_line.html"
    page = browser.new_page()
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                time.sleep(0.5)
        page.goto(address)
        assert page.get_by_text("the number is 42").count() == 1
        change(house.example, "41 + 1", "41 + 2")
        page.get_by_text("the number is 43").wait_for(timeout=60_000)
        # A build does not set off the next one.
        time.sleep(5)
        assert log.read_text().count("-m sphinx build") == 2
    finally:
        page.close()
        subprocess.run(["kill", "-TERM", "--", f"-{live.pid}"])
        live.send_signal(signal.SIGKILL)
        live.wait()


def test_guides_name_only_targets_that_exist():
    [phony] = re.findall(
        r"(?m)^\.PHONY: (.*)", (ROOT / "Makefile").read_text()
    )
    guides = [ROOT / "README.md", *GITHUB.glob("*.md")]
    named = set()
    for guide in guides:
        for words in re.findall(r"`make ([^`]+)`", guide.read_text()):
            named |= {w for w in words.split() if "=" not in w}
    assert {"new", "live", "run", "html", "test", "lint"} <= named
    assert named <= set(phony.split())


def test_guide_names_the_variables_of_a_build():
    readme = (ROOT / "README.md").read_text()
    for variable in ("ATLAS_SOURCE", "ATLAS_CACHE", "SITE_URL"):
        assert f"`{variable}`" in readme


def test_templates_ask_for_alt_text_and_for_the_check():
    asked = (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text()
    assert "How was the number checked?" in asked
    assert "fig.alt" in asked
    forms = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 2
    for form in forms:
        content = yaml.safe_load(form.read_text())
        assert content["name"]
        assert content["description"]
        ids = [part["id"] for part in content["body"]]
        assert len(ids) == len(set(ids))
        for part in content["body"]:
            assert part["type"] in ("input", "textarea", "checkboxes")
            assert part["attributes"]["label"]

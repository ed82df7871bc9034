"""The site of the documentation, built and opened from disk in a real browser."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import chromium
import pytest

from wildlens.cli import cli

ROOT = Path(__file__).parents[2]


class References(HTMLParser):
    """Addresses of a page's links, pictures, scripts and styles."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value and dict(attributes).get("rel") != "canonical":
                self.found.append((tag, value))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return folder


def test_every_link_leads_to_a_file_and_nothing_is_loaded_from_elsewhere(site):
    pages = [path for path in site.rglob("*.html") if path.name != "404.html"]
    assert len(pages) > 20
    for page in pages:
        references = References()
        references.feed(page.read_text(encoding="utf-8"))
        for tag, address in references.found:
            if re.match(r"[a-z]+:", address):
                assert tag == "a", f"{page.name} loads {address}"
                continue
            path = address.partition("#")[0].partition("?")[0]
            assert not path or (page.parent / path).is_file(), f"{page.name}: {address}"


def test_commands_are_all_described(site):
    text = (site / "commands.html").read_text(encoding="utf-8")
    for name in cli.commands:
        assert f'id="wildlens-{name}"' in text
    assert "UNSET" not in text


@pytest.mark.skipif(chromium.PROGRAM is None, reason="needs Chromium")
def test_search_works_from_disk(site):
    command = [chromium.PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=30000", f"file://{site}/index.html?q=occlusion"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'md-search-result__meta">(\d+) matching documents', run.stdout)
    assert found and int(found[1]) > 3

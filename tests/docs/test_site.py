"""The site builds without warnings, and its links are valid; needs Sphinx (`make env`)."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from optional_packages import require

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """The links of a page, the files that it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if identifier := found.get("id"):
            self.places.add(identifier)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        for key in ("src", *(["href"] if tag == "link" else [])):
            if found.get(key) and found.get("rel") not in ("search", "index", "canonical"):
                self.loaded.append(found[key] or "")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Build the site without running the gallery's examples."""
    for module in ("sphinx", "sphinx_gallery"):
        require(module, "pip install 'luxport-nn[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(folder)]
    env = os.environ | {"LUXPORT_DOCS_FULL": ""}
    return folder, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)


def test_every_page_is_built_without_a_warning(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert built[1].returncode == 0, built[1].stderr


def test_internal_links_are_valid_and_nothing_is_loaded_from_other_sites(
    built: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder = built[0].resolve()
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    assert len(pages) > 30
    broken, foreign = [], []
    for path, page in pages.items():
        foreign += [(path.name, address) for address in page.loaded if re.match(r"(https?:)?//", address)]
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            place = unquote(parts.fragment)
            if not target.exists() or (known and place and place not in known.places):
                broken.append((str(path.relative_to(folder)), address))
    assert foreign == []
    assert broken == []


def test_names_of_other_libraries_link_to_their_documentation(
    built: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    links = Links((built[0] / "backends.html").read_text(encoding="utf-8")).links
    assert "https://docs.jax.dev/en/latest/_autosummary/jax.jit.html" in links
    assert "https://www.tensorflow.org/api_docs/python/tf/function" in links


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium is installed to open the pages in")
@pytest.mark.parametrize("page", ["index", "reference/index", "gallery/index"])
def test_the_console_of_a_browser_stays_empty(page: str, built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    opened = subprocess.run([*command, f"file://{built[0]}/{page}.html"], capture_output=True, text=True, timeout=60)
    assert "</html>" in opened.stdout
    assert [line for line in opened.stderr.splitlines() if ":CONSOLE" in line] == []

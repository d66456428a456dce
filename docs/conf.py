"""How Sphinx builds the site: `make docs`, or `make docs-full`, which runs the examples too."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import elsewhere  # noqa: E402  (both stand beside this file)
import reference_pages  # noqa: E402

import luxport  # noqa: E402

project = "luxport"
author = "the authors of luxport"
release = version = luxport.__version__
extensions = ["myst_parser", "sphinx_gallery.gen_gallery"]

html_theme = "furo"
html_title = "luxport"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False

exclude_patterns = ["_build", "gallery/README.*", "*.py"]
suppress_warnings = ["config.cache"]
myst_heading_anchors = 3
default_role = "literal"  # in the texts of examples
python_maximum_signature_line_length = 88
add_module_names = True
pygments_style = "friendly"

FULL = bool(os.environ.get("LUXPORT_DOCS_FULL"))

sphinx_gallery_conf: dict[str, Any] = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/examples/\w+\.py$",
    "ignore_pattern": r"(?<![a-z_])(toy_backend|digits|quick_start)\.py$",
    "plot_gallery": str(FULL),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 0,
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
}


def link_inside_the_site(app: Any, page: str, source: list[str]) -> None:
    """Let links to files that are no pages be their names: a site has no folder above it."""
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./(?!docs/)[^)]+\)", r"\1", source[0])


def setup(app: Any) -> None:
    """Write the pages of the reference, then let Sphinx read, and link what the pages mention."""
    reference_pages.write(HERE / "reference")
    app.connect("source-read", link_inside_the_site)
    app.connect("doctree-read", elsewhere.link_names_of_others)

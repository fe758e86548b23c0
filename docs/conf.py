"""The static site: executed notebooks, the teacher's kit and the API. Built by `make site`, without a network.

The source folder is the root of the repository, so that nothing is copied; see `include_patterns`.
"""

from __future__ import annotations

import logging
import re
import warnings

project = "MOTIF workbook"
copyright = "the authors of the MOTIF workbook, MIT licence"
html_title = project
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/api/*.rst",
    "notebooks/*.ipynb",
    "teaching/*.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LOG.md",
]

exclude_patterns = ["docs/api/modules.rst"]
extensions = ["myst_nb", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks are kept with their outputs, see motif_lib/classroom/build_notebooks.py
# A static page has no kernel: show a widget's fallback, never its view.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True

apidoc_modules = [
    {
        "path": "../motif_lib",
        "destination": "docs/api",  # written at each build, never edited; see .gitignore
        "separate_modules": True,
        "module_first": True,
        "automodule_options": ["members", "show-inheritance"],
    }
]
default_role = "literal"  # docstrings write code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# a name that a package re-exports is described once, in its own module
autodoc_default_options = {"members": True, "undoc-members": False, "ignore-module-all": True}
napoleon_google_docstring, napoleon_numpy_docstring = True, False

html_theme = "furo"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_extra_path = ["index.html"]  # the front page stands in docs/
html_show_sphinx = False
html_copy_source = False


def layout(app, what, name, obj, options, lines):
    """Module docstrings are plain text: what is indented or set in columns stays as it is typed."""
    lines[:] = [re.sub(r"(?<!`)`([^`]*\\[^`]*)`(?!`)", r"``\1``", line) for line in lines]  # a backslash stays
    lines[:] = [re.sub(r"`s\b", r"`\\ s", line) for line in lines]  # `Trace`s: reStructuredText wants it escaped
    lines[:] = [re.sub(r"^Example: (.*)", r"Example: ``\1``", line) for line in lines]  # what one types in a terminal
    if what == "module":
        paragraphs = "\n".join(lines).strip().split("\n\n")
        lines[:] = [*"\n\n".join(map(as_typed, paragraphs)).splitlines(), ""]


def as_typed(paragraph):
    """A paragraph as a literal block if it is indented or has columns."""
    rows = paragraph.splitlines()
    columns = any(row.startswith("  ") or "   " in row for row in rows)
    return "\n".join(["::", "", *(f"    {row}" for row in rows)]) if columns else paragraph


def setup(app):
    app.connect("autodoc-process-docstring", layout)


warnings.filterwarnings("ignore")  # of imported libraries; Sphinx's own are errors, see the Makefile
logging.getLogger("transformers").setLevel(logging.ERROR)

"""Sphinx's settings for the documentation's site; scripts/docs_site/build.py starts it."""

from __future__ import annotations

from importlib import metadata

project = "Callout"
author = "the authors of Callout"
release = metadata.version("callout")
extensions = ["myst_parser"]
nitpicky = True
# GitHub and the site name headings alike, so that `page.md#a-heading` leads to the same place in both.
myst_heading_anchors = 4
smartquotes = False
# What is pasted is output; code says its language.
highlight_language = "text"
exclude_patterns = ["files/**"]

html_theme = "furo"
html_title = "Callout"
html_favicon = "../../src/callout/server/static/icon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
pygments_style = "friendly"
pygments_dark_style = "native"

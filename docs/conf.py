"""Sphinx' settings for the manual; `docs/manual` writes the pages that it sets."""

project = "widelimit"
author = "The widelimit developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "furo"
html_title = "widelimit"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_extra_path = ["_extra"]
html_show_sourcelink = False
html_show_sphinx = False
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]
nitpicky = True

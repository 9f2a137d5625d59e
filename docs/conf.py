from __future__ import annotations

import vernal

project = "Vernal"
author = "Vernal contributors"
copyright = "Vernal contributors, Apache-2.0"  # noqa: A001 - Sphinx reads this name
release = vernal.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Vernal {release}"
html_show_sourcelink = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "smartquotes"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "signature"
python_maximum_signature_line_length = 100
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False

# Strict about our own names. The inventories of other projects would have to be fetched while building, and a build
# that needs the network is one that fails on a train.
nitpick_ignore_regex = [(r"py:.*", r"(?!vernal\.).*")]

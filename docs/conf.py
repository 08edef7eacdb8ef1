"""How Sphinx builds the documentation: MyST pages in the four kinds of Diátaxis."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "RAVE"
author = "The RAVE maintainers"
copyright = "The RAVE maintainers"  # noqa: A001, RUF100  # Sphinx reads this name
release = installed_version("rave-framework")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Links into RAVE itself must lead somewhere. Types in signatures need no page of their own, and what
# others document is not looked up, so that the build needs no network.
nitpicky = True
nitpick_ignore_regex = [(r"py:(class|data|obj)", r".*"), (r"py:.*", r"(?!rave_).*")]

html_theme = "furo"
html_title = f"RAVE {release}"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

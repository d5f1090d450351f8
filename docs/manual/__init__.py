"""Writes the manual's pages, and lets Sphinx set them: ``python -m docs.manual``, which is `make docs`.

site         all pages, in order; what goes where
topics       one page a topic, from its derivation, its functions, its claims and their last verdicts
docstrings   functions with their types and what they say of themselves
tutorials    notebooks as plain Python, executed; pages and .ipynb files of what came out
explorer     grids and the one static page with sliders
path         the path of a formula from SymPy to a verdict, for relu and tanh
"""

"""From executed notebooks to PDF and to the submitted archive, without TeX, browser or network.

`pieces` takes a notebook apart, `tree` turns its Markdown into checked Typst through pandoc, `raster` keeps its pictures
small, `together` keeps on one page what belongs there, `exporter` compiles it, `html` makes it a page for a browser; `merge`
and `index` make one report of many notebooks, `build` writes the files, `submission` the archive.
"""

from latent.errors import UserError

WARNED = "carries warnings"  # keyword of a PDF whose notebooks hold notices, such as of the embedded stand-in data
SIGNED = "names its authors"  # keyword of a PDF with the authors on its first page


class ReportError(UserError):
    """A report that cannot be made as it should: the message names the notebook and cell, and the remedy."""

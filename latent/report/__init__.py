"""From executed notebooks to PDF and to the submitted archive, without TeX, browser or network.

`pieces` takes a notebook apart, `tree` turns its Markdown into checked Typst through pandoc, `exporter` compiles it;
`merge` and `requirements` make one report of many notebooks, `build` writes the PDFs, `submission` the archive.
"""

from latent.errors import UserError

WARNED = "carries warnings"  # keyword of a PDF whose notebooks hold notices, such as of the embedded stand-in data


class ReportError(UserError):
    """A report that cannot be made as it should: the message names the notebook and cell, and the remedy."""

"""How much of each page of a report is blank: `PYTHONPATH=tests python -m blank` says it of wet.pdf, from notebooks/."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from latent.report.exporter import Document

INCH = 36  # pixels
TEXT = slice(round(22 / 25.4 * INCH), round((297 - 15) / 25.4 * INCH))  # the rows of template.typ's text


def shares(document: Document) -> list[float]:
    """Of each page, the share of the text's height that its largest gap takes, at the end of the page or within it."""
    pages = document.compile("png", ppi=INCH)
    return [_gap(Image.open(io.BytesIO(page))) for page in (pages if isinstance(pages, list) else [pages])]


def _gap(page: Image.Image) -> float:
    inked = (np.asarray(page.convert("L"))[TEXT] < 220).any(1)
    edges = np.flatnonzero(np.concatenate([[True], inked, [True]]))
    return float(max(np.diff(edges) - 1) / len(inked))


if __name__ == "__main__":
    from latent.report import build

    folder = Path("notebooks")
    for number, share in enumerate(shares(Document(build.wet(folder), "wet", folder)), 1):
        print(f"page {number:2}: {share:4.0%} blank{' ' * 3 + '#' * round(20 * share) if share > 0.2 else ''}")

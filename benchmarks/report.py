"""How long wet.pdf takes from the executed notebooks."""

import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import Row
from latent.report.build import build_wet


def rows(notebooks: Path, repeats: int) -> list[Row]:
    """One row, in seconds; the first go also loads nbconvert, as the command does."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            start = time.perf_counter()
            build_wet(notebooks, Path(folder))
            spent.append(time.perf_counter() - start)
    return [Row("wet.pdf from the executed notebooks", median(spent), None, "s")]

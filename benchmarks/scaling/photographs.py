"""What a loader of photographs has to do: how long one JPEG takes a core."""

import io
import statistics
import time
from pathlib import Path

import sklearn.datasets
from PIL import Image

NAME = "china.jpg"
SIDE = 224
REPEATS = 20


def decode_seconds() -> tuple[float, int]:
    """Median seconds to decode a photograph and bring it to SIDE × SIDE, and its bytes; it comes with scikit-learn."""
    stored = Path(sklearn.datasets.__file__).with_name("images").joinpath(NAME).read_bytes()
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        Image.open(io.BytesIO(stored)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent), len(stored)

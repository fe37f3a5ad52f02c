"""Pictures in a PDF: the pixels they had in the PNG, in no more bytes."""

import io

import numpy as np
import pytest
import typst
from PIL import Image
from pypdf import PdfReader

from latent.report import raster

NOISE = np.random.default_rng(0).integers(0, 256, (31, 47, 4), dtype=np.uint8)


def png(picture: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "png", **options)
    return buffer.getvalue()


def made(mode: str) -> Image.Image:
    pixels = NOISE.copy()
    pixels[..., 3] = 255
    picture = Image.fromarray(pixels)
    return picture.convert("RGB").quantize(9) if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_packed_picture_has_its_pixels_and_hardly_more_bytes(mode, tmp_path):
    data = png(made(mode))
    packed = raster.page(data)
    assert len(packed) < len(data) + 1200
    (tmp_path / "a.pdf").write_bytes(packed)
    (tmp_path / "a.typ").write_text('#image("a.pdf", alt: "noise")')
    pdf = typst.compile(tmp_path / "a.typ")
    (shown,) = PdfReader(io.BytesIO(pdf)).pages[0].images
    assert np.array_equal(np.asarray(shown.image.convert("RGB")), np.asarray(made(mode).convert("RGB")))


def test_an_opaque_picture_of_few_colours_gets_a_palette():
    flat = made("P").convert("RGBA")
    assert b"/Indexed" in raster.page(png(flat)) and len(raster.page(png(flat))) < len(png(flat))
    assert b"/DeviceRGB/Filter" in raster.page(png(made("RGBA")))  # noise has more than 256


def test_what_a_pdf_cannot_hold_as_it_is_stays_a_png():
    whole = png(made("RGB"))
    transparent = Image.fromarray(NOISE)
    deep = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    keyed = png(made("P"), transparency=0)
    for data in (png(transparent), png(transparent.convert("LA")), png(deep), keyed, whole[:-40], whole[:200], b"\x89PNG\r\n\x1a\n", b""):
        assert raster.page(data) is None

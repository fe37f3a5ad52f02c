"""PNG pictures as pages of PDF that keep the PNG's own rows, which Typst would pack again, in full colour and larger."""

import io
import struct
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

PLAIN = ("1", "L", "P", "RGB")  # kinds of pixels that a PDF holds as a PNG does
PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {w} {h}]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>"
IMAGE = (
    "/Type/XObject/Subtype/Image/Width {w}/Height {h}/BitsPerComponent {depth}/ColorSpace {space}/Filter/FlateDecode"
    "/DecodeParms<</Predictor 15/Colors {numbers}/BitsPerComponent {depth}/Columns {w}>>"
)


def page(png: bytes) -> bytes | None:
    """A PDF of one page, a point for each pixel, with the picture of `png`; None where that cannot be done without loss."""
    try:
        with Image.open(io.BytesIO(png)) as picture:
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None  # broken: Typst says so, with the picture's place
    opaque = picture.mode in PLAIN or (picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255))
    depth = png[24]
    if not opaque or {"transparency", "icc_profile"} & picture.info.keys() or depth > 8:
        return None
    fits = picture.mode in PLAIN and depth == 8 and not picture.info.get("interlace")
    return _wrap(png if fits else _repack(picture.convert("RGB")))


def _repack(picture: Image.Image) -> bytes:
    """A picture of RGB as PNG, with a palette where that holds all its colours."""
    colours = picture.getcolors(256)
    if colours:
        picture = picture.quantize(len(colours), dither=Image.Dither.NONE)
        picture.putpalette((picture.getpalette() + [0] * 51)[: 3 * max(17, len(colours))])  # up to 16 colours, pixels would share bytes
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4])
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def _wrap(png: bytes) -> bytes:
    """The PDF around the rows of a PNG that is grey, of a palette, or RGB: both formats store them alike (PDF 1.7, 7.4.4.4)."""
    w, h, depth, kind = struct.unpack(">IIBB", png[16:26])
    rows = b"".join(data for name, data in _chunks(png) if name == b"IDAT")
    palette = b"".join(data for name, data in _chunks(png) if name == b"PLTE")
    space = {0: "/DeviceGray", 2: "/DeviceRGB", 3: f"[/Indexed/DeviceRGB {len(palette) // 3 - 1}<{palette.hex()}>]"}[kind]
    image = IMAGE.format(w=w, h=h, depth=depth, space=space, numbers=3 if kind == 2 else 1)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE.format(w=w, h=h).encode(),
        _stream("", f"{w} 0 0 {h} 0 0 cm/I Do".encode()),
        _stream(image, rows),
    ]
    return _file(objects)


def _stream(entries: str, data: bytes) -> bytes:
    return f"<<{entries}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"


def _file(objects: list[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1, the first its catalog."""
    made, places = b"%PDF-1.5\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end

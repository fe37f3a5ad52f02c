"""Draw a digit, or drop an image: what the encoders see in it, where they put it, and what the classifiers say."""

from pathlib import Path

import anywidget
import torch
import traitlets
from ipywidgets import HTML, FileUpload, HBox, Layout, VBox
from matplotlib.figure import Figure
from torch import Tensor

from latent.errors import UserError
from latent.explore import drawing, pictures
from latent.explore.atlas import Atlas, unit_square
from latent.explore.drawing import Verdict
from latent.explore.maps import Maps
from latent.show import plots
from latent.views import to_float

HERE = Path(__file__).parent
SIDE = 112  # pixels of the paper, as in pad.js
EMPTY = "Draw a digit, drop an image file on the black square, or choose one."


class Paper(anywidget.AnyWidget):
    """A black square to draw on in white. `picture`: its grey levels, uint8 (SIDE, SIDE); `file`: what was dropped on it."""

    _esm = HERE / "pad.js"
    _css = HERE / "pad.css"
    picture = traitlets.CBytes().tag(sync=True)
    file = traitlets.CBytes().tag(sync=True)


class Pad(pictures.Shown, VBox):
    """A picture from outside, before the experiments of one or several atlases; its place is marked on their maps."""

    def __init__(self, *atlases: Atlas):
        self.atlases = atlases
        self.paper, self.upload = Paper(), FileUpload(accept="image/*", description="choose a file", layout=Layout(width="168px"))
        self.said = HTML(EMPTY)
        self.maps = Maps(*atlases)
        self.paper.observe(lambda change: self._drawn(change.new), "picture")
        self.paper.observe(lambda change: self._given(change.new), "file")
        self.upload.observe(lambda change: self._given(*(bytes(file.content) for file in change.new)), "value")
        super().__init__([HBox([VBox([self.paper, self.upload]), self.said], layout=Layout(grid_gap="16px")), self.maps])

    def _drawn(self, levels: bytes) -> None:
        if not levels:
            return
        grey = torch.frombuffer(bytearray(levels), dtype=torch.uint8).view(1, SIDE, SIDE) / 255
        if grey.any():
            self.look(grey.expand(3, SIDE, SIDE))
        else:
            self._clear()

    def _given(self, content: bytes = b"") -> None:
        if not content:
            return
        self.paper.file, self.paper.picture, self.upload.value = b"", b"", ()  # the same again is then a change again
        try:
            self.look(drawing.read(content))
        except UserError as error:
            self._clear()
            self.said.value = f"<b>{error}</b>"

    def _clear(self) -> None:
        self.said.value = EMPTY
        for panels in self.maps.panels:
            panels.marks = []

    def look(self, picture: Tensor) -> None:
        """Show what the experiments make of a picture (3, H, W) in [0, 1]."""
        rows = []
        for atlas, panels in zip(self.atlases, self.maps.panels):
            image = drawing.prepare(picture, atlas.data)
            verdicts = drawing.judge(image, atlas)
            panels.marks = [_mark(atlas, name, verdict) for name, verdict in verdicts.items()]
            rows.append(_row(image, atlas, verdicts))
        self.said.value = "".join(rows)

    def figures(self) -> list[Figure]:
        return [_figure(atlas) for atlas in self.atlases]


def _mark(atlas: Atlas, name: str, verdict: Verdict) -> dict:
    """The place and the neighbours as `Panels` draws them."""
    place = unit_square(verdict.place, atlas.spaces[name].points)
    return {"place": place.tolist(), "neighbours": verdict.neighbours.tolist()}


def _row(image: Tensor, atlas: Atlas, verdicts: dict[str, Verdict]) -> str:
    """One dataset: the image as its encoders see it, its reconstruction, and each experiment's belief and neighbours."""
    parts = [pictures.image(image[0], 84, "as seen", next(iter(verdicts)).split("-")[0])]
    for name, verdict in verdicts.items():
        if verdict.reconstruction is not None:
            parts.append(pictures.image(verdict.reconstruction, 84, "reconstruction", name))
    for name, verdict in verdicts.items():
        likely = sorted(pictures.beliefs(verdict.belief, atlas.data.classes), key=lambda row: -row[2])[:3]
        near = [
            pictures.image(atlas.sample.images[n], 30, border=pictures.colour(atlas.sample.labels[n].item()))
            for n in verdict.neighbours.tolist()
        ]
        tiles = f'<div class="latent-row" style="gap:2px">{"".join(near)}</div>'
        parts.append(pictures.titled(name, pictures.bars(likely) + tiles))
    return f'<div style="margin-bottom:8px">{pictures.row(parts)}</div>'


def _figure(atlas: Atlas) -> Figure:
    """What the experiments make of the first image of the sample, each finding its nearest others."""
    image = atlas.sample.images[:1]
    rows = {name: atlas.sample.images[space.neighbours[0]] for name, space in atlas.spaces.items()}
    pictured = torch.stack([torch.cat([to_float(image), to_float(near)]) for near in rows.values()])
    return plots.images(
        pictured,
        list(rows),
        ["image", *(f"nearest {n + 1}" for n in range(pictured.shape[1] - 1))],
        f"{atlas.data.title}: one image before the encoders",
        "A test image (left) and the other images of the sample whose latents lie nearest by cosine similarity, for each encoder. "
        "In JupyterLab an image of your own takes its place.",
        size=0.66,
    )

"""The t-SNE maps of several encoders side by side: the same images in each, linked under the pointer and in a selection."""

from base64 import b64encode
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from ipywidgets import HTML, VBox
from matplotlib.figure import Figure

from latent.explore import pictures
from latent.explore.atlas import Atlas, unit_square
from latent.show import figures
from latent.show.plots import CLASS_COLOURS

HERE = Path(__file__).parent
STATE = ("names", "classes", "colours", "labels", "points", "neighbours", "sheet", "columns", "selected", "marks")
CAPTION = (
    "t-SNE maps of the same {count} test images of {title}, made from the latents of each encoder, coloured by class. "
    "In JupyterLab: hover over a point for its neighbours in latent space and among the pixels, draw a lasso to select."
)


class Panels(anywidget.AnyWidget):
    """The maps of one atlas. `selected`: positions in the sample; `marks`: a place and its neighbours on each map, or none."""

    _esm = HERE / "maps.js"
    _css = HERE / "maps.css"
    names = traitlets.List().tag(sync=True)
    classes = traitlets.List().tag(sync=True)
    colours = traitlets.List(list(CLASS_COLOURS)).tag(sync=True)
    labels = traitlets.CBytes().tag(sync=True)  # uint8 (N,)
    points = traitlets.CBytes().tag(sync=True)  # float32 (maps, N, 2), in [0, 1]
    neighbours = traitlets.CBytes().tag(sync=True)  # uint16 (maps + 1, N, NEIGHBOURS), the pixels' last
    sheet = traitlets.CBytes().tag(sync=True)
    columns = traitlets.Int().tag(sync=True)  # images in a row of the sheet
    selected = traitlets.List().tag(sync=True)
    marks = traitlets.List().tag(sync=True)

    def __init__(self, atlas: Atlas):
        spaces = atlas.spaces.values()
        sheet, columns = pictures.sheet(atlas.sample.images)
        super().__init__(
            names=list(atlas.spaces),
            classes=[str(name) for name in atlas.data.classes],
            labels=atlas.sample.labels.to(torch.uint8).numpy().tobytes(),
            points=np.stack([unit_square(space.points, space.points) for space in spaces]).astype("<f4").tobytes(),
            neighbours=torch.stack([*(space.neighbours for space in spaces), atlas.neighbours]).numpy().astype("<u2").tobytes(),
            sheet=sheet,
            columns=columns,
        )

    def state(self) -> dict:
        """What maps.js reads of its model, as JSON holds it."""
        values = {name: getattr(self, name) for name in STATE}
        return {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in values.items()}


class Maps(pictures.Shown, VBox):
    """The maps of one or several atlases, each above the images selected on it. `panels`: one for each atlas."""

    def __init__(self, *atlases: Atlas):
        self.atlases = atlases
        self.panels = [Panels(atlas) for atlas in atlases]
        self.grids = [HTML() for _ in atlases]
        for panels, grid, atlas in zip(self.panels, self.grids, atlases):
            panels.observe(lambda change, grid=grid, atlas=atlas: self._select(grid, atlas, change.new), "selected")
        super().__init__([HTML(pictures.STYLE), *(part for pair in zip(self.panels, self.grids) for part in pair)])

    def _select(self, grid: HTML, atlas: Atlas, chosen: list[int]) -> None:
        grid.value = pictures.selection(atlas.sample.images[chosen], atlas.sample.labels[chosen], atlas.data.classes)

    def figures(self) -> list[Figure]:
        return [_figure(atlas) for atlas in self.atlases]

    def states(self) -> list[dict]:
        """All that maps beside one another show, bytes in base64; a map alone is in one of those."""
        return [panels.state() if len(panels.names) > 1 else {} for panels in self.panels]


def _figure(atlas: Atlas) -> Figure:
    caption = CAPTION.format(count=len(atlas.sample), title=atlas.data.title)
    maps = {name: space.points for name, space in atlas.spaces.items()}
    title = f"{atlas.data.title}: maps of the latents"
    if len(maps) == 1:
        return figures.tsne_map(*maps.values(), atlas.sample.labels, atlas.data.classes, title, caption)
    return figures.tsne_row(maps, atlas.sample.labels, atlas.data.classes, title, caption)

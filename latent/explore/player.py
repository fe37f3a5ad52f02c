"""The latent player: drag between two images, nudge single dimensions, decode a random latent, and see what comes of it."""

import torch
from ipywidgets import HTML, Button, FloatSlider, HBox, IntSlider, Layout, ToggleButtons, VBox
from matplotlib.figure import Figure
from torch import Tensor

from latent.explore import pictures, walk
from latent.explore.atlas import Atlas
from latent.show import figures, interpolation
from latent.views import to_float

STRIP = 9  # frames of the film strip
WIDE = Layout(width="380px")


class Player(pictures.Shown, VBox):
    """The player of the autoencoder of an atlas. Its sliders: `first`, `second`, `weight`, `dimension`, `by`."""

    def __init__(self, atlas: Atlas):
        self.atlas, (self.name, self.space) = atlas, walk.autoencoder(atlas)
        self.around = walk.surroundings(self.space, atlas.data.train)
        self.order = atlas.sample.labels.argsort(stable=True).tolist()  # a slider through it goes from class to class
        self.generator = torch.Generator().manual_seed(0)
        self.nudges = torch.zeros(len(self.around.mean))  # in standard deviations of each dimension
        self.drawn: Tensor | None = None  # the random latent, while one is shown
        self._make_controls(len(self.order))
        self.strip, self.stage = HTML(), HTML()
        self._walk_anew()
        super().__init__(self._arrange())

    def _make_controls(self, count: int) -> None:
        style = {"description_width": "76px"}
        self.first = IntSlider(0, 0, count - 1, description="from image", style=style, layout=WIDE)
        self.second = IntSlider(count // 2, 0, count - 1, description="to image", style=style, layout=WIDE)
        self.weight = IntSlider(0, 0, walk.STEPS - 1, description="walk", readout=False, style=style, layout=WIDE)
        self.path = ToggleButtons(options=list(walk.PATHS), style={"button_width": "90px"})
        self.dimension = IntSlider(0, 0, len(self.nudges) - 1, description="dimension", style=style, layout=WIDE)
        self.by = FloatSlider(0, min=-4, max=4, step=0.1, description="nudge (sd)", style=style, layout=WIDE)
        self.reset = Button(description="no nudges", tooltip="set every dimension back")
        self.random = Button(description="random latent", tooltip="draw every dimension by itself")
        for control in (self.first, self.second, self.path):
            control.observe(lambda _: self._walk_anew(), "value")
        self.weight.observe(lambda _: self._go(None), "value")
        self.dimension.observe(lambda change: setattr(self.by, "value", self.nudges[change.new].item()), "value")
        self.by.observe(lambda change: self._nudge(change.new), "value")
        self.reset.on_click(lambda _: self._clear())
        self.random.on_click(lambda _: self._go(walk.random_latent(self.around, self.generator)))

    def _arrange(self) -> list:
        return [
            HTML(f"{pictures.STYLE}<b>{self.name}</b>: the images are in order of their class"),
            HBox([self.first, self.second], layout=Layout(flex_flow="row wrap")),
            self.strip,
            HBox([self.weight, self.path], layout=Layout(flex_flow="row wrap")),
            HBox([self.dimension, self.by, self.reset, self.random], layout=Layout(flex_flow="row wrap")),
            self.stage,
        ]

    def _walk_anew(self) -> None:
        self.pair = self.atlas.sample.images[[self.order[self.first.value], self.order[self.second.value]]]
        self.walk = walk.between(self.space, self.pair, self.path.value)
        places = torch.linspace(0, walk.STEPS - 1, STRIP).round().long()
        frames = walk.look(self.space, self.around, self.walk.latents[places])
        stills = [self._still(frame, place) for frame, place in zip(frames, places.tolist())]
        along = pictures.titled("the classifier's belief along the walk", pictures.areas(self.walk.beliefs))
        self.strip.value = pictures.row([*stills, along])
        self._go(None)

    def _still(self, frame: walk.Frame, place: int) -> str:
        share, number = frame.belief.max(0)
        below = f"{self.atlas.data.classes[number]}\n{100 * share:.0f} %"
        return pictures.image(frame.decoded, 64, below, f"{place / (walk.STEPS - 1):.2f}", pictures.colour(number.item()), "still")

    def _go(self, drawn: Tensor | None) -> None:
        """Show the random latent `drawn`, or the place on the walk where there is none."""
        self.drawn = drawn
        self._show()

    def _nudge(self, amount: float) -> None:
        self.nudges[self.dimension.value] = amount
        self._show()

    def _clear(self) -> None:
        self.nudges.zero_()
        self.by.value = 0
        self._show()

    def _show(self) -> None:
        latent = self.walk.latents[self.weight.value] if self.drawn is None else self.drawn
        (frame,) = walk.look(self.space, self.around, (latent + self.nudges * self.around.spread)[None])
        self.frame = frame
        self.stage.value = self._stage(frame)

    def _stage(self, frame: walk.Frame) -> str:
        data, weight = self.atlas.data, self.weight.value / (walk.STEPS - 1)
        names = [data.classes[self.atlas.sample.labels[self.order[slider.value]]] for slider in (self.first, self.second)]
        nudged = ", nudged" if self.nudges.any() else ""
        title = f"{'walk at ' + format(weight, '.2f') if self.drawn is None else 'random latent'}{nudged}"
        typical = self.around.typical
        note = f"here {frame.distance:.3g}; test images: median {typical.median():.3g}, largest {typical.max():.3g}"
        parts = [
            pictures.image(to_float(self.pair[:1])[0], 84, names[0], "from"),
            pictures.image(frame.decoded, 150, title, "decoded latent"),
            pictures.image(self.walk.blends[self.weight.value], 150, f"walk at {weight:.2f}", "pixels blended"),
            pictures.image(to_float(self.pair[1:])[0], 84, names[1], "to"),
            pictures.titled("the classifier's belief", pictures.bars(pictures.beliefs(frame.belief, data.classes))),
            pictures.titled("distance to the nearest training latent", pictures.histogram(typical, frame.distance) + f"<br>{note}"),
        ]
        return pictures.row(parts)

    def figures(self) -> list[Figure]:
        places = torch.linspace(0, walk.STEPS - 1, 10).round().long()
        decoded = torch.stack([frame.decoded for frame in walk.look(self.space, self.around, self.walk.latents[places])])
        names = [self.atlas.data.classes[self.atlas.sample.labels[self.order[slider.value]]] for slider in (self.first, self.second)]
        return [figures.interpolation(decoded, interpolation.linear(to_float(self.pair), len(places)), names)]

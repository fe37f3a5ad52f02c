"""To look around in the latent spaces in JupyterLab: the maps, the player, and what the networks make of your own drawing.

The widgets stand on ipywidgets and anywidget, because these work offline and leave kilobytes in a notebook: Bokeh puts its
library into a notebook's outputs, plotly (5 MB) and jupyter-scatter (2 MB) send theirs with every widget.

What is computed (`atlas`, `walk`, `drawing`) needs no browser; what is shown (`maps`, `player`, `pad`) computes nothing of its own.
"""

from latent.explore.atlas import Atlas, survey
from latent.explore.maps import Maps
from latent.explore.pad import Pad
from latent.explore.player import Player

__all__ = ["Atlas", "Maps", "Pad", "Player", "survey"]

"""To look around in the latent spaces in JupyterLab: the maps, the player, and what the networks make of your own drawing.

The widgets stand on ipywidgets and anywidget, because these work offline and send kilobytes: plotly's widget comes with 5 MB of
JavaScript and jupyter-scatter's with 2 MB (versions 7.1 and 1.0), and Bokeh, to be offline, writes its library into the notebook.

What is computed (`atlas`, `walk`, `drawing`) needs no browser; what is shown (`maps`, `player`, `pad`) computes nothing of its own.
"""

from latent.explore.atlas import Atlas, survey
from latent.explore.maps import Maps
from latent.explore.pad import Pad
from latent.explore.player import Player

__all__ = ["Atlas", "Maps", "Pad", "Player", "survey"]

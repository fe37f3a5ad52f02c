"""What people look at: figures in one style, tables, and what the notebooks have in common."""

DOTS_PER_INCH = 110  # by which a picture's size on a page or a screen is told
MAPS = "application/vnd.latent.maps+json"  # the state of a widget of maps, beside its picture
SHARPNESS = 2  # pixels of a picture for each such dot: sharp in print and on fine screens

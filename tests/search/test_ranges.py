"""Where a sweep searches: around every recipe, and wide enough to leave it."""

import pytest

from latent import recipes
from latent.errors import UserError
from latent.recipes import change
from latent.search import ranges


@pytest.mark.parametrize("scale", ["cpu", "gpu", "tiny"])
def test_every_recipe_lies_inside_its_own_space_to_three_digits(scale):
    for recipe in (recipe for recipe in recipes.RECIPES[scale].values() if recipe.objective in recipes.OBJECTIVES):
        space = ranges.around(recipe)
        own = ranges.inside(recipe, space)
        assert own.keys() == space.keys(), space.keys() - own.keys()
        assert all(float(f"{value:.3g}") == value for value in own.values())
        ends = {place: str(values[-1] if isinstance(values, tuple) else values.high) for place, values in space.items()}
        assert change(recipe, ends) != recipe


def test_an_encoder_that_is_not_trained_has_no_space():
    with pytest.raises(UserError, match="no values to search for 'pca'"):
        ranges.around(recipes.RECIPES["cpu"]["mnist-pca"])

"""The widgets of latent.explore, driven by hand in a browser. Every test leaves a picture in build/browser."""

import statistics
from urllib.parse import urlparse

import pytest  # noqa


def show(page, place, top=60):
    """Scroll so that `place` begins `top` pixels under the notebook's upper edge."""
    place.scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    place.evaluate(
        "(e, top) => { let b = e; while (b && !(b.scrollHeight > b.clientHeight + 50 && getComputedStyle(b).overflowY !== 'visible'))"
        " b = b.parentElement; b.scrollBy(0, e.getBoundingClientRect().top - b.getBoundingClientRect().top - top) }",
        top,
    )
    page.wait_for_timeout(400)


def maps(page, row=0):
    return page.locator(".latent-maps").nth(row)


def test_look(page):
    show(page, maps(page))
    page.shot("maps")

"""The widgets of `latent.explore`, driven by hand in a browser. Every test leaves a picture in build/browser to look at."""

import io
import re
import statistics
from urllib.parse import urlparse

import numpy as np
from PIL import Image

TO_TOP = """(element) => {
  let box = element;
  while (box && !(box.scrollHeight > box.clientHeight + 50 && /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
  box.scrollBy(0, element.getBoundingClientRect().top - box.getBoundingClientRect().top - 20);
}"""


def bring(page, place):
    """Scroll the notebook until `place` begins at its upper edge."""
    place.evaluate(TO_TOP)
    page.wait_for_timeout(500)


CARRY = """(bytes) => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(bytes)], "red.png", { type: "image/png" }));
  return carried;
}"""
# Milliseconds from each key to the new text under the picture, taken in the browser.
CLOCK = """() => {
  window.spent = [];
  let pressed = 0;
  document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver((changes) => {
    if (!pressed || !changes.some((change) => [...change.addedNodes].some((node) => node.textContent.includes("decoded latent")))) return;
    window.spent.push(performance.now() - pressed);
    pressed = 0;
  }).observe(document.body, { childList: true, subtree: true });
}"""


def row(page, number):
    """The maps of one dataset: 0 and 1 belong to `Maps`, 2 and 3 to `Pad`."""
    return page.locator(".latent-maps").nth(number)


def paintings(maps):
    """What is painted on each map of a row, points and marks."""
    return maps.locator("canvas").evaluate_all("(all) => all.map((canvas) => canvas.toDataURL())")


def hover_over_a_point(page, canvas):
    """Move the pointer along lines across a map until a point answers."""
    box = canvas.bounding_box()
    for down in (0.5, 0.4, 0.6, 0.3):
        for right in np.linspace(0.1, 0.9, 60):
            page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
            if page.locator(".latent-tip:visible").count():
                return
    raise AssertionError("no point answers to the pointer")


def lasso(page, canvas, left=0.1, right=0.6):
    box = canvas.bounding_box()
    corners = [(left, 0.1), (right, 0.1), (right, 0.9), (left, 0.9)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.wait_for_timeout(100)
    page.shot("lasso")
    page.mouse.up()
    page.wait_for_timeout(700)


def test_all_six_maps_are_seen_at_once(page):
    bring(page, row(page, 0))
    page.shot("maps")
    lowest = row(page, 1).locator(".map").last.bounding_box()
    assert lowest["y"] + lowest["height"] < 770 and lowest["x"] + lowest["width"] < 1240
    assert row(page, 0).locator(".map").count() == row(page, 1).locator(".map").count() == 3


def test_hovering_marks_an_image_on_all_maps_of_its_dataset_and_shows_its_neighbours(page):
    bring(page, row(page, 0))
    before, other = paintings(row(page, 0)), paintings(row(page, 1))
    hover_over_a_point(page, row(page, 0).locator("canvas.over").nth(1))
    page.shot("hover")
    tip = page.locator(".latent-tip:visible")
    assert tip.locator(".tile").count() == 1 + 6 + 6
    assert "nearest in latent space" in tip.inner_text() and "nearest in pixels" in tip.inner_text()
    changed = [new != old for new, old in zip(paintings(row(page, 0)), before)]
    assert changed == [False, True] * 3 and paintings(row(page, 1)) == other
    hover_over_a_point(page, row(page, 1).locator("canvas.over").last)
    page.shot("hover-right")
    box = page.locator(".latent-tip:visible").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] >= 0 and box["y"] + box["height"] <= 800
    page.mouse.move(5, 5)
    assert not page.locator(".latent-tip:visible").count()


def test_a_lasso_selects_the_same_images_on_the_maps_of_one_dataset(page):
    bring(page, row(page, 0))
    before, other = paintings(row(page, 0)), paintings(row(page, 1))
    lasso(page, row(page, 0).locator("canvas.over").first)
    page.shot("selected")
    chosen = page.get_by_text(re.compile(r"^\d+ selected"))
    assert chosen.count() == 1 and int(chosen.inner_text().split()[0]) > 20
    assert [new != old for new, old in zip(paintings(row(page, 0)), before)][::2] == [True] * 3 and paintings(row(page, 1)) == other
    row(page, 1).get_by_role("button", name="checkers").click()
    page.wait_for_timeout(500)
    assert page.get_by_text(re.compile(r"^\d+ selected")).count() == 2
    for number in (0, 1):
        row(page, number).get_by_role("button", name="clear").click()
    page.wait_for_timeout(500)
    assert not page.get_by_text(re.compile(r"^\d+ selected")).count()


def decoded(page):
    return page.locator("figure", has_text="decoded latent").locator("img").first.get_attribute("src")


def test_the_player_decodes_while_the_slider_moves(page):
    bring(page, page.get_by_text("mnist-ae: the images are in order of their class"))
    page.shot("player")
    page.locator(".widget-slider", has_text="walk").first.locator(".noUi-handle").focus()
    page.evaluate(CLOCK)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(250)
    page.shot("player-walk")
    spent = page.evaluate("window.spent")
    print(f"from key to picture: median {statistics.median(spent):.0f} ms, largest {max(spent):.0f} ms")
    assert len(spent) == 20 and statistics.median(spent) < 100


def test_nudges_and_random_latents_show_how_far_they_are(page):
    bring(page, page.get_by_text("mnist-ae: the images are in order of their class"))
    page.locator(".widget-slider", has_text="nudge").first.locator(".noUi-handle").focus()
    before = decoded(page)
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert decoded(page) != before and page.get_by_text(", nudged").count() == 1
    page.get_by_role("button", name="no nudges").first.click()
    page.get_by_role("button", name="random latent").first.click()
    page.wait_for_timeout(500)
    page.shot("player-random")
    assert page.locator("figcaption, figure", has_text="random latent").count() == 1
    bring(page, page.get_by_text("cifar-ae: the images are in order of their class"))
    page.shot("player-cifar")


def test_a_drawing_is_judged_by_all_six_and_marked_on_the_maps(page):
    paper = page.locator(".latent-pad canvas")
    bring(page, paper)
    before = paintings(row(page, 2))
    box = paper.bounding_box()
    strokes = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]  # a seven
    page.mouse.move(box["x"] + strokes[0][0] * box["width"], box["y"] + strokes[0][1] * box["height"])
    page.mouse.down()
    for x, y in strokes[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_timeout(1_000)
    page.shot("drawing")
    assert page.locator("figure", has_text="as seen").count() == 2 and page.locator("figure", has_text="reconstruction").count() == 2
    assert [new != old for new, old in zip(paintings(row(page, 2)), before)] == [False, True] * 3
    page.locator(".latent-pad").get_by_role("button", name="clear").click()
    page.wait_for_timeout(500)
    assert page.get_by_text("Draw a digit, drop an image").count() == 1 and paintings(row(page, 2)) == before


def picture_file():
    picture = np.full((80, 120, 3), 230, np.uint8)
    picture[20:60, 30:90] = (200, 40, 40)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def choose(page, content):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="choose a file").click()
    chooser.value.set_files({"name": "red.png", "mimeType": "image/png", "buffer": content})
    page.wait_for_timeout(1_000)


def test_an_image_can_be_chosen_or_dropped_and_what_is_none_is_refused(page):
    paper = page.locator(".latent-pad canvas")
    bring(page, paper)
    choose(page, picture_file())
    page.shot("upload")
    assert page.locator("figure", has_text="as seen").count() == 2
    choose(page, b"no picture")
    page.shot("refused")
    assert page.get_by_text("this file holds no picture").count() == 1
    data = page.evaluate_handle(CARRY, list(picture_file()))
    paper.dispatch_event("drop", {"dataTransfer": data})
    page.wait_for_timeout(1_000)
    assert page.locator("figure", has_text="as seen").count() == 2


def test_nothing_was_asked_of_another_computer_and_nothing_went_wrong(page):
    asked = {urlparse(address).hostname for address in page.heard["addresses"] if not address.startswith(("data:", "blob:"))}
    assert asked <= {"localhost", "127.0.0.1"} and not page.heard["errors"]

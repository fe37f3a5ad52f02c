"""Pictures that come from outside: drawings, photographs and files of every kind, brought to the form of a dataset."""

import io

import pytest
import torch
from PIL import Image

from latent.data import load
from latent.errors import UserError
from latent.explore import drawing


def test_a_digit_is_put_into_the_box_of_mnist_however_it_is_given():
    page = torch.zeros(3, 112, 112)
    page[:, 10:90, 5:25] = 1  # a one, up in the left corner
    digit = drawing.as_digit(page, 28)
    rows, columns = (digit[0] > 0.5).nonzero(as_tuple=True)
    assert (rows.min(), rows.max()) == (4, 23) and abs((columns.float().mean() + 0.5) - 14) <= 0.5
    torch.testing.assert_close(drawing.as_digit(0.9 - 0.7 * page, 28), digit, atol=1e-5, rtol=0)  # dark ink on paper
    assert not drawing.as_digit(torch.full((3, 40, 60), 0.8), 28).any()


def test_a_photograph_is_cut_to_its_middle():
    picture = torch.zeros(3, 64, 128)
    picture[:, :, 32:96] = torch.tensor([1.0, 0.5, 0]).view(3, 1, 1)
    image = drawing.prepare(picture, load("cifar10"))
    assert image.shape == (1, 3, 32, 32) and image.dtype == torch.uint8
    assert image.flatten(2).unique(dim=2).flatten().tolist() == [255, 128, 0]


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_a_file_of_any_kind_of_picture_is_read(mode):
    buffer = io.BytesIO()
    Image.new(mode, (30, 20), 0).save(buffer, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    picture = drawing.read(buffer.getvalue())
    assert picture.shape == (3, 20, 30) and picture.min() >= 0 and picture.max() <= 1


def test_what_is_transparent_shows_paper():
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(buffer, "PNG")
    assert (drawing.read(buffer.getvalue()) == 1).all()


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff\xd8\xff\xe0" + bytes(9)])
def test_a_file_without_a_picture_is_refused_in_one_line(content):
    with pytest.raises(UserError, match="use a PNG") as caught:
        drawing.read(content)
    assert "\n" not in str(caught.value)

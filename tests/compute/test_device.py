"""Devices: the one that is asked for, or a line that says which there are."""

import pytest

from latent.compute import device
from latent.errors import UserError


def test_an_absent_device_is_refused_by_name():
    with pytest.raises(UserError, match="choose one of"):
        device.choose_device("tpu")

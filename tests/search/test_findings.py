"""What a sweep has found, as it is told, kept and read."""

import pytest

from latent.errors import UserError
from latent.search import findings
from latent.store import results


def test_an_account_of_a_study_that_is_damaged_is_named():
    file = results.folder("cpu") / "sweeps/any.json"
    file.parent.mkdir(parents=True)
    for content in ("", "{", "[]", "null", '{"experiment": "mnist-ae"}'):
        file.write_text(content)
        with pytest.raises(UserError, match=r"sweeps/any.json is damaged; restore it"):
            findings.read("mnist-ae")
        assert file.read_text() == content

"""Verification: true claims are confirmed, each false one is found."""

import pytest
from helpers import CPU, stored

from latent import verify
from latent.errors import UserError
from latent.store import results


def test_judging_the_stored_weights_again_gives_the_stored_measures():
    stored()
    checks = verify.verify("mnist-ae", CPU)
    assert {check.measure for check in checks} == {"test_accuracy", "test_mae"}
    assert all(check.agrees for check in checks) and all(abs(check.stored - check.found) < 1e-5 for check in checks)


def test_verify_notices_every_false_claim():
    """Of the test set, or of all three splits; also one that was taken away."""
    run = stored()
    true = run.record["measures"]
    assert {check.measure for check in verify.verify("mnist-ae", CPU, verify.SPLITS[::-1])} == set(true)
    for measure, splits in (("test_accuracy", ("test",)), ("validation_knn_accuracy", verify.SPLITS), ("train_mae", ("train",))):
        false = {key: value for key, value in true.items() if key != measure}
        for claimed in (false | {measure: true[measure] + 0.2}, false):
            if "test_accuracy" in claimed:  # without it a record is none
                results.write("mnist-ae", 0, run.record | {"measures": claimed}, None)
                assert [check.measure for check in verify.verify("mnist-ae", CPU, splits) if not check.agrees] == [measure]


def test_missing_results_are_an_error_that_says_what_to_run():
    with pytest.raises(UserError, match="latent train mnist-ae --seed 0 --recipe tiny"):
        verify.verify("mnist-ae", CPU)

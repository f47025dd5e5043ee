from __future__ import annotations

import threading

import pytest

from sdstudio.core.errors import Cancelled, ModelNotFound
from sdstudio.jobs.model_hash import HashInBackground
from tests.unit.background.fakes import MODEL


def test_the_short_hash_comes_from_another_thread():
    threads = []

    def compute(model, *, cancel):
        threads.append(threading.get_ident())
        return "abcdef0123456789"

    hashing = HashInBackground(compute, MODEL)
    assert hashing.short() == "abcdef0123"
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("error", [Cancelled(), ModelNotFound("gone"), OSError("broken disk")])
def test_a_hash_that_cannot_be_computed_is_blank(error):
    def compute(model, *, cancel):
        raise error

    assert HashInBackground(compute, MODEL).short() == ""


def test_stop_ends_it():
    def compute(model, *, cancel):
        assert cancel.wait(10)
        raise Cancelled

    hashing = HashInBackground(compute, MODEL)
    assert hashing.running
    hashing.stop()
    assert hashing.short() == ""
    assert not hashing.running

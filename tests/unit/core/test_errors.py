from __future__ import annotations

import inspect

import pytest

from sdstudio.core import errors
from sdstudio.core.errors import Cancelled, InvalidRequest, StudioError

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_tree_that_opens_the_module(kind):
    assert kind.__name__ in (errors.__doc__ or "")
    assert issubclass(kind, StudioError) or kind is Cancelled


def test_an_error_is_its_message_and_its_hint():
    assert str(StudioError("Width = 500: no.", "Use 504.")) == "Width = 500: no. Use 504."
    assert str(StudioError("Width = 500: no.")) == "Width = 500: no."
    assert InvalidRequest("width", "no").field == "width"


def test_cancelled_passes_through_every_except_exception():
    assert not issubclass(Cancelled, Exception)

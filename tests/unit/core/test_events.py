from __future__ import annotations

import dataclasses
import typing

import pytest

from sdstudio.core import events


@pytest.mark.parametrize("kind", typing.get_args(events.EngineEvent), ids=lambda kind: kind.__name__)
def test_every_event_is_frozen_and_described(kind):
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")

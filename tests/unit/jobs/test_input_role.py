"""An input role that the product does not have: a field and a row, declared here, reach what draws and the recipe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Annotated, Any, Final

import pytest
from PIL import Image
from pydantic import Field
from pydantic.fields import FieldInfo

from sdstudio.catalog.built_in import STARTER
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.params import FieldKind, Ui, parameters
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES, InputRole
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import idle_fields
from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue, JobState
from sdstudio.jobs.runner import JobRunner
from sdstudio.library.library import Library
from sdstudio.library.resolving import RequestResolver
from tests.unit.background.fakes import ScriptedEngine

DEPTH: Final = InputRole("depth_picture", "Depth picture", frozenset({"eta"}))
FIELD: Final = Annotated[
    str,
    Field(title=DEPTH.title, description="How far away each thing is.", pattern=r"^([0-9a-f]{64})?$"),
    Ui(kind=FieldKind.PICTURE),
]


class Watching(ScriptedEngine):
    """Writes down what it was asked to draw with."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.resolved: list[ResolvedRequest] = []

    def generate(self, resolved: ResolvedRequest, *rest: Any) -> None:
        self.resolved.append(resolved)
        super().generate(resolved, *rest)


@pytest.fixture
def depth(monkeypatch: pytest.MonkeyPatch) -> Iterator[InputRole]:
    """The role, declared as one of the product is: a field of the request, and a row."""

    def rebuild() -> None:
        parameters.cache_clear()
        GenerationRequest.model_rebuild(force=True)
        Recipe.model_rebuild(force=True)

    monkeypatch.setitem(INPUT_ROLES, DEPTH.field, DEPTH)
    monkeypatch.setitem(GenerationRequest.model_fields, DEPTH.field, FieldInfo.from_annotated_attribute(FIELD, ""))
    monkeypatch.setitem(GenerationRequest.__annotations__, DEPTH.field, FIELD)
    rebuild()
    yield DEPTH
    monkeypatch.undo()
    rebuild()


@pytest.fixture
def kept(home: Any, tmp_path: Any) -> dict[str, str]:
    """The ids of two pictures that are kept, by the name of their colour."""
    ids = {}
    for colour in ("red", "green"):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{colour}.png")
        ids[colour] = InputPictures(home).keep(tmp_path / f"{colour}.png").id
    return ids


def test_a_declared_role_goes_from_the_queue_through_the_engine_into_the_recipe(home, depth, kept) -> None:
    library, queue, history = Library(home), JobQueue(home), History(home, trash=lambda _path: None)
    engine = Watching()
    runner = JobRunner(
        queue, history, library.find, RequestResolver(library).resolve, lambda model, *, cancel: "",
        lambda job: engine, lambda news: None, threading.Event(),
    )  # fmt: skip
    values = {"prompt": "red heart", "width": 64, "height": 64, "steps": 2, "model": STARTER}
    request = GenerationRequest.checked({**values, "init_image": kept["red"], depth.field: kept["green"]})
    job = queue.submit(request, (5,))
    ended = runner.run(job, threading.Event())
    assert ended is not None
    assert (ended.state, ended.message) == (JobState.DONE, "")
    [resolved] = engine.resolved
    assert {role.field: path.stem for role, path in resolved.pictures.items()} == {
        "init_image": kept["red"], "depth_picture": kept["green"],
    }  # fmt: skip
    assert all(path.is_file() for path in resolved.pictures.values())
    [entry] = history.entries()
    assert depth.picture_in(entry.recipe.request) == kept["green"]
    assert depth.picture_in(recipe_of(entry.path).request) == kept["green"], "as its PNG tells"
    runner.close()
    queue.close()
    history.close()


def test_a_declared_role_is_refused_by_its_title_and_holds_back_what_depends_on_it(home, depth, kept) -> None:
    library = Library(home)
    gone = GenerationRequest.checked({"model": STARTER, depth.field: "ab" * 32})
    with pytest.raises(InvalidRequest, match="Depth picture = abababababab: it is gone") as caught:
        RequestResolver(library).check(gone, library.find(STARTER))
    assert caught.value.field == depth.field
    assert "eta" in idle_fields({"scheduler": "euler_a"})
    assert "eta" not in idle_fields({"scheduler": "euler_a", depth.field: kept["green"]})
    assert INIT.dependent <= idle_fields({"scheduler": "euler_a", depth.field: kept["green"]})


def test_without_the_declaration_no_request_takes_it() -> None:
    with pytest.raises(InvalidRequest, match="depth_picture: there is no such parameter"):
        GenerationRequest.checked({"depth_picture": "ab" * 32})

"""The details of a picture: all that made it, and marks that are one press away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea, QToolButton

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import idle_fields
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.recipe_text import PROMPTS, every_fact
from sdstudio.ui.pages.history.details import EntryDetails
from sdstudio.ui.theme import apply_theme

WAIT_MS = 20_000


@pytest.fixture
def actions():
    return EntryActions()


@pytest.fixture
def details(qapp, qtbot, history, actions):
    apply_theme(qapp, "dark")
    tasks = TaskRunner()
    made = EntryDetails(actions, history, tasks)
    qtbot.addWidget(made)
    made.resize(320, 800)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    tasks.close()


def words(details) -> set[str]:
    return {label.text() for label in details.findChildren(QLabel) if label.isVisible()}


def test_every_parameter_can_be_unfolded(details, save, qtbot):
    entry = save("red heart", seed=2**64 - 1, steps=31, clip_skip=2)
    details.show_entry(entry)
    qtbot.waitUntil(lambda: {"red heart", str(2**64 - 1)} <= words(details), timeout=WAIT_MS)
    assert "Clip skip" not in words(details)
    QTest.mouseClick(details.findChild(QToolButton, "allFactsButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Clip skip" in words(details), timeout=WAIT_MS)
    shown = words(details)
    request = entry.recipe.request
    for row in parameters(GenerationRequest):
        acts = row.name not in {*PROMPTS, *idle_fields(dict(request))}
        if acts and getattr(request, row.name) not in (None, "", (), []):
            assert row.title in shown, row.name
    assert "31" in shown


def test_a_long_word_cuts_no_other_row(details, save, qtbot):
    entry = save("anime illustration of a red frog, global illumination, soft studio light, high detail, " * 2)
    recipe = entry.recipe.model_copy(update={"model_name": "dreamshaperXL_v21TurboDPMSDE_pruned_fp16_no_ema"})
    details.show_entry(replace(entry, recipe=recipe))
    qtbot.waitUntil(lambda: recipe.model_name in words(details), timeout=WAIT_MS)
    room = details.findChild(QScrollArea).viewport()

    def is_whole(label):
        right = label.mapTo(room, label.rect().topRight()).x()
        return right < room.width() and label.height() >= label.heightForWidth(label.width())

    qtbot.waitUntil(lambda: all(is_whole(label) for label in room.findChildren(QLabel) if label.isVisible()))
    assert sum(label.isVisible() for label in room.findChildren(QLabel)) > 5


def test_facts_tell_what_made_it_too(save):
    entry = save("x")
    recipe = entry.recipe.model_copy(
        update={"made_with": {"device": "cpu", "scheduler_config": {"solver_order": 2, "karras": True}, "none": None}}
    )
    facts = dict(every_fact(recipe))
    assert facts["Device"] == "cpu"
    assert facts["Scheduler config solver order"] == "2"
    assert facts["Scheduler config karras"] == "yes"
    assert "None" not in facts
    assert facts["Steps"]
    without_picture = {"Mask blur", "Denoising strength", "Strength of the second pass"}
    assert not without_picture & facts.keys(), "they did not act"
    recipe = recipe.model_copy(
        update={"request": recipe.request.model_copy(update={"init_image": "5a" * 32, "hires": 2})}
    )
    assert without_picture & dict(every_fact(recipe)).keys() == {"Denoising strength"}


def test_stars_and_heart_show_and_ask(details, history, save, actions, qtbot):
    entry = save()
    history.marks.rate([entry.id], 2)
    history.marks.set_favourite([entry.id], True)
    details.show_entry(history.get(entry.id))
    assert details.stars.stars == 2
    assert details.heart.accessibleDescription() == "yes"
    width = details.stars.width() // 5
    for star, asked in ((4, "rate_4"), (2, "rate_0")):  # the rating it has is taken away
        with qtbot.waitSignal(actions.requested) as requested:
            place = details.stars.rect().center()
            place.setX(width * star - width // 2)
            QTest.mouseClick(details.stars, Qt.MouseButton.LeftButton, pos=place)
        assert requested.args[0].key == asked
    for key, asked in ((Qt.Key.Key_5, "rate_5"), (Qt.Key.Key_Right, "rate_3"), (Qt.Key.Key_Left, "rate_1")):
        with qtbot.waitSignal(actions.requested) as requested:
            QTest.keyClick(details.stars, key)
        assert requested.args[0].key == asked
    with qtbot.waitSignal(actions.requested) as requested:
        QTest.mouseClick(details.heart, Qt.MouseButton.LeftButton)
    assert requested.args[0].key == "favourite"


def test_tags_and_collections_stand_as_chips_that_take_them_away(details, history, save, qtbot):
    entry = save()
    history.marks.add_tag([entry.id], "b")
    history.marks.add_tag([entry.id], "a")
    history.marks.collect([entry.id], "Best")
    details.show_entry(entry)

    def chips(kind: str) -> list[str]:
        return [b.text() for b in details.findChildren(QPushButton, f"{kind}Chip") if not b.isHidden()]

    qtbot.waitUntil(lambda: chips("tag") == ["a  ×", "b  ×"], timeout=WAIT_MS)
    assert chips("collection") == ["Best  ×"]
    with qtbot.waitSignal(details.mark_requested) as requested:
        QTest.mouseClick(details.findChildren(QPushButton, "tagChip")[0], Qt.MouseButton.LeftButton)
    assert (requested.args[0], requested.args[2], requested.args[3]) == ("tag", "a", False)
    history.marks.remove_tag([entry.id], "a")
    details.show_marks_of([entry.id])
    qtbot.waitUntil(lambda: chips("tag") == ["b  ×"], timeout=WAIT_MS)
    with qtbot.waitSignal(details.popup_requested) as requested:
        QTest.mouseClick(details.findChild(QPushButton, "collectionAddButton"), Qt.MouseButton.LeftButton)
    assert requested.args[0] == "collection"


def test_changed_marks_are_read_again_for_the_picture_that_is_shown_alone(details, history, save):
    first, second = save(), save()
    details.show_entry(first)
    history.marks.rate([first.id, second.id], 3)
    details.show_marks_of([second.id])
    assert details.stars.stars == 0
    details.show_marks_of([first.id, second.id])
    assert details.stars.stars == 3


def test_sections_of_other_modules_follow_what_is_shown(details, save, qtbot):
    section = QLabel()
    details.add_section(section)
    details.shown.connect(lambda entry: section.setText("nothing" if entry is None else f"entry {entry.id}"))
    entry = save()
    details.show_entry(entry)
    assert f"entry {entry.id}" in words(details)
    details.show_entry(None)
    assert section.text() == "nothing"


def test_buttons_ask_for_their_actions(details, save, actions, qtbot):
    entry = save()
    details.show_entry(entry)
    for key in ("restore", "rerun"):
        with qtbot.waitSignal(actions.requested) as requested:
            QTest.mouseClick(details.findChild(QPushButton, f"details_{key}"), Qt.MouseButton.LeftButton)
        assert (requested.args[0].key, requested.args[0].entries) == (key, (entry,))

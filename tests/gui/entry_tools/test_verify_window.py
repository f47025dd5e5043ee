"""Verifying in the window: verdicts as they come, the difference to look at, causes, cancel."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QListWidget, QPushButton

from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.verdict import Outcome, Verdict
from sdstudio.ui.widgets.picture_view import PictureView
from tests.unit.background.fakes import picture, recipe, until_cancelled


@pytest.fixture
def entry(studio):
    def save(seed=1, prompt="red heart", pixels=None, **made_with):
        request = GenerationRequest(model="tiny", prompt=prompt, width=64, height=64, steps=3, seed=seed)
        kept = recipe(request, seed).model_copy(update={"made_with": made_with})
        return studio.history.save(pixels or picture(request, seed), kept)

    return save


@pytest.fixture
def verify(studio, qtbot):
    """Ask for verification as the menus do, and hand out the window."""

    def ask(*entries, wait=True):
        studio.start_worker()
        studio.window.actions_on_entries.ask("verify", entries)
        found = studio.window.findChild(object, "verifyWindow")
        assert found.isVisible()
        if wait:
            qtbot.waitUntil(lambda: found.cancel_button.isHidden(), timeout=20_000)
        return found

    return ask


def rows(window):
    found = window.findChild(QListWidget, "verifyListView")
    return [found.item(i).text().split("\n")[0] for i in range(found.count())]


def verdict(window):
    return window.findChild(QLabel, "verifyVerdict").text()


def click(window, name):
    QTest.mouseClick(window.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_every_picture_gets_its_verdict_and_the_chosen_one_is_explained(verify, entry, studio):
    other = entry(2, pixels=Image.new("RGB", (64, 64), (2, 200, 90)), rng="nvidia")
    window = verify(entry(1), other)
    assert rows(window) == ["Identical", "Different"]
    assert studio.window.status_line.text == "Verified: 1 of 2 identical"
    assert studio.window.windowTitle() == "SD Studio"
    assert verdict(window) == "Identical: every pixel is the same."
    assert not window.findChild(QPushButton, "verifyDifferenceButton").isEnabled()
    window.list.setCurrentRow(1)
    assert verdict(window).startswith("Different: 100.0% of the pixels differ, by 160 at most.")
    assert window.findChild(QPushButton, "verifyDifferenceButton").isChecked()
    shown = [window.findChild(PictureView).picture.pixelColor(3, 3).getRgb()[:3]]
    for name in ("verifyKeptButton", "verifyAgainButton"):
        click(window, name)
        shown.append(window.findChild(PictureView).picture.pixelColor(3, 3).getRgb()[:3])
    assert shown == [(0, 255, 0), (2, 200, 90), (2, 40, 90)]


def test_causes_stand_below_the_picture(verify, entry, monkeypatch):
    import sdstudio.background.verifying as module

    def judged(file, recorded, again, now):
        from sdstudio.history.verdict import causes_of

        causes = tuple(causes_of(recorded, now.model_copy(update={"made_with": {"device": "CPU"}})))
        return Verdict(Outcome.NEAR, 1, 0.1, 0.2, causes, again, again)

    monkeypatch.setattr(module, "judged", judged)
    window = verify(entry(1, device="Apple GPU"))
    assert "Device: Apple GPU then, CPU now" in verdict(window)
    assert any(label.text() == "Apple GPU  →  CPU" for label in window.findChildren(QLabel))


def test_what_was_not_taken_over_of_an_imported_picture_stands_there_too(verify, entry, studio):
    kept = {"program": "A1111", "not_mapped": {"ENSD": "31337", "Template": "a {cat}"}, "assumed": ["Steps"]}
    window = verify(entry(1, pixels=Image.new("RGB", (64, 64), (2, 200, 90)), **{IMPORTED: kept}))
    assert "ENSD: 31337 then, not used now" in verdict(window)
    shown = [label.text() for label in window.findChildren(QLabel)]
    assert "31337  →  not used" in shown
    assert "not recorded  →  3" in shown
    assert "Template" not in shown


def test_a_picture_that_is_gone_says_so(verify, entry):
    lost = entry(1)
    lost.path.unlink()
    window = verify(lost)
    assert rows(window) == ["Could not be redrawn"]
    assert "gone or cannot be read" in verdict(window)


def test_cancel_forgets_what_waits(build, qtbot):
    studio = build({"slow": until_cancelled})
    request = GenerationRequest(model="tiny", prompt="slow", width=64, height=64, steps=3, seed=1)
    entries = [
        studio.history.save(picture(request, seed), Recipe(app="test", request=request.with_seed(seed)))
        for seed in (1, 2, 3)
    ]
    studio.start_worker()
    studio.window.actions_on_entries.ask("verify", entries)
    window = studio.window.findChild(object, "verifyWindow")
    qtbot.waitUntil(lambda: "Redrawing" in rows(window), timeout=20_000)
    click(window, "verifyCancelButton")
    qtbot.waitUntil(lambda: rows(window) == [], timeout=20_000)
    assert not window.cancel_button.isVisible()


def test_nothing_is_saved_and_the_canvas_stays(verify, entry, studio):
    kept = entry(1)
    studio.window.canvas.show_entry(kept)
    verify(kept)
    assert studio.history.count() == 1
    assert studio.window.canvas.entry == kept


def test_list_heading_and_foot_agree_on_what_is_being_done(verify, entry, studio, qtbot):
    window = verify(entry(1), wait=False)
    seen = set()

    def is_done() -> bool:
        assert verdict(window).startswith(rows(window)[0])
        seen.add(rows(window)[0])
        foot = [label.text() for label in window.findChildren(QLabel) if label.property("role") == "caption"]
        assert not any("1 of 1 ·" in text or "Waiting" in text for text in foot)
        return rows(window) == ["Identical"]

    qtbot.waitUntil(is_done, timeout=20_000)
    assert "Waiting" in seen or "Redrawing" in seen

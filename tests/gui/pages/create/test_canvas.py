"""The canvas: a place kept from the start, previews in it, then the picture, and everything a hand can do to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.events import Decoding, Enlarging, ModelLoading, PreviewFrame, StepDone
from sdstudio.core.request.request import GenerationRequest
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.entries.actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.create.hover_bar import HoverBar
from sdstudio.ui.theme import apply_theme

EXAMPLES = ("red heart on a blue background", "slice of pizza", "frog", "never offered")


def job(count: int = 1, width: int = 64, height: int = 64, job_id: int = 1) -> Job:
    request = GenerationRequest(prompt="red heart", width=width, height=height)
    return Job(job_id, request, tuple(range(count)), 1, JobState.RUNNING, "", "", 0, datetime.now().astimezone())


def step(number: int = 1, colour: tuple[int, int, int] = (200, 0, 0)) -> StepDone:
    return StepDone(number, 20, 0, 1, 1, 0.1, PreviewFrame(2, 2, bytes(colour) * 4))


@pytest.fixture
def actions() -> EntryActions:
    return EntryActions()


@pytest.fixture
def canvas(qapp: QApplication, qtbot, actions: EntryActions) -> Iterator[Canvas]:
    apply_theme(qapp, "dark")
    tasks = TaskRunner()
    made = Canvas(actions, tasks)
    qtbot.addWidget(made)
    made.resize(600, 500)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    tasks.close()


def wheel(canvas: Canvas, at: QPointF, notches: int) -> None:
    view = canvas.view
    event = QWheelEvent(
        at, view.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def colour_in_the_middle(canvas: Canvas) -> tuple[int, int, int]:
    shot = canvas.view.grab().toImage()
    return shot.pixelColor(shot.width() // 2, shot.height() // 2).getRgb()[:3]


class TestEmpty:
    def test_three_examples_of_the_model_are_offered(self, canvas):
        canvas.set_examples("Starter", EXAMPLES)
        assert [button.text().strip() for button in canvas.empty.suggestions] == list(EXAMPLES[:3])
        assert "Starter" in canvas.empty.findChild(QLabel, "emptyText").text()

    def test_pressing_an_example_tells_its_prompt(self, canvas, qtbot):
        canvas.set_examples("Starter", EXAMPLES)
        with qtbot.waitSignal(canvas.example_chosen) as told:
            QTest.mouseClick(canvas.empty.suggestions[1], Qt.MouseButton.LeftButton)
        assert told.args == ["slice of pizza"]

    @pytest.mark.parametrize("height", [120, 200, 240, 300])
    def test_where_it_is_low_parts_are_left_out_and_none_is_cut(self, canvas, qtbot, height):
        canvas.set_examples("dreamshaperXL_v21TurboDPMSDE-pruned-fp16", EXAMPLES)
        canvas.resize(300, height)
        parts = [*canvas.empty.findChildren(QLabel), *canvas.empty.suggestions]

        def is_whole(part):
            needed = part.heightForWidth(part.width()) if part.hasHeightForWidth() else part.sizeHint().height()
            return canvas.empty.rect().contains(part.geometry()) and part.height() >= needed

        qtbot.waitUntil(lambda: all(is_whole(part) for part in parts if part.isVisible()))
        assert canvas.empty.suggestions[2].isVisible() == (height >= 200)
        assert canvas.empty.findChild(QLabel, "emptyText").isVisible() == (height >= 240)

    def test_another_model_offers_its_own(self, canvas):
        canvas.set_examples("Starter", EXAMPLES)
        canvas.set_examples("Other", ())
        assert canvas.empty.suggestions == []


class TestForming:
    @pytest.mark.parametrize(("width", "height"), [(512, 512), (512, 768), (768, 512)])
    def test_the_place_has_the_shape_of_the_request_before_anything_arrives(self, canvas, width, height):
        canvas.begin(job(width=width, height=height))
        place = canvas.view.picture_rect()
        assert place.width() / place.height() == pytest.approx(width / height, rel=0.01)
        assert canvas.view.rect().contains(place.toAlignedRect())

    def test_loading_steps_and_decoding_are_told_in_the_place(self, canvas):
        canvas.begin(job(), "Loading the model…")
        assert canvas.view.caption == "Loading the model…"
        canvas.show_event(1, ModelLoading("Starter", 0.4, "unet"))
        assert "Starter" in canvas.view.caption
        assert "40%" in canvas.view.caption
        canvas.show_event(1, Enlarging(3, 12, 0.5))
        assert canvas.view.caption == "Enlarging  25%"
        canvas.show_event(1, StepDone(3, 20, 0, 1, 1, 0.1))
        assert canvas.view.caption == "Step 3 of 20"
        canvas.show_event(1, Decoding(0, 1))
        assert "pixels" in canvas.view.caption

    def test_a_preview_fills_the_kept_place_and_the_picture_takes_it_over(self, canvas, save):
        canvas.begin(job(width=64, height=64))
        place = canvas.view.picture_rect()
        canvas.show_event(1, step())
        assert canvas.view.has_preview
        assert colour_in_the_middle(canvas) == (200, 0, 0)
        assert canvas.view.picture_rect() == place
        entry = replace(save(seed=120), job_id=1)
        canvas.add_picture(entry)
        assert canvas.view.picture_rect() == place
        assert canvas.entry is entry

    def test_news_of_another_job_is_not_shown(self, canvas):
        canvas.begin(job(job_id=1), "first")
        canvas.show_event(2, step())
        assert not canvas.view.has_preview

    def test_a_job_that_made_nothing_leaves_the_examples(self, canvas):
        canvas.begin(job())
        canvas.finish(job())
        assert canvas.empty.isVisible()

    def test_looking_at_the_history_is_not_disturbed_and_the_live_view_comes_back(self, canvas, save):
        canvas.begin(job())
        entry = save()
        canvas.show_entry(entry)
        canvas.show_event(1, step())
        assert canvas.entry is entry
        assert not canvas.view.has_preview
        [back] = [button for button in canvas.findChildren(QPushButton) if "live" in button.text()]
        assert back.isVisible()
        QTest.mouseClick(back, Qt.MouseButton.LeftButton)
        assert canvas.view.has_preview
        assert not back.isVisible()


class TestBatch:
    def test_there_is_a_place_for_each_picture_and_a_click_chooses(self, canvas, save):
        canvas.begin(job(count=3))
        entries = [replace(save(seed=seed), job_id=1) for seed in (1, 2, 3)]
        for entry in entries:
            canvas.add_picture(entry)
        assert canvas.strip.isVisible()
        assert canvas.strip.entries == tuple(entries)
        QTest.mouseClick(canvas.strip, Qt.MouseButton.LeftButton, pos=canvas.strip.slot_rect(0).center().toPoint())
        assert canvas.entry is entries[0]
        QTest.keyClick(canvas.strip, Qt.Key.Key_Right)
        assert canvas.entry is entries[1]

    def test_a_single_picture_has_no_strip(self, canvas):
        canvas.begin(job(count=1))
        assert not canvas.strip.isVisible()

    def test_places_of_pictures_that_never_came_are_given_up(self, canvas, save):
        canvas.begin(job(count=4))
        for seed in (1, 2):
            canvas.add_picture(replace(save(seed=seed), job_id=1))
        canvas.finish(job(count=4))
        assert not canvas.strip.slot_rect(2).intersects(canvas.strip.slot_rect(1))
        assert len(canvas.strip.entries) == 2
        assert canvas.strip.isVisible()

    def test_the_last_picture_stays_when_the_next_one_is_given_up(self, canvas, save):
        canvas.begin(job(count=4))
        entries = [replace(save(seed=seed), job_id=1) for seed in (1, 2)]
        for entry in entries:
            canvas.add_picture(entry)
        canvas.show_event(1, step())
        canvas.finish(job(count=4))
        assert canvas.entry is entries[1]
        assert canvas.view.isVisible()
        assert canvas.strip.current == 1

    def test_a_deleted_picture_leaves_strip_and_canvas(self, canvas, save):
        canvas.begin(job(count=2))
        entries = [replace(save(seed=seed), job_id=1) for seed in (1, 2)]
        for entry in entries:
            canvas.add_picture(entry)
        canvas.finish(job(count=2))
        canvas.forget([entries[1].id])
        assert canvas.entry is entries[0]
        canvas.forget([entries[0].id])
        assert canvas.entry is None
        assert canvas.empty.isVisible()


class TestPictures:
    def test_a_blocked_picture_says_why(self, canvas, save):
        canvas.show_entry(save(blocked="the safety checker took it for explicit"))
        assert "the safety checker took it for explicit" in canvas.view.caption
        assert canvas.view.picture.isNull()

    def test_a_picture_whose_file_is_gone_says_so(self, canvas, save):
        entry = save()
        entry.path.unlink()
        canvas.show_entry(entry)
        assert entry.path.name in canvas.view.caption

    @pytest.mark.parametrize("spec", [row for row in ENTRY_ACTIONS if row.bar], ids=lambda row: row.key)
    def test_the_hover_bar_asks_for_what_its_buttons_say(self, canvas, actions, save, qtbot, spec):
        entry = save()
        canvas.show_entry(entry)
        QTest.mouseMove(canvas.view, canvas.view.rect().center() - QPoint(5, 5))
        QTest.mouseMove(canvas.view, canvas.view.rect().center())
        button = canvas.findChild(QToolButton, f"hover_{spec.key}")
        assert button.isVisible()
        assert button.accessibleName()
        assert button.toolTip()
        with qtbot.waitSignal(actions.requested) as told:
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert (told.args[0].key, told.args[0].entries) == (spec.key, (entry,))

    def test_without_a_picture_there_is_no_hover_bar(self, canvas):
        canvas.begin(job())
        QTest.mouseMove(canvas.view, canvas.view.rect().center())
        assert not canvas.findChild(QToolButton, "hover_copy").isVisible()


class TestZoom:
    @pytest.fixture
    def shown(self, canvas, save) -> Canvas:
        canvas.show_entry(save(width=512, height=256))
        return canvas

    def test_a_picture_is_fitted_at_first_and_follows_the_window(self, shown):
        before = shown.view.picture_rect()
        shown.resize(900, 700)
        after = shown.view.picture_rect()
        assert shown.view.is_fitted
        assert after.width() > before.width()
        assert after.width() / after.height() == pytest.approx(2.0, rel=0.01)

    def test_the_wheel_keeps_what_is_under_the_cursor(self, shown):
        at = QPointF(200, 220)
        place = shown.view.picture_rect()
        share = QPointF((at.x() - place.x()) / place.width(), (at.y() - place.y()) / place.height())
        wheel(shown, at, 3)
        place = shown.view.picture_rect()
        assert not shown.view.is_fitted
        assert place.x() + share.x() * place.width() == pytest.approx(at.x(), abs=1)
        assert place.y() + share.y() * place.height() == pytest.approx(at.y(), abs=1)

    def test_zooming_out_ends_fitted(self, shown):
        wheel(shown, QPointF(300, 200), 2)
        wheel(shown, QPointF(300, 200), -20)
        assert shown.view.is_fitted

    def test_100_percent_is_one_pixel_for_one_and_back_again(self, shown):
        shown.view.toggle_zoom()
        assert shown.view.zoom == 1.0
        assert shown.view.picture_rect().size().toSize() == QSize(512, 256) / shown.devicePixelRatioF()
        assert "100%" in [label.text() for label in shown.findChildren(QLabel) if label.isVisible()]
        shown.view.toggle_zoom()
        assert shown.view.is_fitted

    def test_dragging_pans_a_zoomed_picture_and_takes_a_fitted_one_out(self, shown, qtbot):
        taken = []
        shown.view.drag_out_started.disconnect()
        shown.view.drag_out_started.connect(lambda: taken.append(True))
        centre = shown.view.rect().center()

        def drag(by: QPoint) -> None:
            QTest.mousePress(shown.view, Qt.MouseButton.LeftButton, pos=centre)
            QTest.mouseMove(shown.view, centre + by / 2)
            QTest.mouseMove(shown.view, centre + by)
            QTest.mouseRelease(shown.view, Qt.MouseButton.LeftButton, pos=centre + by)

        drag(QPoint(60, 40))
        assert taken == [True]
        shown.view.zoom_to(4.0)
        before = shown.view.picture_rect().topLeft()
        drag(QPoint(60, 40))
        moved = shown.view.picture_rect().topLeft() - before
        assert (moved.x(), moved.y()) == pytest.approx((60, 40), abs=2)
        assert taken == [True]

    def test_a_picture_cannot_be_lost_out_of_sight(self, shown):
        shown.view.zoom_to(2.0)
        for _ in range(20):
            QTest.mousePress(shown.view, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
            QTest.mouseMove(shown.view, QPoint(500, 400))
            QTest.mouseRelease(shown.view, Qt.MouseButton.LeftButton, pos=QPoint(500, 400))
        assert shown.view.picture_rect().intersects(shown.view.rect())

    def test_one_screen_pixel_per_pixel_is_drawn_unblurred(self, canvas, save):
        entry = save(width=64, height=64)
        chess = Image.new("RGB", (64, 64))
        chess.putdata([(255, 255, 255) if (i + i // 64) % 2 else (0, 0, 0) for i in range(64 * 64)])
        chess.save(entry.path)
        canvas.show_entry(entry)
        canvas.view.zoom_to(8.0)
        shot = canvas.view.grab().toImage()
        centre = canvas.view.rect().center()
        seen = {shot.pixelColor(centre.x() + dx, centre.y()).value() for dx in range(-60, 60)}
        assert seen == {0, 255}


@pytest.mark.parametrize(("width", "worded"), [(300, False), (800, True)])
def test_the_hover_bar_fits_the_canvas(canvas, width, worded, save):
    canvas.resize(width, 400)
    canvas.show_entry(save())
    QTest.mouseMove(canvas.view, canvas.view.rect().center())
    bar = canvas.findChild(HoverBar)
    assert bar.isVisible()
    assert canvas.rect().contains(bar.geometry())
    style = canvas.findChild(QToolButton, "hover_rerun").toolButtonStyle()
    assert (style is Qt.ToolButtonStyle.ToolButtonTextBesideIcon) is worded


def test_a_picture_that_begins_from_another_shows_it_dimmed_until_there_is_a_preview(canvas):
    red = QImage(64, 64, QImage.Format.Format_RGB32)
    red.fill(QColor(255, 0, 0))
    canvas.first_look = lambda request: red if request.prompt == "red heart" else None
    canvas.begin(job(), "Getting ready…")
    assert canvas.view.caption == "Getting ready…"
    place = canvas.view.picture_rect()
    corner = (place.topLeft() + QPointF(place.width() / 4, place.height() / 4)).toPoint()
    shade = canvas.view.grab().toImage().pixelColor(corner)
    assert 60 < shade.red() < 200
    assert shade.red() > 2 * shade.blue()
    canvas.show_event(1, step(colour=(0, 0, 200)))
    assert canvas.view.grab().toImage().pixelColor(corner).blue() > 150

"""The look: contrast by computation, every colour known, icons drawn, the desktop followed live."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QMainWindow, QPushButton, QWidget

from sdstudio.core.paths import resources
from sdstudio.ui import icon_drawing
from sdstudio.ui import theme as look
from sdstudio.ui.colours import DARK, LIGHT, Tokens
from sdstudio.ui.icon_drawing import drawn
from sdstudio.ui.theme import apply_theme, icon, mark, pixmap, set_icon, style_sheet, tokens
from sdstudio.ui.widgets.buttons import fill, push_button

SURFACES = ("window", "surface", "raised")
TEXTS = ("text", "muted", "accent_text", "danger", "warning", "success")
READABLE = 4.5  # WCAG 2.2, 1.4.3
VISIBLE = 3.0  # WCAG 2.2, 1.4.11: what shows where the focus is
THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
RECOLOURED = [
    file for file in sorted((resources() / "icons").glob("*.svg")) if "currentColor" in file.read_text(encoding="utf-8")
]


def _luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    parts = [linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@THEMES
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", TEXTS)
def test_every_text_is_readable_on_every_surface(theme: Tokens, surface: str, text: str) -> None:
    assert contrast(getattr(theme, text), getattr(theme, surface)) >= READABLE


@THEMES
@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("on_accent", "accent"), ("on_accent", "accent_hover"), ("on_accent", "accent_pressed"),
        ("text", "selection"), ("text", "hover"), ("muted", "hover"), ("text", "border"),
    ],
)  # fmt: skip
def test_text_stays_readable_under_pointer_and_selection(theme: Tokens, text: str, surface: str) -> None:
    assert contrast(getattr(theme, text), getattr(theme, surface)) >= READABLE


@THEMES
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("colour", ["accent_text", "danger"])
def test_focus_rings_and_error_frames_are_visible(theme: Tokens, surface: str, colour: str) -> None:
    assert contrast(getattr(theme, colour), getattr(theme, surface)) >= VISIBLE


@THEMES
def test_the_style_sheet_holds_no_colour_that_is_no_token(theme: Tokens) -> None:
    known = {value.lower() for value in asdict(theme).values() if value.startswith("#")}
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", style_sheet(theme).lower())) <= known


@THEMES
def test_the_style_sheet_names_only_pictures_that_exist(theme: Tokens) -> None:
    pictures = re.findall(r'url\("([^"]+)"\)', style_sheet(theme))
    assert pictures
    assert [picture for picture in pictures if not Path(picture).is_file()] == []


@THEMES
@pytest.mark.parametrize("arrow", ["arrow-down", "arrow-up", "arrow-right", "close", "float"])
def test_arrows_have_the_colour_of_secondary_text(theme: Tokens, arrow: str) -> None:
    drawing = (resources() / "themes" / f"{arrow}-{theme.name}.svg").read_text(encoding="utf-8")
    assert f'stroke="{theme.muted}"' in drawing


def test_applying_a_theme_sets_palette_style_and_tokens(qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    assert tokens() is LIGHT
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(LIGHT.surface)
    apply_theme(qapp, "dark")
    assert tokens() is DARK
    assert qapp.palette().color(QPalette.ColorRole.WindowText) == QColor(DARK.text)
    assert DARK.accent in qapp.styleSheet()


def test_it_follows_the_desktop_live_only_when_asked_to(qapp: QApplication) -> None:
    heard: list[Tokens] = []
    theme = apply_theme(qapp, "system")
    theme.changed.connect(heard.append)
    qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert tokens() is LIGHT
    qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert tokens() is DARK
    assert heard == [LIGHT, DARK]
    apply_theme(qapp, "dark")
    qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert tokens() is DARK
    theme.changed.disconnect(heard.append)


def test_one_application_has_one_theme(qapp: QApplication) -> None:
    assert apply_theme(qapp, "dark") is apply_theme(qapp, "light") is look.current_theme()
    apply_theme(qapp, "dark")


@pytest.mark.parametrize("file", RECOLOURED, ids=lambda file: file.stem)
def test_every_icon_is_drawn_in_the_colour_asked_for(qapp: QApplication, file) -> None:
    apply_theme(qapp, "dark")
    image = pixmap(file.stem, "#ff0000", 24, 2.0).toImage()
    assert (image.width(), image.height()) == (48, 48)
    colours = {
        image.pixelColor(x, y).name() for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() == 255
    }
    assert colours == {"#ff0000"}


def _source() -> str:
    package = Path(look.__file__).parent.parent
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(package.rglob("*.py")))


def test_every_icon_asked_for_is_there_and_none_is_shipped_unused() -> None:
    source = _source()
    asked = set(re.findall(r'\b(?:set_icon\([^,()]+, |icon\(|pixmap\()"([a-z0-9-]+)"', source))
    there = {file.stem for file in (resources() / "icons").glob("*.svg")}
    assert len(asked) > 5
    assert asked - there == set()
    assert {name for name in there if not re.search(rf"[\"' ]{name}[\"' ]", source)} == set()


def test_icons_come_with_their_licence() -> None:
    assert "ISC License" in (resources() / "icons" / "LICENSE").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in (resources() / "themes" / "fonts" / "OFL.txt").read_text(encoding="utf-8").upper()


def _strongest(button: QPushButton) -> str:
    image = button.icon().pixmap(16, 16).toImage()
    solid = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return max(solid, key=lambda colour: colour.alpha()).name()


def test_icons_change_with_the_theme(qapp: QApplication, qtbot) -> None:
    apply_theme(qapp, "dark")
    window = QMainWindow()
    qtbot.addWidget(window)
    button = QPushButton(window)
    set_icon(button, "square", "text")
    action = window.addAction("Play")
    set_icon(action, "play", "muted")
    assert _strongest(button) == DARK.text
    key = action.icon().cacheKey()
    apply_theme(qapp, "light")
    assert _strongest(button) == LIGHT.text
    assert action.icon().cacheKey() != key
    apply_theme(qapp, "dark")


@THEMES
def test_the_icon_of_a_filled_button_is_seen_on_the_accent(qapp: QApplication, qtbot, theme: Tokens) -> None:
    apply_theme(qapp, theme.name)
    holder = QWidget()
    qtbot.addWidget(holder)
    button = push_button(holder, "exportButton", "Export", "upload", lambda: None)
    fill(button, "upload")
    picture = button.icon().pixmap(16).toImage()
    drawn = [picture.pixelColor(x, y) for x in range(16) for y in range(16) if picture.pixelColor(x, y).alpha() == 255]
    assert drawn
    assert all(contrast(colour.name(), theme.accent) >= READABLE for colour in drawn)


def test_an_icon_is_crisp_on_a_double_screen(qapp: QApplication) -> None:
    apply_theme(qapp, "dark")
    play = icon("play", size=20)
    assert play.pixmap(QSize(20, 20), 1.0).width() == 20
    assert play.pixmap(QSize(20, 20), 2.0).width() == 40
    assert play.pixmap(QSize(64, 64), 1.0).width() == 20, "no larger than it is made for"
    assert pixmap("play", size=20, ratio=2.0).width() == 40


def test_an_icon_is_drawn_when_it_is_seen_and_once(qapp: QApplication, qtbot, monkeypatch) -> None:
    colours: list[str] = []

    def noted(source, colour, size, ratio):
        colours.append(colour)
        return drawn(source, colour, size, ratio)

    monkeypatch.setattr(icon_drawing, "drawn", noted)
    button = QPushButton()
    qtbot.addWidget(button)
    button.setIcon(icon_drawing.drawn_icon("play", "#ff0000", "#00ff00", 16))
    assert colours == []
    button.show()
    looks = [button.grab().toImage(), button.grab().toImage()]
    assert looks[0] == looks[1]
    assert colours == ["#ff0000"]
    button.setEnabled(False)
    assert button.grab().toImage() != looks[0]
    assert colours == ["#ff0000", "#00ff00"]


def test_marking_a_shown_button_changes_how_it_looks(qapp: QApplication, qtbot) -> None:
    apply_theme(qapp, "dark")
    button = QPushButton("Go")
    qtbot.addWidget(button)
    button.resize(120, 32)
    button.show()
    assert button.grab().toImage().pixelColor(12, 6).name() == DARK.raised
    mark(button, "primary", True)
    assert button.grab().toImage().pixelColor(12, 6).name() == DARK.accent

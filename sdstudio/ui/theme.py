"""What the studio looks like: every size and radius once, and how they and the colours reach widgets and icons.

`apply_theme` styles the application and follows the desktop when asked to; `set_icon` gives a widget an icon that
changes with the theme. Rules of the look that need words (roles and button classes) stand in
``resources/themes/studio.qss``, a template over the fields of `Tokens`.

Dynamic properties the style sheet knows: on buttons ``primary`` (the one filled button), ``ghost`` (no frame),
``chip`` (rounded suggestion), ``danger``; on labels ``role`` = ``heading | group | caption | muted | error | success``;
on frames ``card``; on fields ``invalid``.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final, Literal

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QStyle, QStyleFactory, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.paths import resources
from sdstudio.ui.colours import DARK, LIGHT, THEMES, Tokens
from sdstudio.ui.first_paint import all_widgets_alive
from sdstudio.ui.icon_drawing import drawn, drawn_icon, svg

FONT_SIZES: Final = range(8, 21)
ThemeChoice = Literal["system", "dark", "light"]

GRID: Final = 8
"""Every distance is a multiple of this, or half of it."""
NARROW_PX: Final = 480
"""Where there is less room, the chips have a line of their own."""
RADIUS: Final = 6
TEXT_PX: Final = 13
SMALL_PX: Final = 11
LARGE_PX: Final = 15
TITLE_PX: Final = 20
ICON_PX: Final = 16
STRONG: Final = "<b style='font-weight: 600'>"
"""Begins strong words in rich text: the fonts that come along have no bolder weight, and a bolder one is smeared."""
FONT_PT: Final = 10
"""At this size of the settings, text has the pixels above."""
_HEIGHT: Final = re.compile(r"(\b(?:min|max)-height: )(1[89]|2\d|3[0-2])px")
"""Heights of lines of text in the style sheet."""
_WIDTHS: Final = (
    ("ParameterPanel", (264, 380), (4000, 4000)),
    ("NumberEditor", (80, 126), (88, 132)),
    ("QListWidget#settingsGroups", (150, 286), (150, 286)),
    ("SettingsDialog", (520, 640), (4000, 4000)),
    ("AssetDetails", (300, 448), (300, 448)),
    ("EntryDetails", (300, 480), (300, 480)),
)
"""Widths that words need, at least and at most, each at 10 and 20 points: they grow less than the text, which wraps."""
_BARS: Final = (("TopBar", 48), ("StatusLine", 36))
FONT_FAMILIES: Final = ("Inter", "Segoe UI", "SF Pro Text", "Noto Sans")


class Theme(QObject):
    """The application's theme: which tokens hold now, and a signal when they change. A child of the application."""

    #: After every change of the tokens, with the new ones; palette and style sheet are already set.
    changed = TypedSignal[Tokens]()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.setObjectName("studioTheme")
        self.tokens = DARK
        self._app = app
        self._choice: ThemeChoice = "system"
        self.font_pt = FONT_PT
        self._is_dressed = False
        self._is_bare = False
        self._icons: dict[tuple[str, str, str, int], QIcon] = {}
        app.styleHints().colorSchemeChanged.connect(self._on_desktop_changed)

    def choose(self, choice: ThemeChoice, font_pt: int = FONT_PT, bare: bool = False) -> None:
        """Follow the desktop, or hold to one theme; with text of this size; ``bare`` as in `apply_theme`."""
        self._choice = choice
        if font_pt != self.font_pt:
            self._is_bare = False
            self.font_pt = font_pt
            self._is_dressed = False
        hints = self._app.styleHints()
        wanted = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}.get(choice, Qt.ColorScheme.Unknown)
        if hasattr(hints, "setColorScheme"):  # since Qt 6.8: title bars and native dialogs follow
            with all_widgets_alive():
                hints.setColorScheme(wanted)
        tokens = _tokens_for(choice, hints.colorScheme())
        if bare and not self._app.styleSheet():
            self._undress(tokens)
        else:
            self._dress(tokens)

    def icon(self, name: str, color: str, size: int) -> QIcon:
        """Return the icon in a colour of the current tokens, drawn at its first use."""
        key = (name, _colour(self.tokens, color), self.tokens.disabled, size)
        if key not in self._icons:
            self._icons[key] = drawn_icon(*key)
        return self._icons[key]

    def _on_desktop_changed(self, scheme: Qt.ColorScheme) -> None:
        if self._choice == "system":
            self._dress(_tokens_for("system", scheme))

    def _undress(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._is_bare = True
        with all_widgets_alive():
            self._app.setPalette(_palette(tokens))

    def _dress(self, tokens: Tokens) -> None:
        is_same, was_bare = tokens is self.tokens, self._is_bare
        if is_same and self._is_dressed and self._app.styleSheet():
            return  # a style sheet set again costs as much as another one
        self.tokens = tokens
        self._is_bare = False
        self._is_dressed = True
        with all_widgets_alive():
            self._app.setStyleSheet("")  # Qt takes four times as long to put a sheet over another one
            self._app.setPalette(_palette(tokens))
            self._app.setStyleSheet(style_sheet(tokens))
        if is_same and was_bare:
            return  # all was drawn in these colours
        for window in self._app.topLevelWidgets():
            for target in (window, *window.findChildren(QAbstractButton), *window.findChildren(QAction)):
                _renew_icon(target)
        self.changed.emit(tokens)


def apply_theme(app: QApplication, choice: ThemeChoice, font_pt: int = FONT_PT, bare: bool = False) -> Theme:
    """Style the application: Fusion, fonts, palette, style sheet. Call it again to change the choice.

    Args:
        app: It.
        choice: Which theme.
        font_pt: How large text is.
        bare: No style sheet yet, if there was none: widgets are built in half of the time, and looking at all of them
            afterwards takes a tenth of what it takes to put one sheet in the place of another.
    """
    theme = _theme_of(app)
    if theme is None:
        with all_widgets_alive():
            app.setStyle(QStyleFactory.create("Fusion"))
            app.setFont(_font(app))
        theme = Theme(app)
    theme.choose(choice, font_pt, bare)
    return theme


def current_theme() -> Theme | None:
    """Return the running application's theme, ``None`` before `apply_theme`."""
    app = QApplication.instance()
    return _theme_of(app) if isinstance(app, QApplication) else None


def scaled(px: int) -> int:
    """Return a size of text, or of what holds text, at the font size of the settings."""
    theme = current_theme()
    return px if theme is None else round(px * theme.font_pt / FONT_PT)


def tokens() -> Tokens:
    """Return the colours that hold now; the dark ones before `apply_theme`."""
    theme = current_theme()
    return theme.tokens if theme is not None else DARK


def icon(name: str, color: str | None = None, size: int = ICON_PX) -> QIcon:
    """Return an icon as it looks in the current theme; for one that changes with the theme use `set_icon`.

    Args:
        name: File in ``resources/icons`` without its ending.
        color: Field of `Tokens` ("accent_text") or ``#rrggbb``; default: ``text``.
        size: Side in logical pixels; drawn for 1x and 2x screens.
    """
    theme = current_theme()
    if theme is not None:
        return theme.icon(name, color or "text", size)
    return drawn_icon(name, _colour(DARK, color or "text"), DARK.disabled, size)


def set_icon(target: QAbstractButton | QAction, name: str, color: str = "text", size: int = ICON_PX) -> None:
    """Give a button, or an action that some widget holds, an icon that changes with the theme."""
    target.setProperty("studioIcon", f"{name} {color} {size}")
    if isinstance(target, QAbstractButton):
        target.setIconSize(QSize(size, size))
    target.setIcon(icon(name, color, size))


def leading_icon(edit: QLineEdit, name: str) -> None:
    """Put an icon before the words of a line edit that shows what the edit is for."""
    set_icon(edit.addAction(icon(name, "muted"), QLineEdit.ActionPosition.LeadingPosition), name, "muted")


def pixmap(name: str, color: str | None = None, size: int = ICON_PX, ratio: float = 1.0) -> QPixmap:
    """Draw an icon once, for painters and labels; ``size`` is in logical pixels, ``ratio`` the screen's."""
    return drawn(svg(name), _colour(tokens(), color or "text"), size, ratio)


def mark(widget: QWidget, name: str, value: Any) -> None:
    """Set a dynamic property the style sheet knows (``mark(button, "primary", True)``) and restyle the widget."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    if not widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
        return  # the style has not looked at it yet
    style: QStyle = widget.style()
    style.unpolish(widget)
    style.polish(widget)


def style_sheet(theme: Tokens) -> str:
    """Fill the style sheet's template with one theme's tokens."""
    sizes = {
        "grid": GRID,
        "half": GRID // 2,
        "radius": RADIUS,
        "px": scaled(TEXT_PX),
        "small_px": scaled(SMALL_PX),
        "large_px": scaled(LARGE_PX),
        "title_px": scaled(TITLE_PX),
    }
    filled = Template(_template()).substitute(asdict(theme), **sizes, art=_themes().as_posix())
    return filled if scaled(100) <= 100 else _with_room(filled)


def with_room(px: int) -> int:
    """Return the height of what holds a line of text, at the font size of the settings; ``px`` is the usual one."""
    return px + round(1.4 * (scaled(TEXT_PX) - TEXT_PX))


def _with_room(sheet: str) -> str:
    """Give what holds a line of text room for text that is larger than usual."""
    more = with_room(0)
    lines = [_HEIGHT.sub(lambda found: f"{found[1]}{int(found[2]) + more}px", sheet)]
    lines += [f"{name} {{ min-width: {_wide(*px)}px; max-width: {_wide(*most)}px }}" for name, px, most in _WIDTHS]
    lines += [f"{name} {{ min-height: {px + more}px; max-height: {px + more}px }}" for name, px in _BARS]
    return "\n".join(lines)


def _wide(px: int, largest_px: int) -> int:
    """Return a width between that at the usual size of text and that at the largest one."""
    return px + round((largest_px - px) * (scaled(100) - 100) / 100)


def _theme_of(app: QApplication) -> Theme | None:
    theme = app.findChild(QObject, "studioTheme", Qt.FindChildOption.FindDirectChildrenOnly)
    return theme if isinstance(theme, Theme) else None


def _tokens_for(choice: ThemeChoice, scheme: Qt.ColorScheme) -> Tokens:
    if choice == "system":  # a desktop without such a setting gets the dark theme: pictures look best on it
        return LIGHT if scheme == Qt.ColorScheme.Light else DARK
    return THEMES[choice]


def _colour(theme: Tokens, color: str) -> str:
    return color if color.startswith("#") else str(getattr(theme, color))


def _renew_icon(target: QObject) -> None:
    description = target.property("studioIcon")
    if description and isinstance(target, QAbstractButton | QAction):
        name, color, size = str(description).split()
        target.setIcon(icon(name, color, int(size)))


def _palette(theme: Tokens) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    colours = {
        role.Window: theme.surface, role.WindowText: theme.text, role.Base: theme.raised, role.Text: theme.text,
        role.AlternateBase: theme.surface, role.PlaceholderText: theme.muted, role.Button: theme.raised,
        role.ButtonText: theme.text, role.BrightText: theme.danger, role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text, role.Highlight: theme.selection, role.HighlightedText: theme.text,
        role.Accent: theme.accent, role.Link: theme.accent_text, role.LinkVisited: theme.accent_text,
        role.Light: theme.hover, role.Midlight: theme.hover, role.Mid: theme.control, role.Dark: theme.border,
        role.Shadow: theme.window,
    }  # fmt: skip
    palette = QPalette()
    for name, colour in colours.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, name, QColor(theme.disabled))
    return palette


def _font(app: QApplication) -> QFont:
    for file in sorted((_themes() / "fonts").glob("*.otf")):
        QFontDatabase.addApplicationFont(str(file))
    font = QFont(app.font())
    font.setFamilies([*FONT_FAMILIES, font.family()])
    font.setPixelSize(TEXT_PX)
    return font


def _themes() -> Path:
    return resources() / "themes"


@cache
def _template() -> str:
    return (_themes() / "studio.qss").read_text(encoding="utf-8")

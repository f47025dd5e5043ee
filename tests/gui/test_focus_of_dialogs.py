"""In every dialog Tab reaches everything that can be used, and each stop looks different while it has the focus."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from sdstudio.ui.theme import apply_theme
from tests.gui.test_dialogs import DIALOGS
from tests.gui.test_focus_of_pages import looks_the_same, named, stops_of, usable

WAIT_MS = 20_000


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_dialog_is_walked_by_tab_and_every_stop_is_seen(studio, qtbot, qapp, tmp_path, theme):
    apply_theme(qapp, theme)
    unreached, unseen = {}, {}
    for name, make in DIALOGS.items():
        dialog = make(studio, tmp_path)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        qtbot.addWidget(dialog)
        with qtbot.waitExposed(dialog):
            dialog.show()
        dialog.activateWindow()
        qtbot.waitUntil(dialog.isActiveWindow, timeout=WAIT_MS)
        if dialog.focusWidget() is None:
            dialog.focusNextChild()
        stops = stops_of(dialog)
        assert stops, name
        unreached[name] = named(usable(dialog)) - named(stops)
        unseen[name] = named([stop for stop in stops if stop.isVisible() and looks_the_same(stop)])
        dialog.close()
    assert {name: found for name, found in unreached.items() if found} == {}
    assert {name: found for name, found in unseen.items() if found} == {}

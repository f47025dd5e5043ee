"""The Learn page as one of the window's pages."""

from __future__ import annotations

from sdstudio.ui.pages.learn.controller import ExplainController
from sdstudio.ui.pages.learn.page import LearnPage
from sdstudio.ui.shell import Shell, WidgetPage


def build_learn(shell: Shell, controller: ExplainController) -> WidgetPage:
    """Build the page, and let its controller serve it."""
    page = LearnPage(shell.over)
    controller.add_page(page)
    return WidgetPage(page)

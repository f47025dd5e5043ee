"""What the pattern that is being typed would call a picture, below its field, with the ending of the chosen format."""

from __future__ import annotations

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.name_pattern import check_pattern, example_name
from sdstudio.history.formats import FORMAT_BY_KEY
from sdstudio.ui.forms.field import Field
from sdstudio.ui.theme import mark
from sdstudio.ui.widgets.elided_label import ElidedLabel


class NameExample(ElidedLabel):
    """One line.

    Args:
        pattern: The field it stands below.
        file_format: The field that decides the ending.
    """

    def __init__(self, pattern: Field, file_format: Field) -> None:
        super().__init__()
        self.setObjectName("namePatternExample")
        mark(self, "role", "caption")
        self._pattern = pattern
        self._format = file_format
        layout = pattern.layout()
        assert layout is not None
        layout.addWidget(self)
        for field in (pattern, file_format):
            field.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show it again."""
        pattern = self._pattern.value()
        try:
            check_pattern(pattern)
        except InvalidRequest:  # half of it is typed, or its field shows what is wrong
            self.say("")
            return
        self.say(f"Example: {example_name(pattern)}{FORMAT_BY_KEY[self._format.value()].suffix}")

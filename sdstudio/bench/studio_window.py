"""The studio's start as a user has it: the window on the screen, then everything in it."""

import sys

from sdstudio.app import Studio, furnished, open_entrance
from sdstudio.bench.shown import READY, tell_when_shown
from sdstudio.process import collect_again, collect_later

if __name__ == "__main__":
    collect_later()
    entrance = open_entrance()
    kept: list[Studio] = []

    def furnish() -> None:
        """Go on as the program does, and print when everything has been drawn."""
        kept.append(furnished(entrance))
        collect_again()
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()

    entrance.window.when_shown(furnish)
    tell_when_shown(entrance.app, entrance.window)

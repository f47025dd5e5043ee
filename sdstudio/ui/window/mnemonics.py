"""Which letter of a menu's title Alt goes to: titles that name none themselves are given one that is still free."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QMenu, QMenuBar


def with_mnemonics(titles: Sequence[str]) -> list[str]:
    """Return the titles of one menu, each with a letter of its own as long as letters can be shared out.

    A title that names one with "&" keeps it. First letters of words are given before others.
    """
    named = {letter for title in titles if (letter := mnemonic(title))}
    holder: dict[str, int] = {}
    for number, title in enumerate(titles):
        if not mnemonic(title):
            _share_out(number, titles, holder, set(named))
    place = {number: letter for letter, number in holder.items()}
    return [_marked(title, place[number]) if number in place else title for number, title in enumerate(titles)]


def mnemonic(title: str) -> str:
    """Return the letter a title names, in lower case, "" when it names none."""
    _before, sign, after = title.replace("&&", "").partition("&")
    return after[:1].lower() if sign else ""


def give_mnemonics(bar: QMenuBar) -> None:
    """Give every action of every menu a letter of its own."""
    for menu in bar.findChildren(QMenu):
        _give(menu)


def _give(menu: QMenu) -> None:
    actions = [action for action in menu.actions() if not action.isSeparator()]
    for action, title in zip(actions, with_mnemonics([action.text() for action in actions]), strict=True):
        action.setText(title)


def _share_out(number: int, titles: Sequence[str], holder: dict[str, int], tried: set[str]) -> bool:
    """Give a title a letter; one that another holds is taken when that one can have another."""
    letters = _letters(titles[number])
    for letter in [each for each in letters if each not in holder] + [each for each in letters if each in holder]:
        if letter in tried:
            continue
        tried.add(letter)
        if letter not in holder or _share_out(holder[letter], titles, holder, tried):
            holder[letter] = number
            return True
    return False


def _letters(title: str) -> list[str]:
    """Return the letters of a title, those that begin a word first."""
    starts = [letter for at, letter in enumerate(title) if at == 0 or title[at - 1] in " -"]
    return list(dict.fromkeys(letter.lower() for letter in [*starts, *title] if letter.isalnum()))


def _marked(title: str, letter: str) -> str:
    starts = [at for at in range(len(title)) if at == 0 or title[at - 1] in " -"]
    at = next(at for at in [*starts, *range(len(title))] if title[at].lower() == letter)
    return f"{title[:at]}&{title[at:]}"

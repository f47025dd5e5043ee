"""The access token is kept by the system's keyring or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from sdstudio.core.errors import InvalidRequest
from sdstudio.library.getting.tokens import TokenStore


class Safe(KeyringBackend):
    """A keyring of the system's kind, in memory."""

    __module__ = "keyring.backends.testing"
    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise PasswordDeleteError
        del self.kept[service, username]


class PlainText(Safe):
    __module__ = "keyrings.alt.file"


@pytest.fixture(autouse=True)
def _keyring_as_before(monkeypatch) -> Iterator[None]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_token_is_kept_and_found_by_the_next_run():
    keyring.set_keyring(Safe())
    assert TokenStore().enter(" hf_abc \n") is True
    assert TokenStore()() == "hf_abc"
    TokenStore().forget()
    assert TokenStore()() == ""
    TokenStore().forget()


@pytest.mark.parametrize("backend", [PlainText, fail.Keyring, null.Keyring])
def test_without_a_safe_keyring_it_serves_this_run_only(backend):
    keyring.set_keyring(backend())
    store = TokenStore()
    assert store.enter("hf_abc") is False
    assert store() == "hf_abc"
    assert TokenStore()() == ""
    assert getattr(keyring.get_keyring(), "kept", {}) == {}


def test_a_locked_keyring_is_no_disaster():
    safe = Safe()
    safe.locked = True
    keyring.set_keyring(safe)
    store = TokenStore()
    assert store() == ""
    assert store.enter("hf_abc") is False
    assert store() == "hf_abc"


@pytest.mark.parametrize("text", ["", "  ", "a b", "a\nb: c", "ä", "x" * 257])
def test_what_is_no_token_is_refused_and_not_repeated(text):
    with pytest.raises(InvalidRequest) as caught:
        TokenStore().enter(text)
    assert not text.strip() or text.strip() not in caught.value.message


def test_a_token_of_other_programs_serves_too(monkeypatch):
    keyring.set_keyring(fail.Keyring())
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert TokenStore()() == "hf_other"

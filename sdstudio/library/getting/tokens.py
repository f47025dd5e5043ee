"""Where the access token of the Hub is kept: in the system's keyring, or for this run only; never in a file of ours."""

from __future__ import annotations

from typing import Final

from sdstudio.core.environment import settle_environment
from sdstudio.core.errors import InvalidRequest

_SERVICE: Final = "sdstudio"
_USER: Final = "huggingface"
_MAXIMUM: Final = 256


class TokenStore:
    """The token. A token that another program of Hugging Face's keeps (``hf auth login``, ``HF_TOKEN``) serves too."""

    def __init__(self) -> None:
        self._for_this_run = ""

    def __call__(self) -> str:
        """Return the token, "" when there is none."""
        return self._for_this_run or self._kept() or _of_other_programs()

    @property
    def can_keep(self) -> bool:
        """Whether this system has a keyring that keeps secrets as secrets."""
        import keyring  # noqa: PLC0415 (looks for the desktop's services; only when a token matters)
        from keyring.backends.chainer import ChainerBackend  # noqa: PLC0415

        chosen = keyring.get_keyring()
        backends = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
        # Add-ons of keyring write plain text; what it ships itself asks the system.
        return bool(backends) and all(_is_safe(type(backend).__module__) for backend in backends)

    def enter(self, token: str) -> bool:
        """Use a token from now on.

        Returns:
            Whether it is kept for the next start; without a keyring it serves this run only.

        Raises:
            InvalidRequest: It is no token.
        """
        token = token.strip()
        if not token or len(token) > _MAXIMUM or not all("!" <= char <= "~" for char in token):
            raise InvalidRequest(
                "token",
                f"Access token of {len(token)} characters: allowed is one line of letters and digits, as hf_….",
                "Copy it from huggingface.co/settings/tokens.",
            )
        self._for_this_run = token
        if not self.can_keep:
            return False
        import keyring  # noqa: PLC0415
        from keyring.errors import KeyringError  # noqa: PLC0415

        try:
            keyring.set_password(_SERVICE, _USER, token)
        except KeyringError:  # locked, or the user refused
            return False
        return True

    def forget(self) -> None:
        """Use it no longer, and take it out of the keyring."""
        self._for_this_run = ""
        if self.can_keep:
            import keyring  # noqa: PLC0415
            from keyring.errors import KeyringError  # noqa: PLC0415

            try:
                keyring.delete_password(_SERVICE, _USER)
            except KeyringError:  # there is none
                return

    def _kept(self) -> str:
        if not self.can_keep:
            return ""
        import keyring  # noqa: PLC0415
        from keyring.errors import KeyringError  # noqa: PLC0415

        try:
            return keyring.get_password(_SERVICE, _USER) or ""
        except KeyringError:
            return ""


def _is_safe(module: str) -> bool:
    return module.startswith("keyring.backends.") and module.rpartition(".")[2] not in ("fail", "null")


def _of_other_programs() -> str:
    settle_environment()
    from huggingface_hub import get_token  # noqa: PLC0415

    return get_token() or ""

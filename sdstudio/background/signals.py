"""Signals whose values mypy knows: Qt's own take any value at `emit` and any slot at `connect`.

`TypedSignal[Job]()` is Qt's ``Signal(object)`` when the program runs. To mypy it is a signal that is emitted with a
`Job`, and connected to what takes a `Job` or nothing. So mypy reports a wrong value at the line that emits it, and a
slot that expects something else at the line that connects it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal, SignalInstance

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Generic, Protocol, TypeVarTuple, overload

    from PySide6.QtCore import QMetaObject, QObject, Qt

    Values = TypeVarTuple("Values")

    class _Emits(Protocol[*Values]):
        """Another signal, which is emitted with the same values."""

        def emit(self, *values: *Values) -> None: ...

    class BoundSignal(Protocol[*Values]):
        """A signal of one object."""

        @overload
        def connect(
            self, slot: Callable[[*Values], object], /, type: Qt.ConnectionType = ...
        ) -> QMetaObject.Connection: ...
        @overload
        def connect(self, slot: Callable[[], object], /, type: Qt.ConnectionType = ...) -> QMetaObject.Connection: ...
        @overload
        def connect(self, slot: _Emits[*Values], /, type: Qt.ConnectionType = ...) -> QMetaObject.Connection: ...
        @overload
        def connect(self, slot: SignalInstance, /, type: Qt.ConnectionType = ...) -> QMetaObject.Connection: ...
        def disconnect(self, slot: object = ..., /) -> bool:
            """End what `connect` began."""

        def emit(self, *values: *Values) -> None:
            """Call what is connected."""

    class TypedSignal(Generic[*Values]):
        """A signal of a class; see above."""

        def __get__(self, instance: QObject | None, owner: type | None = None) -> BoundSignal[*Values]: ...

else:
    BoundSignal = SignalInstance

    class TypedSignal:
        """See above."""

        def __class_getitem__(cls, values: Any) -> Any:
            count = len(values) if isinstance(values, tuple) else 1
            return lambda: Signal(*[object] * count)

"""The one exception family: what went wrong, on whose side, and what to do about it.

`InputError` and its children are the user's side (command line: exit status 2); `InternalError` is ours.
Messages about arguments have one form: ``Argument `sigma_w` must be positive, but is -1.0. Pass ...``
"""

from __future__ import annotations

from typing import Any


class WidelimitError(Exception):
    """Root of every exception that widelimit raises on purpose."""


class InputError(WidelimitError, ValueError):
    """A request that cannot be carried out as it stands: the caller has to change it."""


class ArgumentError(InputError):
    """One named argument is wrong.

    >>> str(ArgumentError("sigma_w", "must be positive", -1.0, "Pass a standard deviation."))
    'Argument `sigma_w` must be positive, but is -1.0. Pass a standard deviation.'
    """

    def __init__(
        self, argument: str, must: str, value: object = None, help: str = "", *, but: str = ""
    ) -> None:
        what = but or f"is {shown(value)}"
        super().__init__(f"Argument `{argument}` {must}, but {what}." + (f" {help}" if help else ""))
        self.argument = argument

    def __reduce__(self) -> tuple[Any, ...]:  # travels between processes as its message
        return (_rebuild, (type(self), self.args, self.__dict__))


class ParseError(InputError):
    """Text that is no expression of the small language that widelimit reads."""


class DomainError(InputError):
    """The inputs are well formed but outside the range in which the theory says anything."""


class NoFixedPointError(DomainError):
    """A recursion has no (finite, stable) fixed point at these parameters."""


class InfiniteMomentError(DomainError):
    """A Gaussian expectation that the theory needs does not exist."""


class DerivationError(WidelimitError):
    """A step of a derivation failed its own check: a bug of ours or a misprint in its source."""


class ConvergenceError(WidelimitError):
    """A solver could not reach the accuracy it promises; the message says how far it got."""


class PictureError(InputError):
    """A result that has nothing to be drawn, or nothing that could draw it."""


class DeviceError(InputError):
    """The device that was asked for is not there."""


class StoreError(WidelimitError):
    """Results could not be written or read back; nothing that was stored before is lost."""


class WorkerError(WidelimitError):
    """Processes of a run were killed or ran out of memory; nothing that was stored is lost."""


class InternalError(WidelimitError):
    """A bug of ours, not your input."""


class WidelimitWarning(UserWarning):
    """Root of every warning: a result was computed, but something about the request makes it doubtful."""


class DataWarning(WidelimitWarning):
    """A table could be meant otherwise than it was read."""


class DependenceWarning(WidelimitWarning):
    """Rows of data that a theory takes as independent are not."""


def shown(value: object, limit: int = 80) -> str:
    """Print a value for a message, on one line and cut to a readable length; whatever it is, this ends well."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an int of a million digits, or an object whose repr fails: its kind says enough
        text = f"a value of type {type(value).__name__} that cannot be printed"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _rebuild(cls: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    error: Exception = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ConservationWarning(WidelimitWarning):
    """A law of conservation that a method rests on does not hold for this module."""


class PrecisionWarning(WidelimitWarning):
    """Numbers that came in were rounded so coarsely that the answer moves with the rounding."""


class CertainWarning(WidelimitWarning):
    """What was computed comes out the same whatever the data are: there are too few of them."""

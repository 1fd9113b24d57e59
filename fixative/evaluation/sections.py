"""Read mappings out of a file key by key, and say what is wrong where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fixative.errors import SettingError
from fixative.registry import did_you_mean

Item = TypeVar("Item")
#: What each key looks like, for messages.
Examples = Mapping[str, str]


class Section:
    """One mapping of a file.

    Args:
        content: what the file holds there.
        place: what messages call it, as ``protocol quick.yaml, protections[2]``.
        examples: every key there may be, with how it is written.

    Raises:
        SettingError: not a mapping, or an unknown key.
    """

    def __init__(self, content: Any, place: str, examples: Examples) -> None:
        if not isinstance(content, Mapping):
            raise SettingError(
                f"{place}: expected keys and values such as {next(iter(examples.values()))!r}, "
                f"got {shortened(content)}"
            )
        self.place, self._examples = place, examples
        self._content: Mapping[str, Any] = {str(key): value for key, value in content.items()}
        for key in self._content:
            if key not in examples:
                raise SettingError(
                    f"{place}: no key {key!r}{did_you_mean(key, examples)} "
                    f"(there are: {', '.join(examples)})"
                )

    def __contains__(self, key: str) -> bool:
        return self._content.get(key) is not None

    def needed(self, key: str) -> Any:
        """The value of a key that must be there.

        Raises:
            SettingError: it is not.
        """
        if key not in self:
            raise SettingError(
                f"{self.place}: {key!r} is missing; expected it as in {self._examples[key]!r}"
            )
        return self._content[key]

    def text(self, key: str, default: str | None = None) -> str:
        """A word or a line; needed where there is no default."""
        if default is not None and key not in self:
            return default
        value = self.needed(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a text", value)
        return value.strip()

    def whole(self, key: str, default: int | None, low: int, high: int) -> int | None:
        """A whole number; the default where it is left out."""
        if key not in self:
            return default
        value = self._content[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}", value)
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number; the default where it is left out."""
        if key not in self:
            return default
        return self._checked_number(key, self._content[key], low, high)

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        """A list of numbers without repetition; one alone may stand without brackets."""
        value = self.needed(key)
        values = value if isinstance(value, list) else [value]
        found = [self._checked_number(key, item, low, high) for item in values]
        if not found or len(set(found)) < len(found):
            raise self._wrong(key, "one number or more, each once", value)
        return tuple(found)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts; one alone may stand without brackets."""
        value = self.needed(key)
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, str) and item.strip() for item in values):
            raise self._wrong(key, "a list of names", value)
        return tuple(item.strip() for item in values)

    def items(self, key: str, read: Callable[[Any, str], Item]) -> tuple[Item, ...]:
        """A list whose parts ``read`` understands, given each with its place."""
        value = self.needed(key)
        if not isinstance(value, list) or not value:
            raise self._wrong(key, "a list with one part or more", value)
        parts: Sequence[Any] = value
        return tuple(read(part, f"{self.place}, {key}[{n}]") for n, part in enumerate(parts, 1))

    def _checked_number(self, key: str, value: Any, low: float, high: float) -> float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not good or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def _wrong(self, key: str, expected: str, value: Any) -> SettingError:
        return SettingError(
            f"{self.place}: expected {key} to be {expected}, as in {self._examples[key]!r}; "
            f"got {shortened(value)}"
        )


def shortened(value: Any) -> str:
    """A value as a message shows it."""
    told = "nothing" if value is None else repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."

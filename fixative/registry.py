"""Methods by name, with settings, as a person writes them: ``jpeg:75+resize:0.5``.

    chain  = method { "+" method }
    method = name [ ":" value { "," value } ]
    value  = WORD | NUMBER | key "=" (WORD | NUMBER)

Values without a key are the method's first parameters, in order.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fixative.errors import SettingError

Value = float | int | str
Entry = TypeVar("Entry")
#: A plus that begins another method, unlike that of 1e+3.
_PLUS = re.compile(r"(?<![0-9][eE])\+")


@dataclass(frozen=True)
class Parameter:
    """One number or word that a person may set.

    Attributes:
        name: as the constructor calls it.
        default: what it is otherwise.
        low: smallest value, of a number.
        high: largest value.
        help: unit and meaning, in a line.
        choices: the words there are, of a word.
    """

    name: str
    default: Value
    low: float = 0.0
    high: float = 0.0
    help: str = ""
    choices: tuple[str, ...] = ()

    def checked(self, value: Value, *, owner: str) -> Value:
        """The value in this parameter's type.

        Raises:
            SettingError: not of the type, out of range, or an unknown word.
        """
        if self.choices:
            return self._word(str(value).strip(), owner)
        number = self._number(value, owner)
        if not self.low <= number <= self.high:
            raise SettingError(
                f"{owner}: expected {self.name} from {self.low:g} to {self.high:g}, got {value}"
            )
        return number

    def _word(self, word: str, owner: str) -> str:
        if word not in self.choices:
            raise SettingError(
                f"{owner}: expected {self.name} to be one of {', '.join(self.choices)}; "
                f"got {word!r}{did_you_mean(word, self.choices)}"
            )
        return word

    def _number(self, value: Value, owner: str) -> float | int:
        whole = isinstance(self.default, int)
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if number != number or (whole and number != round(number, 0)):
            kind = "a whole number" if whole else "a number"
            raise SettingError(f"{owner}: expected {self.name} to be {kind}, got {value!r}")
        return int(number) if whole and abs(number) != float("inf") else number


@dataclass(frozen=True)
class Spec:
    """One method as it was written.

    Attributes:
        name: in lower case.
        values: those without a key, in order.
        named: those with one.
    """

    name: str
    values: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict[str, str])


def parse(text: str, *, what: str = "method") -> list[Spec]:
    """Read a chain of methods; at least one.

    Args:
        text: in the grammar above; blanks around its parts do not matter.
        what: what messages call a method (``countermeasure``, ``protection``).

    Raises:
        SettingError: a part is empty, a key comes twice, or a value follows one with a key.
    """
    return [_parsed(part.strip(), text, what) for part in _PLUS.split(text)]


def choose(entries: Mapping[str, Entry], name: str, *, what: str) -> Entry:
    """The entry of that name.

    Raises:
        SettingError: there is none; the message says which there are, and the nearest.
    """
    if name not in entries:
        raise SettingError(
            f"{what}: no {name!r}{did_you_mean(name, entries)} (there are: {', '.join(entries)})"
        )
    return entries[name]


def settings_of(
    spec: Spec, parameters: Sequence[Parameter], *, what: str = "method"
) -> dict[str, Value]:
    """The values of all parameters: those written, checked, and the others' defaults.

    Raises:
        SettingError: too many values, an unknown or doubled key, or a value out of range.
    """
    owner = f"{what} {spec.name}"
    names = [parameter.name for parameter in parameters]
    if len(spec.values) > len(names):
        takes = ", ".join(names) if names else "no settings"
        raise SettingError(f"{owner}: takes {takes}; got {', '.join(spec.values)}")
    written = dict(zip(names, spec.values, strict=False))
    for key, value in spec.named.items():
        if key not in names:
            takes = f"takes {', '.join(names)}" if names else "takes no settings"
            raise SettingError(
                f"{owner}: no setting {key!r}{did_you_mean(key, names)} (it {takes})"
            )
        if key in written:
            raise SettingError(f"{owner}: {key} is given twice, as {written[key]} and as {value}")
        written[key] = value
    return {
        parameter.name: parameter.checked(
            written.get(parameter.name, parameter.default), owner=owner
        )
        for parameter in parameters
    }


def written(name: str, settings: Mapping[str, Value], parameters: Sequence[Parameter]) -> str:
    """The shortest text that reads back as this, save that a first value always shows."""
    values = [
        format_value(settings[each.name])
        if number == 0
        else f"{each.name}={format_value(settings[each.name])}"
        for number, each in enumerate(parameters)
        if number == 0 or settings[each.name] != each.default
    ]
    return f"{name}:{','.join(values)}" if values else name


def format_value(value: Value) -> str:
    """A number without superfluous digits, a word as it is."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with the nearest names, or nothing where none is near."""
    folded = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), list(folded), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(folded[one] for one in near)}?" if near else ""


def _parsed(part: str, text: str, what: str) -> Spec:
    name, colon, rest = part.partition(":")
    pieces = [piece.strip() for piece in rest.split(",")] if colon else []
    if not name.strip() or not all(pieces):
        raise SettingError(
            f"{what} {text!r}: something is missing; write name, name:value or "
            "name:value,key=value, and + between them"
        )
    values: list[str] = []
    named: dict[str, str] = {}
    for piece in pieces:
        _sort(piece, values, named, f"{what} {part!r}")
    return Spec(name.strip().lower(), tuple(values), named)


def _sort(piece: str, values: list[str], named: dict[str, str], owner: str) -> None:
    """Put a value where it belongs."""
    key, equals, value = (part.strip() for part in piece.partition("="))
    if not equals and named:
        raise SettingError(f"{owner}: write {piece!r} with its key, or before those that have one")
    if equals and not (key and value):
        raise SettingError(f"{owner}: expected key=value, got {piece!r}")
    if equals and key in named:
        raise SettingError(f"{owner}: {key} is given twice, as {named[key]} and as {value}")
    if equals:
        named[key] = value
    else:
        values.append(piece)

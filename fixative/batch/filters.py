"""Which of the files in a folder are meant, by glob patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fixative.errors import SettingError

_PIECES = {"*": "[^/]*", "?": "[^/]"}
_ANY_DEPTH = "(?:.*/)?"


@dataclass(frozen=True)
class Filters:
    """Glob patterns, compared without case.

    A pattern without a slash is compared with names (``*_draft.png``), one with a slash with the
    whole path relative to the inputs' common folder (``2024/**/final/*``; ``**`` is any depth).

    Attributes:
        include: a picture has to match one of these; none means all.
        exclude: pictures, and folders with all below them, that are left out.

    Raises:
        SettingError: a pattern is empty or has an unclosed ``[``.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    _include: tuple[re.Pattern[str], ...] = field(init=False, repr=False)
    _exclude: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            patterns = tuple(_compiled(glob, name) for glob in getattr(self, name))
            object.__setattr__(self, f"_{name}", patterns)

    def keeps_file(self, relative: str) -> bool:
        """Whether a picture is meant; its path is relative, with forward slashes."""
        wanted = not self._include or any(p.fullmatch(relative) for p in self._include)
        return wanted and self.keeps_folder(relative)

    def keeps_folder(self, relative: str) -> bool:
        """Whether a folder is to be searched."""
        return not any(pattern.fullmatch(relative) for pattern in self._exclude)


def _compiled(glob: str, name: str) -> re.Pattern[str]:
    whole = glob.replace("\\", "/")
    *folders, last = [part for part in whole.split("/") if part not in ("", ".")] or [""]
    if not last:
        raise SettingError(f"{name}: the pattern {glob!r} matches nothing; give one like *.png")
    beginning = "" if "/" in whole else _ANY_DEPTH
    for part in folders:
        beginning += _ANY_DEPTH if part == "**" else _part(part, glob, name) + "/"
    end = ".*" if last == "**" else _part(last, glob, name)
    try:
        return re.compile(beginning + end, re.DOTALL | re.IGNORECASE)
    except re.error as error:
        raise SettingError(f"{name}: the pattern {glob!r} is not a glob ({error})") from error


def _part(part: str, glob: str, name: str) -> str:
    """The expression of what is between two slashes."""
    found: list[str] = []
    at = 0
    while at < len(part):
        if part[at] == "[":
            end = part.find("]", at + 2)
            if end < 0:
                raise SettingError(f"{name}: the pattern {glob!r} has a [ without its ]")
            inside = part[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            found.append("[" + ("^/" + inside[1:] if inside[0] == "!" else inside) + "]")
            at = end
        else:
            found.append(_PIECES.get(part[at], re.escape(part[at])))
        at += 1
    return "".join(found)

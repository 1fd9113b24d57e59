"""Protocols in YAML: those that are shipped, by name, and people's own files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from fixative.errors import FixativeError, SettingError
from fixative.evaluation.protocol import (
    PICTURE,
    VERSION,
    WINDOW,
    CountermeasureEntry,
    ProtectionEntry,
    Protocol,
)
from fixative.evaluation.sections import Section, shortened
from fixative.protections.base import MAX_STRENGTH
from fixative.registry import choose, did_you_mean

SUFFIXES = (".yaml", ".yml", ".json")
MOST_PICTURES, MOST_PIXELS = 100_000, 8192
_SEEN = {PICTURE: PICTURE, WINDOW: WINDOW}
_PROTOCOL = {
    "version": f"version: {VERSION}",
    "name": "name: my-comparison",
    "description": "description: what it is for",
    "protections": "protections: [mixture, noise, 'photoguard:steps=20']",
    "countermeasures": "countermeasures: ['jpeg:75', 'jpeg:75+resize:0.5']",
    "strengths": "strengths: [4, 8]",
    "codecs": "codecs: [embedded]",
    "denoiser": "denoiser: testbed",
    "pictures": "pictures: 12",
    "pairs": "pairs: 8",
    "remover_steps": "remover_steps: 1500",
    "size": "size: 512",
    "window": "window: 256",
    "seed": "seed: 0",
    "gallery": "gallery: 3",
    "resamples": "resamples: 2000",
    "confidence": "confidence: 0.95",
}
_PROTECTION = {
    "method": "method: 'photoguard:steps=20'",
    "name": "name: PhotoGuard, 20 steps",
    "strengths": "strengths: [8]",
    "pictures": "pictures: 4",
    "sees": "sees: window",
}
_COUNTERMEASURE = {
    "method": "method: 'impress:fast'",
    "name": "name: IMPRESS, fast",
    "against": "against: [mixture]",
    "strengths": "strengths: [8]",
    "pictures": "pictures: 4",
    "window": "window: 128",
}


def shipped_protocols() -> tuple[str, ...]:
    """The names of the protocols that come with Fixative."""
    folder = resources.files("fixative") / "protocols"
    found = [Path(entry.name) for entry in folder.iterdir()]
    return tuple(sorted(path.stem for path in found if path.suffix == ".yaml"))


def load_protocol(source: str | Path) -> Protocol:
    """Read a protocol.

    Args:
        source: a shipped name (``quick``, ``paper``) or a YAML file.

    Raises:
        SettingError: no such protocol, or something in it is unknown, missing or out of range.
        FixativeError: PyYAML is not installed.
    """
    path = Path(source)
    if str(source) in shipped_protocols():
        shipped = resources.files("fixative") / "protocols" / f"{source}.yaml"
        return parse_protocol(shipped.read_text("utf-8"), place=f"protocol {source}")
    if path.suffix.lower() not in SUFFIXES and not path.is_file():
        names = shipped_protocols()
        raise SettingError(
            f"protocol: no {str(source)!r}{did_you_mean(str(source), names)} (there are: "
            f"{', '.join(names)}; or give a .yaml file)"
        )
    if not path.is_file():
        raise SettingError(f"protocol: no file {path}; give an existing one, or a shipped name")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SettingError(f"protocol {path.name}: is not text in UTF-8 ({error})") from error
    return parse_protocol(text, place=f"protocol {path.name}")


def parse_protocol(text: str, *, place: str = "protocol") -> Protocol:
    """Read a protocol from YAML text; ``place`` is what messages call it.

    Raises:
        SettingError: something in it is unknown, missing or out of range.
        FixativeError: PyYAML is not installed.
    """
    content = Section(_yaml(text, place), place, _PROTOCOL)
    _check_version(content)
    strengths = content.numbers("strengths", 0, MAX_STRENGTH)
    pictures = content.whole("pictures", None, 1, MOST_PICTURES)
    listed = "countermeasures" in content
    try:
        return Protocol(
            name=content.text("name"),
            description=content.text("description", ""),
            protections=content.items("protections", _protection_reader(strengths)),
            countermeasures=content.items("countermeasures", _countermeasure) if listed else (),
            codecs=content.words("codecs") if "codecs" in content else ("embedded",),
            denoiser=content.text("denoiser", ""),
            pictures=pictures,
            pairs=_or(content.whole("pairs", 0, 0, MOST_PICTURES), 0),
            remover_steps=_or(content.whole("remover_steps", 1500, 1, 100_000), 1500),
            size=content.whole("size", None, 32, MOST_PIXELS),
            window=content.whole("window", None, 32, MOST_PIXELS),
            seed=_or(content.whole("seed", 0, 0, 2**31 - 1), 0),
            gallery=_or(content.whole("gallery", 3, 0, 100), 3),
            resamples=_or(content.whole("resamples", 2000, 100, 100_000), 2000),
            confidence=content.number("confidence", 0.95, 0.5, 0.999),
        )
    except SettingError as error:
        told = str(error)
        raise error if told.startswith(place) else SettingError(f"{place}: {told}") from error


def _check_version(content: Section) -> None:
    content.needed("version")
    if content.whole("version", VERSION, 1, 1000) != VERSION:
        raise SettingError(
            f"{content.place}: expected version {VERSION}, which this Fixative reads; get the "
            "Fixative that the protocol was written for"
        )


def _protection_reader(strengths: tuple[float, ...]) -> Any:
    def read(part: Any, place: str) -> ProtectionEntry:
        entry = _entry(part, place, _PROTECTION)
        method = entry.text("method")
        own = entry.numbers("strengths", 0, MAX_STRENGTH) if "strengths" in entry else strengths
        pictures = entry.whole("pictures", None, 1, MOST_PICTURES)
        sees = choose(_SEEN, entry.text("sees", PICTURE), what=f"{place}, sees")
        return ProtectionEntry(method, entry.text("name", method), own, pictures, sees)

    return read


def _countermeasure(part: Any, place: str) -> CountermeasureEntry:
    entry = _entry(part, place, _COUNTERMEASURE)
    method = entry.text("method")
    return CountermeasureEntry(
        method,
        entry.text("name", method),
        entry.words("against") if "against" in entry else None,
        entry.numbers("strengths", 0, MAX_STRENGTH) if "strengths" in entry else None,
        entry.whole("pictures", None, 1, MOST_PICTURES),
        entry.whole("window", None, 32, MOST_PIXELS),
    )


def _entry(part: Any, place: str, examples: dict[str, str]) -> Section:
    """An entry is a method alone, or a mapping with more about it."""
    if isinstance(part, str):
        part = {"method": part}
    if isinstance(part, dict) and len(part) == 1 and not examples.keys() & part.keys():
        name, value = next(iter(part.items()))
        raise SettingError(
            f"{place}: {shortened(part)} is a key with a value; write '{name}:{value}' without a "
            "blank, or method: and name: below each other"
        )
    return Section(part, place, examples)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _yaml(text: str, place: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise FixativeError(
            f"{place}: needs the package PyYAML ({error}); install it "
            "(pip install 'fixative[platform]')"
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingError(f"{place}: is not YAML: {' '.join(str(error).split())}") from error

"""The host's options: to read one, and to add ours."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules import paths, shared
from modules.options import OptionInfo

#: Where a person puts weights when no folder is named in the settings: in the host's ``models``.
MODELS_FOLDER = "Fixative"


@dataclass(frozen=True)
class NewOption:
    """An option to add.

    Attributes:
        name: its key in the host's settings file; never changed, or a saved value is lost.
        default: its type is the type of the option.
        label: what the Settings page shows.
        component: gradio's class.
        arguments: for that class.
        info: a remark shown in brackets behind the label.
        by_api: whether the host's API may set it.
    """

    name: str
    default: Any
    label: str
    component: Any
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    info: str = ""
    by_api: bool = True


def option(name: str, default: Any = None) -> Any:
    """The value of an option of the host or of ours, by its key.

    Args:
        name: the key.
        default: the value where this host has no such option.
    """
    return getattr(shared.opts, name, default)


def add_option(new: NewOption, *, section: tuple[str, str]) -> None:
    """Add an option to a section (identifier, title) of the Settings page.

    Called from ``on_ui_settings``.
    """
    shown = OptionInfo(
        new.default,
        new.label,
        new.component,
        dict(new.arguments) or None,
        section=section,
        restrict_api=not new.by_api,
    )
    shared.opts.add_option(new.name, shown.info(new.info) if new.info else shown)


def weights_folder(chosen: str = "") -> Path:
    """The folder of a person's own mixtures; it need not exist.

    Args:
        chosen: what the settings name; empty: ``models/Fixative`` of this host.
    """
    if chosen.strip():
        return Path(chosen.strip()).expanduser()
    return Path(paths.models_path) / MODELS_FOLDER

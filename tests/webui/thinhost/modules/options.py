"""Settings: their description, their values, and the types that the host insists on."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modules import errors, thin
from modules.shared_cmd_options import cmd_opts


class _OptionInfo:
    """One setting, as an extension describes it."""

    default: Any
    label: str
    section: Any
    component: Any
    component_args: Any
    onchange: Any
    restrict_api: bool
    comment_before: str = ""
    comment_after: str = ""
    category_id: str | None = None
    do_not_save = False

    def _set(self, values: dict[str, Any]) -> None:
        self.do_not_save = False
        self.__dict__.update({k: v for k, v in values.items() if k != "self"})

    def link(self, label: str, url: str) -> _OptionInfo:
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label: str, js_func: str) -> _OptionInfo:
        self.comment_before += f"[<a onclick='{js_func}(); return false'>{label}</a>]"
        return self

    def info(self, info: str) -> _OptionInfo:
        self.comment_after += f"<span class='info'>({info})</span>"
        return self

    def html(self, html: str) -> _OptionInfo:
        self.comment_after += html
        return self

    def needs_restart(self) -> _OptionInfo:
        return self.html(" <span class='info'>(requires restart)</span>")

    def needs_reload_ui(self) -> _OptionInfo:
        return self.html(" <span class='info'>(requires Reload UI)</span>")


class _OptionInfoOf16(_OptionInfo):
    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        onchange: Callable[[], object] | None = None,
        section: Any = None,
        refresh: Any = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
    ) -> None:
        self._set(locals())


class _OptionInfoOf17(_OptionInfo):
    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        onchange: Callable[[], object] | None = None,
        section: Any = None,
        refresh: Any = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
        category_id: str | None = None,
    ) -> None:
        self._set(locals())


OptionInfo = _OptionInfoOf17 if thin.since(1, 7) else _OptionInfoOf16


def options_section(section_identifier: tuple[str | None, ...], options_dict: dict) -> dict:
    """Put all of these settings in one section."""
    for info in options_dict.values():
        info.section = tuple(section_identifier[:2])
    return options_dict


_OWN = {"data_labels", "data", "restricted_opts", "typemap"}


class Options:
    """The settings' values; a name that no setting has is an AttributeError."""

    typemap = {int: float}

    def __init__(self, data_labels: dict[str, _OptionInfo], restricted_opts: set[str]) -> None:
        self.data_labels = data_labels
        self.data = {k: v.default for k, v in data_labels.items() if not v.do_not_save}
        self.restricted_opts = restricted_opts

    def __setattr__(self, key: str, value: Any) -> None:
        if key in _OWN or key not in (self.data_labels.keys() | self.data.keys()):
            super().__setattr__(key, value)
            return
        if cmd_opts.freeze_settings:
            raise AssertionError("changing settings is disabled")
        self.data[key] = value

    def __getattr__(self, item: str) -> Any:
        if item in _OWN:
            return super().__getattribute__(item)
        if item in self.data:
            return self.data[item]
        if item in self.data_labels:
            return self.data_labels[item].default
        raise AttributeError(f"'Options' object has no attribute '{item}'")

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Set one; tell its onchange; say whether it changed."""
        old, option = self.data.get(key), self.data_labels[key]
        if old == value or option.do_not_save or (is_api and option.restrict_api):
            return False
        setattr(self, key, value)
        if run_callbacks and option.onchange is not None:
            try:
                option.onchange()
            except Exception as error:
                errors.display(error, f"changing setting {key} to {value}")
                setattr(self, key, old)
                return False
        return True

    def get_default(self, key: str) -> Any:
        info = self.data_labels.get(key)
        return None if info is None else info.default

    def save(self, filename: str) -> None:
        Path(filename).write_text(json.dumps(self.data, indent=4), "utf-8")

    def same_type(self, x: Any, y: Any) -> bool:
        """int and float are one type; anything goes beside None."""
        if x is None or y is None:
            return True
        return self.typemap.get(type(x), type(x)) == self.typemap.get(type(y), type(y))

    def load(self, filename: str) -> None:
        path = Path(filename)
        self.data = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        for key, value in self.data.items():
            info = self.data_labels.get(key)
            if info is not None and not self.same_type(info.default, value):
                errors.report(f"bad setting value: {key}: {value}")

    def onchange(self, key: str, func: Callable[[], object], call: bool = True) -> None:
        self.data_labels[key].onchange = func
        if call:
            func()

    def dumpjson(self) -> str:
        return json.dumps({k: self.data.get(k, v.default) for k, v in self.data_labels.items()})

    def add_option(self, key: str, info: _OptionInfo) -> None:
        self.data_labels[key] = info
        if key not in self.data and not info.do_not_save:
            self.data[key] = info.default

    def reorder(self) -> None:
        """Settings of a section stand together."""
        sections = list(dict.fromkeys(v.section for v in self.data_labels.values()))
        items = sorted(self.data_labels.items(), key=lambda item: sections.index(item[1].section))
        self.data_labels = dict(items)

    def cast_value(self, key: str, value: Any) -> Any:
        """A value as the type of this setting's default."""
        default = self.data_labels[key].default
        if value is None or default is None:
            return None
        return False if isinstance(default, bool) and value == "False" else type(default)(value)

"""The section of the Settings page: what it offers, what it remembers, what it refuses."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from fixative.errors import FixativeError, SettingError
from tests.webui.conftest import Start
from tests.webui.hosting import FLAVOURS, Hosted, hosted

DEFAULTS = {
    "fixative_strength": 8.0,
    "fixative_target": "auto",
    "fixative_map": True,
    "fixative_vae": "auto",
    "fixative_weights": "",
    "fixative_after": False,
    "fixative_api_megapixels": 40.0,
}


@pytest.fixture(params=FLAVOURS)
def modules(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Hosted, None, None]:
    with hosted(request.param, tmp_path) as found:
        yield found


def test_the_section(modules: Hosted) -> None:
    """Keys and types never change: people's config.json depends on them."""
    modules.module("fixative_webui.settings").on_ui_settings()
    ours = {k: v for k, v in modules.opts.data_labels.items() if k.startswith("fixative_")}
    assert {key: info.default for key, info in ours.items()} == DEFAULTS
    assert {info.section for info in ours.values()} == {("fixative", "Fixative")}
    assert all(info.label and info.component for info in ours.values())


def test_options_follow_the_settings(modules: Hosted) -> None:
    settings = modules.module("fixative_webui.settings")
    assert settings.Options.from_settings() == settings.Options()  # before the section is added
    settings.on_ui_settings()
    assert settings.Options.from_settings() == settings.Options()
    assert not settings.after_generation()
    assert settings.api_megapixels() == 40.0
    for key, value in {
        "fixative_strength": 12,  # as a slider gives whole numbers
        "fixative_target": "mid",
        "fixative_map": False,
        "fixative_vae": "embedded",
        "fixative_weights": " /weights ",
        "fixative_after": True,
        "fixative_api_megapixels": 4,
    }.items():
        modules.opts.set(key, value)
    assert settings.Options.from_settings() == settings.Options(
        strength=12.0, target="mid", strength_map="off", vae="embedded", weights="/weights"
    )
    assert settings.after_generation()
    assert settings.api_megapixels() == 4.0


def test_the_defaults_are_the_engines(modules: Hosted) -> None:
    from fixative.protector import ProtectSettings

    found, engine = modules.module("fixative_webui.settings").Options(), ProtectSettings()
    assert (found.strength, found.target) == (engine.strength, engine.target)
    assert found.strength_map == engine.strength_map


def test_a_settings_file_that_was_spoiled(modules: Hosted) -> None:
    settings = modules.module("fixative_webui.settings")
    settings.on_ui_settings()
    modules.opts.data["fixative_strength"] = None
    assert settings.Options.from_settings().strength == 8.0
    for spoiled in ("strong", [8]):
        modules.opts.data["fixative_strength"] = spoiled
        with pytest.raises(SettingError, match=r"fixative_strength.*Settings, Fixative"):
            settings.Options.from_settings()
    assert issubclass(SettingError, FixativeError)


@pytest.fixture(scope="module", params=["a1111-1.6.0", "a1111-1.10.1", "forge"])
def running(request: pytest.FixtureRequest, webui: Start) -> Any:
    return webui(request.param, "--api")


def test_the_page_shows_every_setting(running: Any) -> None:
    """On the real gradio of each host, which refuses an argument that it does not know."""
    shown = {
        component["props"].get("elem_id"): component
        for component in running.get("/config").json["components"]
    }
    kinds = {key: shown[f"setting_{key}"]["type"] for key in DEFAULTS}
    assert kinds == {
        "fixative_strength": "slider",
        "fixative_target": "radio",
        "fixative_map": "checkbox",
        "fixative_vae": "radio",
        "fixative_weights": "textbox",
        "fixative_after": "checkbox",
        "fixative_api_megapixels": "slider",
    }
    strength = shown["setting_fixative_strength"]["props"]
    assert (strength["value"], strength["minimum"], strength["maximum"]) == (8, 0.5, 32)


def test_the_hosts_api_sets_what_it_may(running: Any) -> None:
    """Not the folder that files are read from, nor the limit that protects the machine."""
    running.set_option("fixative_strength", 6.0)
    running.set_option("fixative_weights", "/etc")
    running.set_option("fixative_api_megapixels", 178.0)
    found = running.get("/sdapi/v1/options").json
    assert found["fixative_strength"] == 6.0
    assert found["fixative_weights"] == ""
    assert found["fixative_api_megapixels"] == 40.0
    running.set_option("fixative_strength", 8.0)

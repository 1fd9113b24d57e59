"""The one grammar by which methods and their settings are written."""

from __future__ import annotations

import pytest

from fixative.errors import SettingError
from fixative.registry import Parameter, Spec, choose, did_you_mean, parse, settings_of, written

QUALITY = Parameter("quality", 75, 1, 95)
SIGMA = Parameter("sigma", 0.05, 0.0, 0.5)
MODE = Parameter("mode", "soft", choices=("soft", "hard"))
ALL = (QUALITY, SIGMA, MODE)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("jpeg", [Spec("jpeg")]),
        (" JPEG : 75 ", [Spec("jpeg", ("75",))]),
        ("jpeg:75,sigma=1e+3", [Spec("jpeg", ("75",), {"sigma": "1e+3"})]),
        ("a:1,2+b:key=x + c", [Spec("a", ("1", "2")), Spec("b", (), {"key": "x"}), Spec("c")]),
        ("mixture:group=shared-only", [Spec("mixture", (), {"group": "shared-only"})]),
    ],
)
def test_what_is_written_is_read(text: str, specs: list[Spec]) -> None:
    assert parse(text) == specs


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "something is missing"),
        ("jpeg:", "something is missing"),
        ("jpeg:75,,3", "something is missing"),
        (":75", "something is missing"),
        ("jpeg+", "something is missing"),
        ("+jpeg", "something is missing"),
        ("jpeg+ +resize", "something is missing"),
        ("jpeg:quality=", "expected key=value, got 'quality='"),
        ("jpeg:=75", "expected key=value, got '=75'"),
        ("jpeg:quality=75,3", "write '3' with its key"),
        ("jpeg:quality=75,quality=3", "quality is given twice, as 75 and as 3"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        parse(text)


def test_values_are_typed_and_defaults_filled_in() -> None:
    found = settings_of(Spec("m", ("80",), {"mode": "hard"}), ALL)
    assert found == {"quality": 80, "sigma": 0.05, "mode": "hard"}
    assert type(found["quality"]) is int
    assert settings_of(Spec("m", (), {"sigma": "0"}), ALL)["sigma"] == 0.0


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (Spec("m", ("0",)), "method m: expected quality from 1 to 95, got 0"),
        (Spec("m", ("7.5",)), "expected quality to be a whole number, got '7.5'"),
        (Spec("m", ("nan",)), "expected quality to be a whole number"),
        (Spec("m", ("inf",)), "expected quality from 1 to 95, got inf"),
        (Spec("m", (), {"sigma": "much"}), "expected sigma to be a number, got 'much'"),
        (Spec("m", (), {"sigma": "nan"}), "expected sigma to be a number"),
        (Spec("m", (), {"mode": "sofd"}), r"one of soft, hard; got 'sofd'; did you mean soft\?"),
        (Spec("m", (), {"qualty": "3"}), r"no setting 'qualty'; did you mean quality\?"),
        (Spec("m", ("3",), {"quality": "4"}), "quality is given twice, as 3 and as 4"),
        (Spec("m", ("3", "0.1", "hard", "x")), "takes quality, sigma, mode; got 3, 0.1, hard, x"),
    ],
)
def test_bad_settings_are_told(spec: Spec, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        settings_of(spec, ALL)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(SettingError, match="takes no settings; got 3"):
        settings_of(Spec("trip", ("3",)), ())
    with pytest.raises(SettingError, match="it takes no settings"):
        settings_of(Spec("trip", (), {"a": "3"}), ())


def test_unknown_names_get_the_nearest_and_the_list() -> None:
    with pytest.raises(SettingError, match=r"protection: no 'mixtur'; did you mean mixture\?"):
        choose({"mixture": 1, "noise": 2}, "mixtur", what="protection")
    with pytest.raises(SettingError, match=r"no 'zzz' \(there are: mixture, noise\)"):
        choose({"mixture": 1, "noise": 2}, "zzz", what="protection")
    assert choose({"noise": 2}, "noise", what="protection") == 2
    assert did_you_mean("zzz", ["noise"]) == ""


def test_the_written_form_reads_back() -> None:
    settings = settings_of(Spec("m", ("80", "0.1")), ALL)
    assert written("m", settings, ALL) == "m:80,sigma=0.1"
    assert settings_of(parse(written("m", settings, ALL))[0], ALL) == settings
    assert written("trip", {}, ()) == "trip"

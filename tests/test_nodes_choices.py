"""Choosing a mixture, writing the report, and living with hosts of several ages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fixative.codecs import FamilyMatch, identify_family, load_codec
from fixative.errors import MixtureError
from fixative.mixture import find_mixture
from fixative.protector import PictureReport
from nodes import mixtures
from nodes.report import report_text, urgent, weak_match
from nodes.schema import build


class TestMixtures:
    @pytest.fixture
    def host_files(self, tmp_path: Path) -> dict[str, Path]:
        """A folder of the host with a usable file and a broken one."""
        shutil.copy(find_mixture("sd1"), tmp_path / "mine.safetensors")
        (tmp_path / "broken.safetensors").write_bytes(b"not a mixture")
        return {path.name: path for path in tmp_path.iterdir()}

    def test_all_are_offered_auto_first(self, host_files: dict[str, Path]) -> None:
        offered = mixtures.choices(host_files)
        assert offered[0] == mixtures.AUTO
        assert set(offered[1:]) == {*host_files, find_mixture("sd1").name}

    def test_auto_takes_the_one_of_the_family(self, host_files: dict[str, Path]) -> None:
        chosen = mixtures.choose(mixtures.AUTO, "sd1", host_files)
        assert (chosen.family, chosen.name) == ("sd1", find_mixture("sd1").name)

    def test_auto_finds_one_in_the_hosts_folder(
        self, host_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mixtures, "_shipped", dict)
        assert mixtures.choose(mixtures.AUTO, "sd1", host_files).name == "mine.safetensors"

    @pytest.mark.parametrize(
        ("family", "said"),
        [("sdxl", "family 'sdxl', which has no mixture here"), ("unknown", "family: unknown")],
    )
    def test_none_that_fits_says_what_to_do(
        self, host_files: dict[str, Path], family: str, said: str
    ) -> None:
        with pytest.raises(MixtureError, match=said) as caught:
            mixtures.choose(mixtures.AUTO, family, host_files)
        assert "models/fixative" in str(caught.value)
        assert "(sd1)" in str(caught.value)

    def test_one_by_name_is_loaded_once_until_it_changes(self, host_files: dict[str, Path]) -> None:
        first = mixtures.choose("mine.safetensors", "sd1", host_files)
        assert mixtures.choose("mine.safetensors", "sd1", host_files) is first

    def test_an_unknown_name_is_refused(self, host_files: dict[str, Path]) -> None:
        with pytest.raises(MixtureError, match=r"there are auto, broken\.safetensors, mine"):
            mixtures.choose("gone.safetensors", "sd1", host_files)


def picture_report(**changed: Any) -> PictureReport:
    facts: dict[str, Any] = {
        "strength": 8.0,
        "max_change": 8.0,
        "mean_change": 3.0,
        "cut_share": 0.2,
        "psnr": 36.5,
        "group": 2,
        "group_distances": [1.0, 2.0, 0.5, 3.0],
        "target": "mid",
        "entropy": 5.25,
        "target_entropies": {"low": 4.0, "mid": 5.0, "high": 6.0},
        "codec": "the graph's VAE",
        "family": "sd1",
        "mixture": "sd1.safetensors",
    }
    return PictureReport(**{**facts, **changed})


class TestReport:
    def test_reads_well_and_parses(self) -> None:
        text = report_text([picture_report(), picture_report(group=0)], shares=[1.0, 0.25])
        spoken, facts = text.split("\n\n", 1)
        assert spoken.splitlines()[0].startswith("Fixative: 2 picture(s), VAE family sd1")
        assert "group 2, target mid" in spoken.splitlines()[1]
        assert "Only the masked 25% of it is protected" in spoken.splitlines()[2]
        pictures = json.loads(facts)["pictures"]
        assert [picture["group"] for picture in pictures] == [2, 0]
        assert pictures[1]["masked_share"] == 0.25

    @pytest.mark.parametrize(
        ("changed", "share", "reason"),
        [
            ({"strength": 0.0, "max_change": 0.0, "psnr": None}, 1.0, "strength is 0"),
            ({"max_change": 0.0, "psnr": None}, 0.0, "the mask is empty"),
            ({"max_change": 0.0, "psnr": None}, 1.0, "nothing changed"),
        ],
    )
    def test_says_when_nothing_is_protected(
        self, changed: dict[str, Any], share: float, reason: str
    ) -> None:
        text = report_text([picture_report(**changed)], shares=[share])
        assert f"NOT PROTECTED: {reason}" in text


class TestUrgent:
    def test_nothing_is_when_all_is_well(self) -> None:
        assert urgent([picture_report()], [0.5]) is None

    def test_an_unprotected_picture_among_others(self) -> None:
        reports = [picture_report(), picture_report(max_change=0.0, psnr=None)]
        assert str(urgent(reports, [1.0, 0.0])).startswith("Picture 2: NOT PROTECTED: the mask")

    def test_a_budget_that_cut_most_of_it(self) -> None:
        told = urgent([picture_report(cut_share=0.89)], [1.0])
        assert told is not None
        assert "the budget of 8/255 cut off 89%" in told


class TestWeakMatch:
    def test_the_embedded_codec_is_close_enough(self) -> None:
        assert weak_match(identify_family(load_codec("embedded"))) is None

    def test_a_drifted_one_is_told(self) -> None:
        told = weak_match(FamilyMatch("sd1", 0.83, {"sd1": 0.83}))
        assert told is not None
        assert "family sd1" in told
        assert "0.83" in told

    def test_an_unknown_one_is_refused_elsewhere(self) -> None:
        assert weak_match(FamilyMatch("unknown", 0.3, {"sd1": 0.3})) is None


class TestKeywords:
    def test_those_a_host_does_not_know_are_left_out(self) -> None:
        def old_host(node_id: str, *, tooltip: str = "") -> tuple[str, str]:
            return node_id, tooltip

        assert build(old_host, "id", tooltip="help", search_aliases=["a"]) == ("id", "help")

    def test_those_it_knows_arrive(self) -> None:
        def new_host(**everything: Any) -> dict[str, Any]:
            return everything

        assert build(new_host, search_aliases=["a"]) == {"search_aliases": ["a"]}

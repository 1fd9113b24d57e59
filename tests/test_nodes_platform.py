"""What the platform's nodes decide without a host: methods, protocols, folders, curves, reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from fixative.codecs import load_codec
from fixative.countermeasures import COUNTERMEASURES, Resources, make_countermeasure
from fixative.errors import CodecError, FixativeError, SettingError
from fixative.evaluation import Protocol, Tools, parse_protocol
from fixative.evaluation.protocol import check_protection
from fixative.perceptual.distance import LearnedDistance
from fixative.protections.iterative import AttackStep
from nodes import evaluations, methods
from nodes.live import PARTS, LiveCurves, above, part
from nodes.platform_report import PurifiedPicture, countermeasure_text
from nodes.pulls import PullCurve


class TestCountermeasures:
    def test_all_but_those_that_learn_from_pairs_are_offered(self) -> None:
        left = set(COUNTERMEASURES) - set(methods.COUNTERMEASURE_KINDS)
        assert left == {"average", "remover"}

    @pytest.mark.parametrize(
        ("given", "written"),
        [
            (("jpeg", "", ""), "jpeg"),
            (("jpeg", " 40 ", ""), "jpeg:40"),
            (("impress", "preset=fast, steps=3", " "), "impress:preset=fast, steps=3"),
            (("jpeg", "40", "noise:0.1+jpeg:75"), "noise:0.1+jpeg:75"),
        ],
    )
    def test_what_is_written(self, given: tuple[str, str, str], written: str) -> None:
        assert methods.countermeasure_text(*given) == written

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (("jpeg", "400", ""), "^settings: .*quality from 1 to 95"),
            (("jpeg", "75+noise", ""), "^settings: .*chain"),
            (("jpeg", "", "jpeg:75+nose"), "^chain: .*did you mean noise"),
            (("jpeg", "", "remover"), "^chain: remover learns from pictures"),
        ],
    )
    def test_what_is_refused(self, given: tuple[str, str, str], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            methods.countermeasure_text(*given)

    def test_the_help_names_every_setting(self) -> None:
        told = methods.countermeasure_help()
        for name in methods.COUNTERMEASURE_KINDS:
            for parameter in COUNTERMEASURES[name].parameters:
                assert parameter.name in told.split(f"{name}: ")[1].split(";")[0]

    def test_a_vae_is_asked_for_where_one_is_needed(self) -> None:
        methods.require_vae("roundtrip", object())
        with pytest.raises(CodecError, match="vae: roundtrip, impress looks through one"):
            methods.require_vae("jpeg:75+roundtrip+impress:fast", None)

    def test_tiles_are_limited_in_every_link(self) -> None:
        resources = Resources(load_codec(), LearnedDistance())
        method = make_countermeasure("jpeg:75+roundtrip+impress:fast", resources)
        methods.limit_tiles(method, 192)
        tiles = [getattr(link, "tile", None) for link in getattr(method, "links", ())]
        assert tiles == [None, 192, 192]


class TestProtections:
    @pytest.mark.parametrize("method", methods.PROTECTION_METHODS)
    def test_each_choice_is_one_of_the_registry(self, method: str) -> None:
        check_protection(methods.protection_text(method, 0, 0.0))

    @pytest.mark.parametrize(
        ("given", "written"),
        [
            (("photoguard", 0, 0.0), "photoguard:200"),
            (("photoguard to zero", 7, 0.0), "photoguard:7,goal=zero"),
            (("mist", 5, 30.0), "mist:5,consistency=30"),
            (("noise", 5, 0.0), "noise"),
        ],
    )
    def test_what_is_written(self, given: tuple[str, int, float], written: str) -> None:
        assert methods.protection_text(*given) == written

    def test_consistency_where_there_is_none_is_refused(self) -> None:
        with pytest.raises(SettingError, match="consistency: glaze has no such term"):
            methods.protection_text("glaze", 0, 30.0)

    def test_a_mixture_is_needed_only_to_choose_or_to_take(self) -> None:
        asked = {name: methods.protection_text(name, 0, 0.0) for name in methods.PROTECTION_METHODS}
        needing = {name for name, text in asked.items() if "mixture" in needs(text)}
        assert needing == {"photoguard", "universal"}


def needs(text: str) -> tuple[str, ...]:
    return methods.protection_needs(text)


class TestProtocols:
    @pytest.fixture
    def models(self, tmp_path: Path) -> Path:
        (tmp_path / "protocols").mkdir()
        (tmp_path / "protocols" / "mine.yaml").write_text(evaluations.EXAMPLE, "utf-8")
        (tmp_path / "protocols" / "notes.txt").write_text("no protocol", "utf-8")
        return tmp_path

    def test_the_choices(self, models: Path, tmp_path: Path) -> None:
        assert evaluations.choices(models) == ["quick", "paper", "mine.yaml", "custom"]
        assert evaluations.choices(tmp_path / "nowhere") == ["quick", "paper", "custom"]

    def test_each_is_read(self, models: Path) -> None:
        own = evaluations.read_protocol("custom", evaluations.EXAMPLE, models)
        assert own == evaluations.read_protocol("mine.yaml", "", models)
        assert evaluations.read_protocol("quick", "", models).name == "quick"
        assert evaluations.file_state("mine.yaml", models) > 0
        with pytest.raises(SettingError, match=r"protocol: no file 'other\.yaml'"):
            evaluations.read_protocol("other.yaml", "", models)

    @pytest.mark.parametrize("folder", ["", " ", "../up", "/abs", "a/../../b"])
    def test_a_folder_outside_is_refused(self, folder: str) -> None:
        with pytest.raises(SettingError, match=r"^folder: expected"):
            evaluations.check_folder(folder)

    def test_only_the_same_evaluation_has_the_same_folder(self, tmp_path: Path) -> None:
        protocol = parse_protocol(evaluations.EXAMPLE)
        tools = Tools((load_codec(),), LearnedDistance())
        pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))

        def place(protocol: Protocol, images: torch.Tensor, vae: str = "a") -> Path:
            return evaluations.Place(tmp_path, "x/y", vae).of(protocol, tools, images)

        first = place(protocol, pictures)
        assert first.parent == tmp_path / "x" / "y"
        assert first.name.startswith("my-comparison-")
        assert place(protocol, pictures.clone()) == first
        others = {
            place(protocol, 1 - pictures),
            place(replace(protocol, seed=1), pictures),
            place(protocol, pictures, vae="b"),
        }
        assert len(others | {first}) == 4

    def test_codecs_beside_the_graph_s_are_the_protocol_s(self) -> None:
        protocol = replace(parse_protocol(evaluations.EXAMPLE), codecs=("any", "nowhere.pt"))
        with pytest.raises(FixativeError, match=r"nowhere\.pt"):
            evaluations.tools_for(protocol, load_codec(), None, LearnedDistance())


class Shown:
    """What a progress bar was given."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, Image.Image | None]] = []

    def __call__(self, count: int, text: str, preview: Image.Image | None) -> None:
        self.told.append((count, text, preview))


def test_live_curves_show_the_first_step_and_the_end_of_each_picture() -> None:
    shown = Shown()
    live = LiveCurves(shown, 2, title="T", label="loss")
    for _ in range(2):
        live.begin()
        for step in (1, 2, 3):
            live.add(step, 3, 1 / step, f"loss {1 / step:.2f}", torch.rand(1, 3, 40, 60))
        live.end("done", torch.rand(1, 3, 40, 60))
    counts = [count for count, _, _ in shown.told]
    assert counts == sorted(counts)
    assert counts[-1] == 2 * PARTS
    drawn = [number for number, (_, _, preview) in enumerate(shown.told) if preview is not None]
    assert drawn[0] == 0
    assert {3, 7} <= set(drawn)
    assert len(drawn) < len(shown.told)  # not each step
    assert shown.told[4][1] == "picture 2/2, step 1/3: loss 1.00"
    assert live.curves == [[1, 1 / 2, 1 / 3]] * 2
    assert part(1, 5, 0) == 2 * PARTS


def test_a_preview_has_the_picture_above_its_curve() -> None:
    red = Image.new("RGB", (300, 900), (255, 0, 0))
    sheet = above(red, Image.new("RGB", (640, 400), (0, 0, 255)))
    assert sheet.getpixel((sheet.width // 2, 10)) == (255, 0, 0)
    assert sheet.getpixel((sheet.width // 2, 500)) == (0, 0, 255)


def test_the_pull_begins_at_nothing_and_is_each_picture_s_own() -> None:
    curve = PullCurve(LiveCurves(Shown(), 2, title="T", label="pull"))
    for first in (4.0, 8.0):
        curve.begin()
        for step, distance in enumerate((first, first / 2, first / 4)):
            curve.add(AttackStep(0, step + 1, 3, {"distance": distance}))
        assert curve.last == [0, 0.5, 0.75]


def test_a_report_keeps_curves_out_of_its_facts() -> None:
    image = torch.full((1, 3, 8, 8), 0.5)
    losses = [{"loss": 1.0, "consistency": 1.0, "distance": 0.0}] * 3
    given: dict[str, Any] = {"links": [{"name": "impress:fast", "losses": losses, "steps": 2}]}
    one = PurifiedPicture(image, image, given, 0.1)
    text = countermeasure_text([one], "impress:fast", seed=4)
    assert "1: no change, 0.10 s" in text
    found = json.loads(text.split("\n\n")[1])
    assert found["seed"] == 4
    [told] = found["pictures"]
    assert told["links"] == [{"name": "impress:fast", "steps": 2}]
    assert told["curve"]["loss"] == [1.0, 1.0, 1.0]

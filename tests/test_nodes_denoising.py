"""What the platform's nodes decide, without a host, for methods that look through a denoiser."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from fixative.codecs import load_codec
from fixative.countermeasures import Resources, make_countermeasure
from fixative.errors import SettingError
from fixative.protections.iterative import AttackStep
from fixative.protections.noise import RandomNoise
from nodes import methods
from nodes.disturbed import LossCurve, LossMeter
from nodes.live import LiveCurves
from nodes.pulls import Asked, pulled_text
from tests.toy_denoisers import ToyDenoiser


def test_a_model_is_asked_for_where_one_is_needed() -> None:
    names = methods.needing("jpeg:75+img2img+impress+gridpure:3", "denoiser")
    assert names == ["img2img", "gridpure"]
    methods.require_model(names, object(), object())
    with pytest.raises(SettingError, match=r"^model: img2img, gridpure looks through a diff"):
        methods.require_model(names, None, object())
    with pytest.raises(SettingError, match=r"^positive: .* connect CLIP Text Encode"):
        methods.require_model(names, object(), None)


def test_what_needs_a_model_and_what_has_no_target() -> None:
    texts = {name: methods.protection_text(name, 3, 0.0) for name in methods.PROTECTION_METHODS}
    needing = {name for name, text in texts.items() if "denoiser" in methods.protection_needs(text)}
    assert needing == {"advdm", "mist-fused", "sds"}
    assert {name for name, text in texts.items() if methods.is_untargeted(text)} == {"advdm", "sds"}


def test_tiles_stay_at_the_scale_that_the_model_knows() -> None:
    resources = Resources(load_codec(), denoiser=ToyDenoiser())
    method = make_countermeasure("roundtrip+img2img", resources)
    methods.limit_tiles(method, 32)
    assert [link.tile for link in getattr(method, "links", ())] == [32, 128]


def test_a_loss_is_drawn_smoothed_and_each_picture_s_own() -> None:
    shown: list[str] = []

    def show(count: int, text: str, preview: Image.Image | None) -> None:
        del count, preview
        shown.append(text)

    curve = LossCurve(LiveCurves(show, 2, title="T", label="loss"))
    for _ in range(2):
        curve.begin()
        for step, loss in enumerate((1.0, 3.0, 2.0)):
            curve.add(AttackStep(0, step + 1, 3, {"denoising": loss}))
        assert curve.last == [1, 2, 2]
    assert shown[-1] == "picture 2/2, step 3/3: loss 2.0000"


def test_the_loss_is_measured_beside_noise_of_the_same_strength() -> None:
    image = torch.rand((1, 3, 72, 64), generator=torch.Generator().manual_seed(0))
    meter = LossMeter(Asked("advdm", 8.0, 0), load_codec(), ToyDenoiser())
    same, noisy = (RandomNoise(strength=n, seed=0).protect(image) for n in (0, 8))
    untouched = meter.measure(image, same, None, [1.0], 0.5)
    assert untouched.before == pytest.approx(untouched.loss, rel=0.01)  # up to the 8 bits
    assert untouched.noise != untouched.before
    assert meter.measure(image, noisy, None, [], 0.5).loss == untouched.noise
    assert untouched.line.startswith("the denoiser's loss ")
    text = pulled_text([untouched], Asked("advdm", 8.0, 0), family="sd1")
    [told] = json.loads(text.split("\n\n")[1])["pictures"]
    assert told["before"] == untouched.before
    assert told["losses"] == [1.0]

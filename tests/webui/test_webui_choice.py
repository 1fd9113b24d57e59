"""Which VAE is lent: the loaded checkpoint's, or Fixative's own, and why."""

from __future__ import annotations

import copy
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from fixative.codecs import KLCodec, load_codec
from fixative.codecs.learnt import learnt_name, normalised, probe_latents
from fixative.errors import CodecError, SettingError
from tests.webui.hosting import FLAVOURS, Hosted, hosted
from tests.webui.loaded_vaes import load, model_of, picture, random_kl


def test_nothing_loaded(vae_host: Hosted) -> None:
    models = vae_host.module("modules.sd_models")
    nothing = models.FakeInitialModel() if vae_host.flavour == "forge" else None
    for model in (nothing, model_of(vae_host.flavour, None)):
        vae_host.load(model)
        with vae_host.host.codec() as seen, torch.no_grad():
            assert torch.equal(seen.codec.encode(picture()), load_codec().encode(picture()))
            assert seen.says == "Fixative's own VAE, because no checkpoint is loaded"
        with pytest.raises(CodecError, match="generate a picture"), vae_host.host.codec("loaded"):
            pass


def test_the_choice(vae_host: Hosted) -> None:
    load(vae_host, random_kl())
    with vae_host.host.codec("auto") as seen:
        assert "loaded checkpoint" in seen.says
    with vae_host.host.codec("embedded") as seen:
        assert seen.codec.family == "sd1"
        assert seen.says == "Fixative's own VAE, as chosen"
    with pytest.raises(SettingError, match="auto, loaded, embedded"), vae_host.host.codec("other"):
        pass


def test_auto_passes_over_a_family_that_has_no_mixture(vae_host: Hosted) -> None:
    load(vae_host, random_kl())
    with vae_host.host.codec("auto", families=["sd1"]) as seen:
        assert seen.codec.family == "sd1"
        assert "unknown, which has no mixture" in seen.says
    with vae_host.host.codec("loaded", families=["sd1"]) as seen:
        assert seen.codec.family == "unknown"


def test_a_learnt_space_is_found_again(a1111: Hosted) -> None:
    vae = random_kl()
    probe = normalised(probe_latents(KLCodec(copy.deepcopy(vae), name="plain")))
    name = learnt_name(probe)
    load(a1111, vae.half())
    with a1111.host.codec("auto", families=["sd1", name], learnt={name: probe}) as seen:
        assert seen.codec.family == name
        assert name in seen.says


def test_a_vae_that_gives_no_numbers(vae_host: Hosted) -> None:
    vae = random_kl()
    next(vae.parameters()).data.fill_(float("nan"))
    load(vae_host, vae)
    with vae_host.host.codec() as seen:
        assert "NaN" in seen.says
        assert seen.codec.family == "sd1"
    with pytest.raises(CodecError, match="NaN"), vae_host.host.codec("loaded"):
        pass


def test_something_else_in_the_place_of_a_vae(vae_host: Hosted) -> None:
    other = nn.Module()
    other.encoder = nn.Linear(3, 3)
    for strange in (nn.Identity(), other):
        load(vae_host, strange)
        with vae_host.host.codec() as seen:
            assert seen.codec.family == "sd1"
        with pytest.raises(CodecError, match="vae: "), vae_host.host.codec("loaded"):
            pass


def test_weights_that_are_not_in_memory(a1111: Hosted) -> None:
    load(a1111, random_kl().to("meta"))
    with pytest.raises(CodecError, match="load the checkpoint again"), a1111.host.codec("loaded"):
        pass


def test_waits_for_a_checkpoint_that_is_being_loaded(a1111: Hosted) -> None:
    a1111.load(None)
    data = a1111.module("modules.sd_models").model_data
    data.lock.acquire()

    def finish() -> None:
        time.sleep(0.2)
        data.sd_model = model_of("a1111-1.10.1", random_kl())
        data.lock.release()

    threading.Thread(target=finish).start()
    with a1111.host.codec() as seen:
        assert "loaded checkpoint" in seen.says
    assert not data.lock.locked()


def test_out_of_memory_is_said_in_words(vae_host: Hosted) -> None:
    load(vae_host, random_kl())
    with pytest.raises(CodecError, match="memory is full"), vae_host.host.codec("loaded"):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_which_host(flavour: str, tmp_path: Path) -> None:
    with hosted(flavour, tmp_path) as vae_host:
        found = vae_host.host.describe()
    assert found.kind == ("forge" if flavour == "forge" else "a1111")
    assert any(digit in found.version for digit in "0123456789")

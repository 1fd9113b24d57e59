"""The routes, over real HTTP, on both gradios: what they give, and whom they refuse."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fixative
from fixative.pictures.modes import srgb_profile
from fixative.protector import ProtectSettings
from tests.picture_files import grey_profile, photo
from tests.webui.booted import small_limit, with_api
from tests.webui.conftest import Start
from tests.webui.engine import colours, decoded, encoded, picture_bytes, protected
from tests.webui.server import RunningWebui

USER = "painter:s3cret"
PROTECT, PURIFY, INSPECT, STATUS = (
    f"/fixative/v1/{name}" for name in ("protect", "purify", "inspect", "status")
)


@pytest.fixture(scope="module", params=["a1111-1.10.1", "forge"])
def api(request: pytest.FixtureRequest, webui: Start) -> RunningWebui:
    """A host with its API open to all."""
    return with_api(webui, request.param)


def test_protect_is_the_engine_bit_for_bit(api: RunningWebui) -> None:
    pixels = photo(96, 72)
    answer = api.post(PROTECT, {"image": encoded(pixels)})
    assert answer.status == 200, answer.body
    assert np.array_equal(colours(decoded(answer.json["image"])), protected(pixels))
    assert answer.json["info"]["family"] == "sd1"
    assert "Fixative's own VAE, because no checkpoint is loaded" in answer.json["report"]
    assert answer.json["notices"] == []


def test_what_a_request_says_comes_before_the_settings(api: RunningWebui) -> None:
    pixels = photo(64, 64, seed=3)
    wanted = {"strength": 4, "target": "high", "strength_map": "off", "vae": "embedded"}
    answer = api.post(PROTECT, {"image": encoded(pixels), "measure": True, **wanted})
    expected = protected(pixels, ProtectSettings(4, "high", "off"))
    assert np.array_equal(colours(decoded(answer.json["image"])), expected)
    info = answer.json["info"]
    assert (info["strength"], info["target"]) == (4, "high")
    measured = info["measured"]
    assert 0 < measured["protected"]["max_change"] < 4.01
    assert measured["protected"]["pull"] != measured["noise"]["pull"]
    assert "as chosen" in info["seen_by"]
    plain = api.post(PROTECT, {"image": encoded(pixels)}).json
    assert plain["info"]["strength"] == 8
    assert "measured" not in plain["info"]


def test_alpha_exif_profile_and_texts_are_kept(api: RunningWebui) -> None:
    pixels = photo(40, 32, channels=4)
    exif = Image.Exif()
    exif[0x8298] = "by hand"
    profile = srgb_profile()
    sent = encoded(pixels, exif=exif.tobytes(), icc_profile=profile)
    made = decoded(api.post(PROTECT, {"image": f"data:image/png;base64,{sent}"}).json["image"])
    assert made.mode == "RGBA"
    assert np.array_equal(np.asarray(made)[..., 3], pixels[..., 3])
    assert made.getexif()[0x8298] == "by hand"
    assert made.info["icc_profile"] == profile
    assert np.array_equal(colours(made), protected(pixels[..., :3]))


def test_a_grey_picture_says_what_became_of_it(api: RunningWebui) -> None:
    grey = photo(48, 48, channels=1)[..., 0]
    sent = encoded(grey, icc_profile=grey_profile(1.8))
    answer = api.post(PROTECT, {"image": sent}).json
    assert decoded(answer["image"]).mode == "RGB"
    assert answer["notices"]


def test_purify_and_inspect(api: RunningWebui) -> None:
    pixels = photo(160, 160)
    hidden = api.post(PROTECT, {"image": encoded(pixels)}).json["image"]
    found = api.post(INSPECT, {"image": hidden}).json
    clean = api.post(INSPECT, {"image": encoded(pixels)}).json
    assert found["verdict"] == "likely protected"
    assert clean["probability"] < found["probability"]
    assert "mixture_sd1.safetensors" in found["report"]
    answer = api.post(PURIFY, {"image": hidden, "method": "jpeg:75"}).json
    assert answer["info"]["countermeasure"] == "jpeg:75"
    assert not np.array_equal(colours(decoded(answer["image"])), colours(decoded(hidden)))
    small = encoded(photo(64, 64))
    answer = api.post(PURIFY, {"image": small, "method": "impress:fast,steps=2"}).json
    assert answer["info"]["steps"] == 2
    assert "Fixative's own VAE" in answer["report"]


@pytest.mark.parametrize(
    ("route", "content", "told"),
    [
        (PROTECT, {"image": "not base64!"}, "is not base64"),
        (PROTECT, {"image": base64.b64encode(b"hello").decode()}, "image: is not an image"),
        (PROTECT, {"image": "", "strength": 33}, "32"),
        (PROTECT, {"image": "", "power": 8}, "power"),
        (PROTECT, {}, "image"),
        (PROTECT, {"image": encoded(photo(8, 8)), "target": "top"}, "auto, low, mid, high"),
        (PROTECT, {"image": encoded(photo(8, 8)), "vae": "loaded"}, "no checkpoint is loaded"),
        (PROTECT, {"image": encoded(photo(2100, 500))}, "at most 1 megapixels"),
        (PURIFY, {"image": encoded(photo(8, 8)), "method": "jpg:75"}, "did you mean"),
        (PURIFY, {"image": encoded(photo(8, 8)), "method": "diffpure"}, "does not offer"),
        (INSPECT, {"image": "not base64!"}, "is not base64"),
    ],
)
def test_mistakes_are_answered_in_words(
    webui: Start, route: str, content: dict[str, Any], told: str
) -> None:
    answer = small_limit(webui).post(route, content)
    assert answer.status == 422, answer.body
    assert told in json.dumps(answer.json["detail"])
    assert "/tmp" not in json.dumps(answer.json)


def test_a_body_too_large_for_any_picture_is_refused_unread(webui: Start) -> None:
    connection = http.client.HTTPConnection(small_limit(webui).address, timeout=60)
    connection.putrequest("POST", PROTECT)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "12900000")
    connection.endheaders()  # and nothing after: an answer comes all the same
    answer = connection.getresponse()
    assert answer.status == 413
    assert "1 megapixels" in json.loads(answer.read())["detail"]
    connection.close()


def test_only_the_hosts_users_may(webui: Start) -> None:
    host = webui("a1111-1.7.0", "--api", f"--api-auth={USER},other:word")
    content = {"image": encoded(photo(16, 16))}
    for route in (PROTECT, PURIFY, INSPECT):
        for wrong in (None, "painter:word", "painter:", "nobody:s3cret", "nobody:"):
            assert host.post(route, content, auth=wrong).status == 401, (route, wrong)
    assert host.get(STATUS).status == 401
    assert host.post(PROTECT, content, auth=USER).status == 200
    assert host.get(STATUS, auth="other:word").status == 200


def test_without_the_hosts_api_there_are_no_routes(webui: Start) -> None:
    host = webui("a1111-1.10.1")
    assert host.get(STATUS).status == 404
    assert host.post(PROTECT, {"image": encoded(photo(8, 8))}).status in (404, 405)


def test_status_says_what_there_is(api: RunningWebui) -> None:
    found = api.get(STATUS).json
    assert found["version"] == fixative.__version__
    assert found["host"].startswith("forge f2" if api.flavour == "forge" else "a1111 v1.10.1")
    assert found["families"] == ["sd1"]
    assert found["settings"]["strength"] == 8
    assert found["vae"] is None
    looked = api.get(f"{STATUS}?look=true").json
    assert "no checkpoint is loaded" in looked["vae"]
    assert looked["mixture"] == "mixture_sd1.safetensors"


def test_the_routes_are_documented(api: RunningWebui) -> None:
    assert b"swagger" in api.get("/docs").body
    paths = api.get("/openapi.json").json["paths"]
    assert {PROTECT, PURIFY, INSPECT, STATUS} <= set(paths)
    assert paths[PROTECT]["post"]["summary"] == "Protect a picture"


def test_requests_take_turns(api: RunningWebui) -> None:
    pictures = [photo(64, 48, seed=seed) for seed in range(3)]
    answers: dict[int, Any] = {}

    def ask(index: int) -> None:
        answers[index] = api.post(PROTECT, {"image": encoded(pictures[index])}).json

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for index, pixels in enumerate(pictures):
        assert np.array_equal(colours(decoded(answers[index]["image"])), protected(pixels))
    said = [line for line in api.log_text().splitlines() if "job Fixative: protect" in line]
    assert len(said) >= 6
    starts = [index for index, line in enumerate(said) if "Starting" in line]
    assert starts == list(range(0, len(said), 2))  # none began before the one before it ended


def test_a_jpeg_comes_back_as_png(api: RunningWebui) -> None:
    file = picture_bytes(photo(64, 48), "JPEG", quality=90)
    sent = base64.b64encode(file).decode()
    answer = api.post(PROTECT, {"image": sent}).json
    assert decoded(answer["image"]).format == "PNG"

"""The service over real HTTP: what it gives back is what the engine makes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fixative.errors import SettingError
from fixative.pictures.picture import images_to_pixels, pixels_to_images
from fixative.service.settings import ServiceSettings
from tests.picture_files import photo
from tests.service_parts import OFF, GatedEngine, Running, picture_file, serving, wait_until
from tests.toy_models import toy_protector

TOKEN = "a-token-of-enough-letters"


@pytest.fixture(scope="module")
def service() -> Generator[Running]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("strength", [2, 8])
def test_the_answer_is_what_the_engine_makes(service: Running, strength: int) -> None:
    answer = service.ask(f"{OFF}&strength={strength}", picture_file(90, 61))
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/png"
    alone = toy_protector(strength).protect(pixels_to_images(photo(90, 61)))
    np.testing.assert_array_equal(answer.pixels(), images_to_pixels(alone.image))
    report = json.loads(answer.headers["X-Fixative-Report"])
    change = np.abs(answer.pixels().astype(int) - photo(90, 61))
    assert 0 < report["max_change"] == change.max() <= strength
    assert report["mean_change"] == pytest.approx(change.mean())
    assert (report["size"], report["strength"], report["mixture"]) == ([90, 61], strength, "toy")


def test_options_are_obeyed(service: Running) -> None:
    reports = [
        json.loads(service.ask(f"{OFF}&target={name}", picture_file()).headers["X-Fixative-Report"])
        for name in ("low", "high")
    ]
    assert [report["target"] for report in reports] == ["low", "high"]
    plain = service.ask(OFF, picture_file()).body
    assert service.ask("/v1/protect?strength_map=learned", picture_file()).body != plain


def test_form_body_and_json_say_the_same(service: Running) -> None:
    data = picture_file()
    plain = service.ask(OFF, data)
    form = (
        b'--xx\r\nContent-Disposition: form-data; name="picture"; filename="../../etc/a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + data + b"\r\n--xx--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=xx"}
    assert service.ask(OFF, form, kind).body == plain.body
    told = json.loads(service.ask(f"{OFF}&answer=json", data).body)
    assert base64.b64decode(told["png"]) == plain.body
    assert told["report"] == json.loads(plain.headers["X-Fixative-Report"])
    wrong = service.ask(OFF, form.replace(b'"picture"', b'"image"'), kind)
    assert wrong.status == 422
    assert b"'picture'" in wrong.body


def test_transparency_and_notes_are_kept(service: Running) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "A. Painter")
    file = io.BytesIO()
    Image.fromarray(photo(channels=4)).save(file, "PNG", pnginfo=notes)
    after = Image.open(io.BytesIO(service.ask(OFF, file.getvalue()).body))
    assert after.info["Author"] == "A. Painter"
    np.testing.assert_array_equal(np.asarray(after)[..., 3], photo(channels=4)[..., 3])


@pytest.mark.parametrize(
    "query", ["strength=40", "strength=nan", "target=none", "strenght=4", "codec=/etc/passwd"]
)
def test_wrong_options_are_refused(service: Running, query: str) -> None:
    answer = service.ask(f"{OFF}&{query}", picture_file())
    assert answer.status == 422
    assert query.partition("=")[0] in answer.body.decode()


def test_health_metrics_and_description(service: Running) -> None:
    assert service.ask("/healthz").status == service.ask("/readyz").status == 200
    before = service.number("fixative_pixels_total")
    service.ask(OFF, picture_file())
    assert service.number("fixative_pixels_total") == before + 48 * 32
    assert service.number('fixative_answers_total{status="200"}') > 0
    assert service.number('fixative_stage_seconds_count{stage="protect"}') > 0
    described = json.loads(service.ask("/openapi.json").body)["paths"]["/v1/protect"]["post"]
    assert set(described["requestBody"]["content"]) >= {"image/*", "multipart/form-data"}
    names = {parameter["name"] for parameter in described["parameters"]}
    assert names == {"strength", "target", "strength_map", "answer"}
    assert service.ask("/docs").status == 200


def test_the_token_is_asked_for() -> None:
    with serving(ServiceSettings(token=TOKEN)) as service:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = service.ask(OFF, picture_file(), headers)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert service.ask("/metrics", headers=headers).status == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert service.ask(OFF, picture_file(), right).status == 200
        assert service.ask("/metrics", headers=right).status == 200
        assert service.ask("/healthz").status == 200


def test_requests_of_one_size_go_together() -> None:
    engine = GatedEngine(opened=False)
    sizes = [(48, 32), (48, 32), (40, 32), (48, 32), (48, 32)]
    files = [picture_file(*size, seed=seed) for seed, size in enumerate(sizes)]
    with serving(engine=engine) as service, ThreadPoolExecutor(8) as clients:
        first = clients.submit(service.ask, OFF, files[0])
        wait_until(lambda: engine.batches)
        others = [clients.submit(service.ask, OFF, file) for file in files[1:]]
        wait_until(lambda: service.number("fixative_waiting") == 4)
        engine.gate.set()
        answers = [future.result() for future in (first, *others)]
        assert sorted(map(len, engine.batches)) == [1, 1, 3]
        for answer, file in zip(answers, files, strict=True):
            assert answer.body == service.ask(OFF, file).body, "a batch equals its singles"


@pytest.mark.parametrize(
    ("name", "value"),
    [("places", 0), ("upload_seconds", -1), ("max_megapixels", 500), ("token", "short")],
)
def test_settings_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(SettingError, match=r"expected"):
        ServiceSettings(**{name: value})  # pyright: ignore[reportArgumentType]

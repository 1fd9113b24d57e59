"""The thin host does to an extension what real ones do: shown with an extension that only records.

What it offers by name is compared with the real ones in test_contract.py.
"""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.webui.conftest import Start
from tests.webui.environments import CHECKOUT, GRADIOS
from tests.webui.server import RunningWebui

SCRIPT = """
import sys, torch
import gradio as gr
from modules import call_queue, script_callbacks, scripts, scripts_postprocessing, shared
from modules.options import OptionInfo
from modules.ui_components import InputAccordion
import recorder_helper

seen = {"while_loading": sys.path[0], "helper": recorder_helper.NAME, "basedir": scripts.basedir()}

class Late(scripts_postprocessing.ScriptPostprocessing):
    name, order = "Late", 9000
    def ui(self):
        with InputAccordion(False, label="Late", elem_id="recorder_late") as enable:
            size = gr.Slider(0, 9, value=3, elem_id="recorder_size")
        return {"enable": enable, "size": size}
    def process(self, pp, enable, size):
        seen["late"] = [enable, size, pp.info.copy(), pp.image.mode, torch.is_grad_enabled()]
        if pp.image.width == 13:
            raise ValueError("unlucky")
        pp.info["Late"] = "done: well"

class Early(scripts_postprocessing.ScriptPostprocessing):
    name, order = "Early", 100
    def ui(self):
        return {}
    def process(self, pp):
        pp.info["Early"] = "Early"

class Watch(scripts.Script):
    def title(self):
        return "Watch"
    def show(self, is_img2img):
        return scripts.AlwaysVisible
    def ui(self, is_img2img):
        return [gr.Checkbox(value=True, elem_id="recorder_watch")]
    def postprocess_image(self, p, pp, on):
        seen["hook"] = [on, torch.is_grad_enabled(), torch.is_inference_mode_enabled()]
        p.extra_generation_params["Watch"] = "seen"
    def postprocess(self, p, processed, on):
        raise ValueError("must not lose the picture")

def on_tabs():
    with gr.Blocks() as tab:
        gr.Markdown("hello", elem_id="recorder_hello")
    return [(tab, "Recorder", "recorder")]

def on_settings():
    section = ("recorder", "Recorder")
    shared.opts.add_option("recorder_word", OptionInfo("a", "A word", section=section))

def work(task):
    seen["job"] = [shared.state.job, call_queue.queue_lock.acquire(False)]
    shared.state.job_count, shared.state.sampling_steps = 2, 4
    shared.state.nextjob()
    shared.state.sampling_step, shared.state.textinfo = 2, "half way"
    while not shared.state.interrupted:
        pass
    return "stopped", ""

def on_app(page, app):
    seen["afterwards"] = list(sys.path)
    app.add_api_route("/recorder/seen", lambda: seen, methods=["GET"])
    app.add_api_route("/recorder/work", lambda: call_queue.wrap_gradio_gpu_call(
        work, extra_outputs=[None])("task(recorder)"), methods=["POST"])
    app.add_api_route("/recorder/fail", lambda: call_queue.wrap_gradio_gpu_call(
        lambda task: 1 / 0, extra_outputs=[None])("task(failing)"), methods=["POST"])
    def stop():
        shared.state.interrupt()
    app.add_api_route("/recorder/stop", stop, methods=["POST"])

script_callbacks.on_ui_tabs(on_tabs)
script_callbacks.on_ui_settings(on_settings)
script_callbacks.on_app_started(on_app)
script_callbacks.on_before_image_saved(lambda params: seen.update(
    saved=[params.filename, params.p is None, dict(params.pnginfo)]))
"""
INSTALLER = """
import json, os, pathlib, sys
said = {key: os.environ.get(key, "") for key in ("PYTHONPATH", "COMMANDLINE_ARGS")}
pathlib.Path(os.environ["FIXATIVE_THIN_DATA"], "installed.json").write_text(
    json.dumps({**said, "main": __name__, "file": __file__}))
"""
#: The oldest on gradio 3, and the one on gradio 4.
FLAVOURS = ("a1111-1.6.0", "forge")


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An extension that records what it meets, and one file that cannot be loaded."""
    folder = tmp_path_factory.mktemp("extension") / "recorder"
    files = {
        "scripts/recorder.py": SCRIPT,
        "scripts/broken.py": "raise RuntimeError('cannot be loaded')",
        "recorder_helper.py": "NAME = 'helper'",
        "install.py": INSTALLER,
        "javascript/recorder.js": "window.recorder = 1;",
        "style.css": ".recorder { color: red; }",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(params=FLAVOURS)
def host(request: pytest.FixtureRequest, webui: Start, recorder: Path) -> RunningWebui:
    """A thin host with the recording extension and its API open to one user."""
    settings = {"postprocessing_enable_in_main_ui": ["Early"]}
    flags = ("--api", "--api-auth=ann:secret")
    return webui(request.param, *flags, extension=recorder, settings=settings)


def seen(host: RunningWebui) -> dict[str, Any]:
    return host.get("/recorder/seen").json


def encoded(width: int = 12, mode: str = "RGB") -> str:
    file = io.BytesIO()
    Image.new(mode, (width, 10), "green").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def test_scripts_are_loaded_from_the_extensions_root_and_only_then(host: RunningWebui) -> None:
    found = seen(host)
    root = str(host.base / "extensions" / "recorder")
    assert found["while_loading"] == found["basedir"] == root
    assert found["helper"] == "helper"
    assert root not in found["afterwards"]
    assert "cannot be loaded" in host.log_text()


def test_the_installer_runs_in_a_process_of_its_own(host: RunningWebui) -> None:
    import json

    said = json.loads((host.base / "installed.json").read_text("utf-8"))
    assert said["main"] == "__main__"
    assert "--api-auth=ann:secret" in said["COMMANDLINE_ARGS"]
    assert said["PYTHONPATH"].startswith(str(CHECKOUT / "tests" / "webui" / "thinhost"))


def test_the_page_carries_tab_settings_script_and_style(host: RunningWebui) -> None:
    page = host.get("/").body.decode()
    assert "recorder.js" in page
    assert "extensions/recorder/style.css" in page
    script = host.get("/file=extensions/recorder/javascript/recorder.js")
    assert script.body == b"window.recorder = 1;"
    components = host.get("/config").json["components"]
    ids = {component["props"].get("elem_id") for component in components}
    wanted = {"tab_recorder", "recorder_hello", "settings_recorder", "setting_recorder_word"}
    assert wanted | {"recorder_late", "recorder_late-checkbox", "recorder_watch"} <= ids


def test_the_api_gives_extras_none_for_everything_and_runs_by_order(host: RunningWebui) -> None:
    answer = host.post(
        "/sdapi/v1/extra-single-image", {"image": encoded(mode="RGBA")}, auth="ann:secret"
    )
    enable, size, before, mode, with_gradients = seen(host)["late"]
    assert (enable, size, before) == (None, None, {"Early": "Early"})
    assert mode == ("RGBA" if host.flavour == "forge" else "RGB")
    assert with_gradients
    made = Image.open(io.BytesIO(base64.b64decode(answer.json["image"])))
    assert made.text["postprocessing"] == 'Early, Late: "done: well"'  # pyright: ignore


def test_nothing_guards_process(host: RunningWebui) -> None:
    answer = host.post("/sdapi/v1/extra-single-image", {"image": encoded(13)}, auth="ann:secret")
    assert answer.status == 500


@pytest.mark.parametrize("auth", [None, "ann:wrong", "bob:secret"])
def test_the_api_asks_who_is_there(host: RunningWebui, auth: str | None) -> None:
    assert host.get("/sdapi/v1/options", auth=auth).status == 401
    assert host.get("/sdapi/v1/options", auth="ann:secret").json["recorder_word"] == "a"


def test_hooks_of_a_generation_run_without_gradients(host: RunningWebui) -> None:
    asked = {"prompt": "a, b", "save_images": True}
    answer = host.post("/sdapi/v1/txt2img", asked, auth="ann:secret").json
    found = seen(host)
    on, with_gradients, in_inference = found["hook"]
    assert on
    assert not with_gradients
    assert in_inference == (host.flavour == "forge")
    filename, without_p, texts = found["saved"]
    assert Path(filename).parts[:2] == ("outputs", "txt2img-images")
    assert not without_p
    with Image.open(host.base / filename) as saved:
        assert saved.text == texts  # pyright: ignore
    assert texts["parameters"].startswith("a, b\n")
    assert texts["parameters"].endswith("Early, Watch: seen")  # an entry of Extras, and a script
    assert len(answer["images"]) == 1
    assert "must not lose the picture" in host.log_text()


def test_jobs_hold_the_queue_show_progress_and_can_be_interrupted(host: RunningWebui) -> None:
    from concurrent.futures import ThreadPoolExecutor

    asked = {"id_task": "task(recorder)"}
    with ThreadPoolExecutor() as pool:
        running = pool.submit(host.post, "/recorder/work", {})
        progress: dict[str, Any] = {}
        deadline = time.monotonic() + 30
        while progress.get("textinfo") != "half way" and time.monotonic() < deadline:
            progress = host.post("/internal/progress", asked).json
        host.post("/recorder/stop", {})
        first, last = running.result().json
    assert progress["active"]
    assert progress["progress"] == pytest.approx(0.75)
    assert first == "stopped"
    assert "Time taken" in last
    assert seen(host)["job"] == ["task(recorder)", False]
    assert host.post("/internal/progress", asked).json["completed"]


def test_an_error_becomes_the_last_output(host: RunningWebui) -> None:
    first, last = host.post("/recorder/fail", {}).json
    assert first is None
    assert "ZeroDivisionError: division by zero" in last


@pytest.mark.parametrize("flavour", GRADIOS)
def test_this_extension_comes_up_in_every_host(webui: Start, flavour: str) -> None:
    host = webui(flavour, "--api")
    said = host.log_text()
    assert "***" not in said, said
    assert "Traceback" not in said, said
    ids = {each["props"].get("elem_id") for each in host.get("/config").json["components"]}
    assert {"tab_fixative", "settings_fixative", "fixative_extras_enable"} <= ids
    assert "extensions/Fixative/javascript/fixative.js" in host.get("/").body.decode()

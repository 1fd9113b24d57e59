"""The routes below /sdapi that an extension's users have scripts for."""

# pyright: basic, reportMissingImports=false

import base64
import io
import json
from contextlib import closing
from secrets import compare_digest
from typing import Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from modules import images, postprocessing, processing, scripts, shared, thin
from modules.api import models
from modules.shared import opts
from PIL import Image, PngImagePlugin


def decode_base64_to_image(encoding: str) -> Image.Image:
    """A picture, given as base64 or as a data URL."""
    if encoding.startswith("data:image/"):
        encoding = encoding.split(";")[1].split(",")[1]
    try:
        read = images.read if thin.since(1, 10) else Image.open
        return read(io.BytesIO(base64.b64decode(encoding)))
    except Exception as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error


def encode_pil_to_base64(image: Image.Image) -> str:
    """In the format that pictures are saved in, with its texts where that is PNG."""
    with io.BytesIO() as file:
        kind = opts.samples_format.lower()
        if kind == "png":
            texts = PngImagePlugin.PngInfo()
            for key, value in image.info.items():
                if isinstance(key, str) and isinstance(value, str):
                    texts.add_text(key, value)
            image.save(file, format="PNG", pnginfo=texts)
        else:
            name = "WEBP" if kind == "webp" else "JPEG"
            lossless = opts.webp_lossless
            image.convert("RGB").save(file, name, quality=opts.jpeg_quality, lossless=lossless)
        return base64.b64encode(file.getvalue()).decode("ascii")


class Api:
    """Made where the host is started with --api."""

    def __init__(self, app: Any, queue_lock: Any) -> None:
        self.credentials: dict[str, str] = {}
        for pair in (shared.cmd_opts.api_auth or "").split(","):
            if pair:
                user, password = pair.split(":")
                self.credentials[user] = password
        self.app, self.queue_lock = app, queue_lock
        for name, endpoint, method, response in (
            ("txt2img", self.text2imgapi, "POST", models.TextToImageResponse),
            ("extra-single-image", self.single, "POST", models.ExtrasSingleImageResponse),
            ("extra-batch-images", self.batch, "POST", models.ExtrasBatchImagesResponse),
            ("progress", self.progressapi, "GET", None),
            ("interrupt", self.interruptapi, "POST", None),
            ("options", self.get_config, "GET", None),
            ("options", self.set_config, "POST", None),
        ):
            self.add_api_route(
                f"/sdapi/v1/{name}", endpoint, methods=[method], response_model=response
            )

    def add_api_route(self, path: str, endpoint: Any, **kwargs: Any) -> Any:
        if shared.cmd_opts.api_auth:
            return self.app.add_api_route(
                path, endpoint, dependencies=[Depends(self.auth)], **kwargs
            )
        return self.app.add_api_route(path, endpoint, **kwargs)

    def auth(self, credentials: HTTPBasicCredentials = Depends(HTTPBasic())) -> bool:  # noqa: B008
        known = self.credentials.get(credentials.username)
        if known is not None and compare_digest(credentials.password, known):
            return True
        raise HTTPException(
            status_code=401,
            detail="Incorrect username or password",
            headers={"WWW-Authenticate": "Basic"},
        )

    def text2imgapi(self, req: models.TextToImageRequest) -> Any:
        script_args = self._default_script_args()
        with self.queue_lock:
            asked = processing.StableDiffusionProcessingTxt2Img(
                prompt=req.prompt,
                seed=req.seed,
                n_iter=req.n_iter,
                batch_size=req.batch_size,
                width=req.width,
                height=req.height,
                do_not_save_samples=not req.save_images,
                do_not_save_grid=not req.save_images,
                is_api=True,
                scripts=scripts.scripts_txt2img,
                script_args=tuple(script_args),
                outpath_samples=opts.outdir_txt2img_samples,
                outpath_grids=opts.outdir_txt2img_grids,
            )
            with closing(asked):
                shared.state.begin(job="scripts_txt2img")
                try:
                    done = processing.process_images(asked)
                finally:
                    shared.state.end()
        made = [encode_pil_to_base64(image) for image in done.images] if req.send_images else []
        info = json.dumps({"infotexts": done.infotexts})
        return models.TextToImageResponse(images=made, parameters=vars(req), info=info)

    def _default_script_args(self) -> list[Any]:
        """The values that the components were made with."""
        inputs = scripts.scripts_txt2img.inputs
        return [0, *(getattr(component, "value", None) for component in inputs[1:])]

    def single(self, req: models.ExtrasSingleImageRequest) -> Any:
        image = decode_base64_to_image(req.image)
        with self.queue_lock:
            done = postprocessing.run_extras(0, image, "", self._named(req))
        return models.ExtrasSingleImageResponse(
            image=encode_pil_to_base64(done[0][0]), html_info=done[1]
        )

    def batch(self, req: models.ExtrasBatchImagesRequest) -> Any:
        pictures = [decode_base64_to_image(file.data) for file in req.imageList]
        with self.queue_lock:
            done = postprocessing.run_extras(1, "", pictures, self._named(req))
        made = [encode_pil_to_base64(image) for image in done[0]]
        return models.ExtrasBatchImagesResponse(images=made, html_info=done[1])

    def _named(self, req: Any) -> dict[str, dict[str, Any]]:
        """The only scripts that the host's own API gives arguments to: its own."""
        return {"Upscale": {"upscale_by": req.upscaling_resize}, "GFPGAN": {}, "CodeFormer": {}}

    def progressapi(self) -> dict[str, Any]:
        state = shared.state
        return {"progress": 0.0, "state": state.dict(), "textinfo": state.textinfo}

    def interruptapi(self) -> dict[str, Any]:
        shared.state.interrupt()
        return {}

    def get_config(self) -> dict[str, Any]:
        return {key: getattr(opts, key) for key in opts.data_labels}

    def set_config(self, req: dict[str, Any]) -> None:
        for key, value in req.items():
            opts.set(key, value, is_api=True)
        opts.save(shared.config_filename)

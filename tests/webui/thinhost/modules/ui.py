"""The page: a tiny txt2img, Extras, what extensions add, Settings."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from contextlib import closing
from html import escape
from typing import Any

import gradio as gr
from modules import call_queue, postprocessing, processing, script_callbacks, scripts, shared, thin
from modules.shared import opts
from modules.ui_settings import UiSettings

#: What a gradio event calls the script that runs in the page first.
JS = "js" if thin.FORGE else "_js"


def create_ui() -> Any:
    """Everything, in the host's order: settings first, so that all know them."""
    settings = UiSettings()
    settings.register_settings()
    scripts.scripts_txt2img.initialize_scripts(False)
    interfaces = [(_txt2img(), "txt2img", "txt2img"), (_extras(), "Extras", "extras")]
    interfaces += script_callbacks.ui_tabs_callback()
    interfaces += [(settings.create_ui(), "Settings", "settings")]
    shared.tab_names = [label for _, label, _ in interfaces]
    shared.settings_components = settings.components
    with gr.Blocks(analytics_enabled=False, title="Stable Diffusion") as page:
        with gr.Tabs(elem_id="tabs"):
            for interface, label, name in interfaces:
                with gr.TabItem(label, id=name, elem_id=f"tab_{name}"):
                    interface.render()
        gr.HTML(f"version: {thin.TAG}", elem_id="footer")
    return page


def _toprow(part: str) -> Any:
    """Generate, and Interrupt beside it, which is always there in the thin host."""
    with gr.Row():
        submit = gr.Button("Generate", variant="primary", elem_id=f"{part}_generate")
        interrupt = gr.Button("Interrupt", elem_id=f"{part}_interrupt")
    interrupt.click(fn=lambda: shared.state.interrupt(), inputs=[], outputs=[])
    return submit


def _outputs(part: str) -> list[Any]:
    """The gallery in its container, which the progress bar stands above, and two texts."""
    with gr.Column(elem_id=f"{part}_results"), gr.Group(elem_id=f"{part}_gallery_container"):
        gallery = gr.Gallery(label="Output", elem_id=f"{part}_gallery", columns=4)
    info = gr.HTML(elem_id=f"html_info_{part}")
    return [gallery, info, gr.HTML(elem_id=f"html_log_{part}")]


def _txt2img() -> Any:
    with gr.Blocks(analytics_enabled=False) as interface:
        task = gr.Textbox(visible=False)
        prompt = gr.Textbox(label="Prompt", elem_id="txt2img_prompt")
        count = gr.Slider(1, 8, value=1, step=1, label="Batch count", elem_id="txt2img_count")
        submit = _toprow("txt2img")
        inputs = scripts.scripts_txt2img.setup_ui()
        outputs = _outputs("txt2img")
        submit.click(
            fn=call_queue.wrap_gradio_gpu_call(txt2img, extra_outputs=[None, ""]),
            inputs=[task, prompt, count, *inputs],
            outputs=outputs,
            **{JS: "submit_txt2img"},
        )
    return interface


def txt2img(id_task: str, prompt: str, count: int, *args: Any) -> tuple[list[Any], str, str]:
    """Draw; in Forge on the thread that all drawing is done on."""
    if thin.FORGE:
        from modules_forge import main_thread

        return main_thread.run_and_wait_result(_draw, prompt, count, *args)
    return _draw(prompt, count, *args)


def _draw(prompt: str, count: int, *args: Any) -> tuple[list[Any], str, str]:
    asked = processing.StableDiffusionProcessingTxt2Img(
        prompt=prompt,
        n_iter=int(count),
        seed=1,
        outpath_samples=opts.outdir_samples or opts.outdir_txt2img_samples,
        outpath_grids=opts.outdir_grids or opts.outdir_txt2img_grids,
        scripts=scripts.scripts_txt2img,
        script_args=args,
    )
    with closing(asked):
        done = processing.process_images(asked)
    comments = "<br>".join(escape(done.comments).splitlines())
    return done.images, f"<p>{escape(done.info)}</p>", f"<p class='comments'>{comments}</p>"


def _extras() -> Any:
    with gr.Blocks(analytics_enabled=False) as interface:
        task, index = gr.Textbox(visible=False), gr.State(value=0)
        with gr.Tabs(elem_id="mode_extras"):
            with gr.TabItem("Single Image", elem_id="extras_single_tab") as single:
                mode = {"image_mode": "RGBA"} if thin.since(1, 10) else {}
                image = gr.Image(label="Source", type="pil", elem_id="extras_image", **mode)
            with gr.TabItem("Batch Process", elem_id="extras_batch_process_tab") as batch:
                files = gr.File(file_count="multiple", elem_id="extras_image_batch")
            with gr.TabItem("Batch from Directory", elem_id="extras_batch_directory_tab") as folder:
                given = gr.Textbox(label="Input directory", elem_id="extras_batch_input_dir")
                into = gr.Textbox(label="Output directory", elem_id="extras_batch_output_dir")
                show = gr.Checkbox(label="Show result images", value=True)
        submit = _toprow("extras")
        inputs = scripts.scripts_postproc.setup_ui()
        outputs = _outputs("extras")
        for number, tab in enumerate((single, batch, folder)):
            tab.select(fn=lambda number=number: number, inputs=[], outputs=[index])
        submit.click(
            fn=call_queue.wrap_gradio_gpu_call(
                postprocessing.run_postprocessing_webui, extra_outputs=[None, ""]
            ),
            inputs=[task, index, image, files, given, into, show, *inputs],
            outputs=outputs,
            **{JS: "submit_extras"},
        )
        image.change(fn=scripts.scripts_postproc.image_changed, inputs=[], outputs=[])
    return interface

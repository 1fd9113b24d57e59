"""The example workflows of the mimicry test, all on the testbed: they run on any computer."""

from __future__ import annotations

from tests.browser.tables import COLUMN, PICTURE, Example, Node

#: So small that a run takes a minute or two; the notes say what to set for numbers.
QUICK = {"sampling_steps": 4, "seed": 0}
THREE = {
    **{
        f"load {number}": Node("LoadImage", (0, 350 * number), (240, 310), {"image": PICTURE})
        for number in range(3)
    },
    "two": Node("ImageBatch", (258, 0), (230, 60)),
    "clean": Node("ImageBatch", (258, 110), (230, 60)),
}
THREE_WIRES = (
    "load 0.IMAGE > two.image1",
    "load 1.IMAGE > two.image2",
    "two.IMAGE > clean.image1",
    "load 2.IMAGE > clean.image2",
)


def loader(caption: str) -> Node:
    """The model of an example with three pictures."""
    return Node("FixativeLoadTestbed", (258, 220), (230, 170), {"caption": caption})


MIMIC = Example(
    {
        **THREE,
        "testbed": loader("photo new1"),
        "note": Node("MarkdownNote", (1630, 770), (480, 250)),
        "protect": Node("FixativeProtectImage", (500, 0), (280, 460)),
        "counter": Node(
            "FixativeCountermeasure",
            (500, 520),
            (280, 500),
            {"chain": "jpeg:75+resize:0.5"},
        ),
        "mimic": Node(
            "FixativeLoraMimicryTest",
            (810, 0),
            (320, 900),
            {**QUICK, "steps": 30, "batch": 2, "learning_rate": 0.005, "samples": 4},
        ),
        "grid": Node("PreviewImage", (1160, 0), (440, 900)),
        "text": Node("PreviewAny", (1630, 0), (480, 220)),
        "compare": Node("FixativeCompare", (1630, 270), (480, 450)),
    },
    (
        *THREE_WIRES,
        "clean.IMAGE > protect.image",
        "testbed.vae > protect.vae",
        "protect.image > counter.image",
        "testbed.model > mimic.model",
        "testbed.vae > mimic.vae",
        "testbed.positive > mimic.positive",
        "testbed.negative > mimic.negative",
        "clean.IMAGE > mimic.clean",
        "protect.image > mimic.protected",
        "counter.image > mimic.purified",
        "mimic.grid > grid.images",
        "mimic.report > text.source",
        "clean.IMAGE > compare.before",
        "protect.image > compare.after",
    ),
    "## Protect, mimic, compare\n\n"
    "Does the protection stop somebody who trains a LoRA on your pictures?\n\n"
    "1. Choose three or more pictures of one subject or style, of one size, in **Load Image**.\n"
    "2. **Protect Image** protects them; **Countermeasure** is what an imitator may do about it.\n"
    "3. **LoRA Mimicry Test** trains one LoRA each on the clean, the protected and the purified "
    "pictures, lets each draw, and measures how close that comes to yours.\n\n"
    "Here everything is small, so that it takes a minute or two on a CPU. For numbers set *steps* "
    "to 40, *batch* to 4, *learning_rate* to 0, *samples* to 6, *sampling_steps* to 12 and "
    "*repetitions* to 3.\n\n"
    "**Load Testbed** is a laboratory animal: it says how protections compare on it, and nothing "
    "about large models.",
    {
        "FixativeLoadTestbed": ("testbed",),
        "FixativeLoraMimicryTest": ("mimic", "grid"),
    },
)

EDIT = Example(
    {
        "load 0": THREE["load 0"],
        "testbed": Node("FixativeLoadTestbed", (0, 390), (300, 150), {"caption": "painting"}),
        "note": Node("MarkdownNote", (0, 600), (300, 330)),
        "protect": Node("FixativeProtectImage", (COLUMN, 0), (300, 500)),
        "edit": Node("FixativeEditTest", (2 * COLUMN, 0), (320, 520), QUICK),
        "text": Node("PreviewAny", (COLUMN, 600), (660, 330)),
        "grid": Node("PreviewImage", (3 * COLUMN + 20, 0), (300, 930)),
        "compare": Node("FixativeCompare", (4 * COLUMN, 0), (500, 600)),
    },
    (
        "load 0.IMAGE > protect.image",
        "testbed.vae > protect.vae",
        "testbed.model > edit.model",
        "testbed.vae > edit.vae",
        "testbed.positive > edit.positive",
        "testbed.negative > edit.negative",
        "load 0.IMAGE > edit.clean",
        "protect.image > edit.protected",
        "edit.grid > grid.images",
        "edit.report > text.source",
        "load 0.IMAGE > compare.before",
        "protect.image > compare.after",
    ),
    "## Edit a protected picture\n\n"
    "What does img2img make of a protected picture?\n\n"
    "**Edit Test** edits the clean and the protected picture with the same noise. Beside them: the "
    "clean picture with other noise, which is chance, and with random noise of the protection's "
    "budget.\n\n"
    "Here it is quick; set *sampling_steps* to 12.",
    {"FixativeEditTest": ("edit", "grid")},
)

_TRAINING = {
    "steps": 20,
    "learning_rate": 0.03,  # the host divides what a LoRA does by its rank
    "training_dtype": "fp32",
    "lora_dtype": "fp32",
    "gradient_checkpointing": False,
    "seed": 0,
    "control_after_generate": "fixed",  # or each branch would draw numbers of its own
}
_DRAWING = {
    "steps": 8,
    "cfg": 2.0,
    "sampler_name": "euler",
    "scheduler": "sgm_uniform",
    "seed": 1,
    "control_after_generate": "fixed",
}


def _branch(name: str, source: str, top: int) -> tuple[dict[str, Node], tuple[str, ...]]:
    """The host's own nodes from pictures to what their LoRA draws."""
    nodes = {
        f"encode {name}": Node("VAEEncode", (810, top), (200, 60)),
        f"single {name}": Node("RebatchLatents", (810, top + 110), (200, 80), {"batch_size": 1}),
        f"put on {name}": Node("LoraModelLoader", (810, top + 250), (200, 100)),
        f"train {name}": Node("TrainLoraNode", (1040, top), (280, 460), _TRAINING),
        f"draw {name}": Node("KSampler", (1350, top), (260, 300), _DRAWING),
        f"decode {name}": Node("VAEDecode", (1350, top + 360), (260, 60)),
    }
    wires = (
        f"{source} > encode {name}.pixels",
        f"testbed.vae > encode {name}.vae",
        f"encode {name}.LATENT > single {name}.latents",
        f"single {name}.LATENT > train {name}.latents",
        f"testbed.model > train {name}.model",
        f"testbed.positive > train {name}.positive",
        f"testbed.model > put on {name}.model",
        f"train {name}.lora > put on {name}.lora",
        f"put on {name}.model > draw {name}.model",
        f"testbed.positive > draw {name}.positive",
        f"testbed.negative > draw {name}.negative",
        f"empty.LATENT > draw {name}.latent_image",
        f"draw {name}.LATENT > decode {name}.samples",
        f"testbed.vae > decode {name}.vae",
    )
    return nodes, wires


_CLEAN, _CLEAN_WIRES = _branch("clean", "clean.IMAGE", 0)
_PROTECTED, _PROTECTED_WIRES = _branch("protected", "protect.image", 520)

HOST = Example(
    {
        **THREE,
        "testbed": loader("photo new1"),
        "empty": Node(
            "EmptyLatentImage",
            (258, 450),
            (230, 110),
            {"width": 256, "height": 256, "batch_size": 1},
        ),
        "note": Node("MarkdownNote", (258, 620), (522, 400)),
        "protect": Node("FixativeProtectImage", (500, 0), (280, 560)),
        **_CLEAN,
        **_PROTECTED,
        "compare": Node("FixativeCompare", (1640, 0), (480, 560)),
    },
    (
        *THREE_WIRES,
        "clean.IMAGE > protect.image",
        "testbed.vae > protect.vae",
        *_CLEAN_WIRES,
        *_PROTECTED_WIRES,
        "decode clean.IMAGE > compare.before",
        "decode protected.IMAGE > compare.after",
    ),
    "## The same with ComfyUI's own trainer\n\n"
    "**Train LoRA**, **Load LoRA Model** and **KSampler** are the host's own. One LoRA learns from "
    "the clean pictures, one from the protected ones, with the same seed; **Compare** shows what "
    "they draw from the same noise.\n\n"
    "For a full-size model on a GPU put **Load Checkpoint** and **CLIP Text Encode** in the place "
    "of **Load Testbed**, set *training_dtype* and *lora_dtype* to bf16, *gradient_checkpointing* "
    "on, *steps* to 200 or more, *learning_rate* to 0.0001 to 0.0005, and the size of the empty "
    "latent to the model's.\n\n"
    "**Rebatch Latents** makes a list of single latents, which the trainer needs.",
)

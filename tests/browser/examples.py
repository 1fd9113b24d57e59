"""The example workflows, as tables.

``make_examples.py`` builds them in the real front end and writes ``example_workflows/``.
"""

from __future__ import annotations

from tests.browser.mimicry_examples import EDIT, HOST, MIMIC
from tests.browser.platform_examples import PURIFY, TABLE
from tests.browser.tables import COLUMN, Example, Node, compared, note, sources

ONE_IMAGE = Example(
    {
        **sources(),
        **note(),
        "protect": Node("FixativeProtectImage", (COLUMN, 0), (300, 500)),
        "compare": Node("FixativeCompare", (2 * COLUMN, 0), (500, 600)),
        "save": Node("FixativeSaveProtectedImage", (2 * COLUMN + 540, 0), (300, 480)),
    },
    (
        "load.IMAGE > protect.image",
        "vae.VAE > protect.vae",
        "load.IMAGE > compare.before",
        "protect.image > compare.after",
        "protect.strength map > compare.map",
        "protect.image > save.images",
    ),
    "## Protect one picture\n\n"
    "1. Choose your picture in **Load Image**.\n"
    "2. **Run**, then drag the slider in **Compare**; *Difference* shows what changed, *Map* "
    "where it was pressed harder.\n"
    "3. The saved PNG holds every value exactly, and no workflow.\n\n"
    "`taesd` comes with Fixative. The VAE of the model family to protect against is better, if "
    "you have it.",
    {
        "FixativeProtectImage": ("protect",),
        "FixativeCompare": ("compare",),
        "FixativeSaveProtectedImage": ("save",),
    },
)

FOLDER = Example(
    {
        "load": Node("LoadImageDataSetFromFolder", (0, 0), (300, 60), {"folder": "."}),
        "mask": Node("SolidMask", (0, 120), (300, 110), {"width": 512, "height": 512}),
        "feather": Node(
            "FeatherMask",
            (0, 290),
            (300, 130),
            {"left": 128, "top": 128, "right": 128, "bottom": 128},
        ),
        "vae": Node("VAELoader", (0, 480), (300, 60), {"vae_name": "taesd"}),
        "note": Node("MarkdownNote", (0, 600), (300, 270)),
        "protect": Node("FixativeProtectImage", (COLUMN, 0), (300, 500)),
        "compare": Node("FixativeCompare", (2 * COLUMN, 0), (500, 600), compared(map=True)),
        "save": Node(
            "FixativeSaveProtectedImage",
            (2 * COLUMN + 540, 0),
            (300, 480),
            {"filename_prefix": "protected/picture"},
        ),
    },
    (
        "load.images > protect.image",
        "vae.VAE > protect.vae",
        "mask.MASK > feather.mask",
        "feather.MASK > protect.mask",
        "load.images > compare.before",
        "protect.image > compare.after",
        "protect.strength map > compare.map",
        "protect.image > save.images",
    ),
    "## Protect a folder, where a mask says\n\n"
    "1. Put a folder of pictures into ComfyUI's `input` folder, press **R**, and choose it in "
    "**Load Image Dataset from Folder** (`.` is the input folder itself).\n"
    "2. Choose where to protect: here everything but the border. White is protected. Any mask "
    "will do; it is stretched over each picture.\n"
    "3. **Run**. The pictures may be of different sizes. ‹ and › in **Compare** go through them; "
    "the files are in `output/protected`.",
)

STEP_NODES = {
    **sources(),
    "mixture": Node("FixativeLoadMixture", (0, 560), (300, 120)),
    "assign": Node("FixativeAssignMixture", (COLUMN, 0), (300, 250)),
    "target": Node("FixativeTargetPerturbation", (COLUMN, 310), (300, 150)),
    "preview": Node("PreviewImage", (COLUMN, 520), (300, 330)),
    "adaptive": Node("FixativeAdaptiveStrength", (2 * COLUMN, 0), (300, 150)),
}
STEP_WIRES = (
    "load.IMAGE > assign.image",
    "vae.VAE > assign.vae",
    "mixture.mixture > assign.mixture",
    "assign.assignment > target.assignment",
    "mixture.mixture > target.mixture",
    "target.preview ×10 > preview.images",
    "load.IMAGE > adaptive.image",
    "target.perturbation > adaptive.perturbation",
)

STEPS = Example(
    {
        **STEP_NODES,
        "note": Node("MarkdownNote", (0, 750), (300, 240)),
        "apply": Node("FixativeApplyPerturbation", (2 * COLUMN, 210), (300, 200)),
        "text": Node("PreviewAny", (2 * COLUMN, 520), (300, 330)),
        "compare": Node("FixativeCompare", (3 * COLUMN, 0), (500, 600), compared(map=True)),
        "save": Node("FixativeSaveProtectedImage", (3 * COLUMN + 540, 0), (300, 480)),
    },
    (
        *STEP_WIRES,
        "load.IMAGE > apply.image",
        "target.perturbation > apply.perturbation",
        "adaptive.strength map > apply.map",
        "assign.report > text.source",
        "load.IMAGE > compare.before",
        "apply.image > compare.after",
        "adaptive.strength map > compare.map",
        "apply.image > save.images",
    ),
    "## Step by step\n\n"
    "What **Protect Image** does, one node a step; the result is the same, bit for bit.\n\n"
    "1. **Assign** finds the group of trained perturbations that fits the picture, and the target "
    "by how busy it is.\n"
    "2. **Target Perturbation** is what will be added.\n"
    "3. **Adaptive Strength** presses harder where it is seen less.\n"
    "4. **Apply** adds both within the budget.",
    {
        "FixativeLoadMixture": ("mixture",),
        "FixativeAssignMixture": ("assign",),
        "FixativeTargetPerturbation": ("target", "preview"),
        "FixativeAdaptiveStrength": ("adaptive",),
        "FixativeApplyPerturbation": ("apply",),
    },
)

REFINE = Example(
    {
        **STEP_NODES,
        "note": Node("MarkdownNote", (0, 750), (300, 240)),
        "refine": Node("FixativeRefinePerturbation", (2 * COLUMN, 210), (300, 420), {"steps": 6}),
        "apply": Node("FixativeApplyPerturbation", (2 * COLUMN, 690), (300, 200)),
        "compare": Node(
            "FixativeCompare",
            (3 * COLUMN, 0),
            (500, 600),
            compared(mode="difference", amplification=5),
        ),
        "save": Node("FixativeSaveProtectedImage", (3 * COLUMN + 540, 0), (300, 480)),
        "report": Node("FixativeProtectionReport", (3 * COLUMN, 660), (300, 230)),
        "plot": Node("PreviewImage", (4 * COLUMN, 660), (500, 330)),
    },
    (
        *STEP_WIRES,
        "load.IMAGE > refine.image",
        "vae.VAE > refine.vae",
        "target.perturbation > refine.perturbation",
        "adaptive.strength map > refine.map",
        "load.IMAGE > apply.image",
        "refine.perturbation > apply.perturbation",
        "load.IMAGE > compare.before",
        "apply.image > compare.after",
        "adaptive.strength map > compare.map",
        "apply.image > save.images",
        "load.IMAGE > report.original",
        "apply.image > report.protected",
        "vae.VAE > report.vae",
        "mixture.mixture > report.mixture",
        "report.plot > plot.images",
    ),
    "## Refine\n\n"
    "The mixture's perturbation is the start of a few gradient steps (PGD) for this very picture: "
    "stronger within the same budget, and slower.\n\n"
    "The curve in **Refine** is the pull towards the target, step by step. The strength map goes "
    "into **Refine**, so **Apply** needs none.\n\n"
    "**Protection Report** shows the pull beside random noise of the same size.",
    {
        "FixativeRefinePerturbation": ("refine",),
        "FixativeProtectionReport": ("report", "plot"),
    },
)

TRAIN = Example(
    {
        **sources(),
        "note": Node("MarkdownNote", (0, 560), (300, 310)),
        "train": Node(
            "FixativeTrainMixture",
            (COLUMN, 0),
            (340, 640),
            {
                "name": "example_mixture",
                "steps": 12,
                "groups": 1,
                "crop": 64,
                "seed": 0,
                "overwrite": True,
            },
        ),
        "text": Node("PreviewAny", (COLUMN, 700), (340, 170)),
        "assign": Node("FixativeAssignMixture", (2 * COLUMN + 40, 0), (300, 250)),
        "target": Node("FixativeTargetPerturbation", (2 * COLUMN + 40, 310), (300, 150)),
        "apply": Node("FixativeApplyPerturbation", (2 * COLUMN + 40, 520), (300, 200)),
        "compare": Node("FixativeCompare", (3 * COLUMN + 40, 0), (500, 600)),
        "save": Node("FixativeSaveProtectedImage", (3 * COLUMN + 580, 0), (300, 480)),
    },
    (
        "load.IMAGE > train.images",
        "vae.VAE > train.vae",
        "train.report > text.source",
        "load.IMAGE > assign.image",
        "vae.VAE > assign.vae",
        "train.mixture > assign.mixture",
        "assign.assignment > target.assignment",
        "train.mixture > target.mixture",
        "load.IMAGE > apply.image",
        "target.perturbation > apply.perturbation",
        "load.IMAGE > compare.before",
        "apply.image > compare.after",
        "apply.image > save.images",
    ),
    "## Train on your VAE\n\n"
    "1. Choose the VAE to protect against in **Load VAE**.\n"
    "2. Give **Train Mixture** pictures of yours: an image batch, or better a folder with dozens "
    "to hundreds. For a folder, cut the wire to *images*.\n"
    "3. Set *steps* to 300 or more, *crop* to 128 and *groups* to 4. Here they are small, so that "
    "it takes a minute on a CPU.\n"
    "4. **Run**. Stopped, it goes on where it was at the next run.\n\n"
    "The mixture is saved into `models/fixative`; press **R**, and every node offers it.",
    {"FixativeTrainMixture": ("train",)},
)

EXAMPLES = {
    "protect_one_image": ONE_IMAGE,
    "protect_a_folder_with_mask": FOLDER,
    "step_by_step": STEPS,
    "refine": REFINE,
    "train_on_your_vae": TRAIN,
    "protect_purify_compare": PURIFY,
    "table_of_countermeasures": TABLE,
    "protect_mimic_compare": MIMIC,
    "edit_a_protected_picture": EDIT,
    "mimic_with_the_host_s_trainer": HOST,
}

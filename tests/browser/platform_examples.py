"""The example workflows of the platform: take a protection off again, and compare what stays."""

from __future__ import annotations

from tests.browser.tables import COLUMN, Example, Node, sources

PROTOCOL = """\
version: 1
name: example
size: 256
window: 128
strengths: [8]
protections:
  - mixture
  - noise
  - {method: "photoguard:steps=5", name: "PhotoGuard, 5 steps", sees: window}
countermeasures:
  - "jpeg:75"
  - "resize:0.5"
  - "jpeg:75+resize:0.5"
  - roundtrip
resamples: 500
"""

PURIFY = Example(
    {
        **sources(),
        "note": Node("MarkdownNote", (0, 560), (300, 330)),
        "protect": Node("FixativeProtectImage", (COLUMN, 0), (300, 500)),
        "inspect": Node("FixativeInspect", (COLUMN, 560), (300, 160)),
        "found": Node("PreviewAny", (COLUMN, 780), (300, 180)),
        "purify": Node("FixativePurify", (2 * COLUMN, 0), (300, 740), {"iterations": 6}),
        "compare": Node("FixativeCompare", (3 * COLUMN, 0), (500, 600)),
        "protected": Node("FixativeProtectionReport", (3 * COLUMN + 540, 0), (300, 230)),
        "plot": Node("PreviewImage", (3 * COLUMN + 880, 0), (500, 330)),
        "purified": Node("FixativeProtectionReport", (3 * COLUMN + 540, 400), (300, 230)),
        "plot after": Node("PreviewImage", (3 * COLUMN + 880, 400), (500, 330)),
    },
    (
        "load.IMAGE > protect.image",
        "vae.VAE > protect.vae",
        "protect.image > inspect.image",
        "inspect.report > found.source",
        "protect.image > purify.image",
        "vae.VAE > purify.vae",
        "protect.image > compare.before",
        "purify.image > compare.after",
        "load.IMAGE > protected.original",
        "protect.image > protected.protected",
        "vae.VAE > protected.vae",
        "protected.plot > plot.images",
        "load.IMAGE > purified.original",
        "purify.image > purified.protected",
        "vae.VAE > purified.vae",
        "purified.plot > plot after.images",
    ),
    "## Protect, purify, compare\n\n"
    "How much of a protection stays when somebody tries to take it off?\n\n"
    "1. **Protect Image** protects; **Inspect** sees that it did.\n"
    "2. **Purify (IMPRESS)** takes it off again, with nothing but the VAE. Here it makes 6 steps, "
    "so that it takes a minute on a CPU; set *iterations* to 0 for as many as it needs.\n"
    "3. **Compare** shows what purifying cost, and the two **Protection Reports** the pull before "
    "and after it.",
    {"FixativePurify": ("purify",), "FixativeInspect": ("inspect", "found")},
)

TABLE = Example(
    {
        **sources(),
        "note": Node("MarkdownNote", (0, 560), (300, 330)),
        "protect": Node(
            "FixativeIterativeProtection",
            (COLUMN, 0),
            (300, 560),
            {"method": "photoguard low", "steps": 5},
        ),
        "counter": Node(
            "FixativeCountermeasure",
            (2 * COLUMN, 0),
            (300, 450),
            {"chain": "jpeg:75+resize:0.5"},
        ),
        "compare": Node("FixativeCompare", (2 * COLUMN, 510), (500, 580)),
        "evaluate": Node(
            "FixativeEvaluate",
            (2 * COLUMN + 540, 0),
            (400, 560),
            {"protocol": "custom", "custom": PROTOCOL},
        ),
        "plots": Node("PreviewImage", (2 * COLUMN + 980, 0), (620, 560)),
        "table": Node("PreviewAny", (2 * COLUMN + 540, 620), (1060, 470)),
    },
    (
        "load.IMAGE > protect.image",
        "vae.VAE > protect.vae",
        "protect.image > counter.image",
        "load.IMAGE > compare.before",
        "counter.image > compare.after",
        "load.IMAGE > evaluate.images",
        "vae.VAE > evaluate.vae",
        "evaluate.report > plots.images",
        "evaluate.table > table.source",
    ),
    "## The table of countermeasures\n\n"
    "**Evaluate** protects your pictures in every way of its protocol, does to each result what "
    "pictures meet on their way, and tells what is left: worst cases first. Its report for a "
    "browser is in `output/fixative/evaluation`.\n\n"
    "Here the protocol is small, so that it takes a minute; choose *quick* or *paper* for numbers "
    "to rely on, and give it a batch of pictures.\n\n"
    "To the left, one cell of that table by hand: **Iterative Protection**, then "
    "**Countermeasure**.",
    {
        "FixativeIterativeProtection": ("protect",),
        "FixativeCountermeasure": ("counter",),
        "FixativeEvaluate": ("evaluate", "plots"),
    },
)

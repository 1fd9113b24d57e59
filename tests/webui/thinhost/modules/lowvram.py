"""Where A1111 keeps what --medvram and --lowvram have on the device."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

#: How often somebody had it cleared; tests read it.
cleared = 0


def send_everything_to_cpu() -> None:
    global cleared
    cleared += 1

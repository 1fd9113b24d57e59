"""The one folder that touches ComfyUI: its VAEs, folders, progress, interrupt and messages."""

"""Which model is loaded: none, or a small one with the host's own traps."""

# What differs between hosts is defined twice: a type checker sees one of them.
# pyright: basic, reportMissingImports=false, reportRedeclaration=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

import os
import threading
from typing import Any

from modules import errors, thin

#: What ``load_model`` finds: none, or a kind that ``thin_models`` makes.
ON_DISK = os.environ.get("FIXATIVE_THIN_MODEL", "none")

if thin.FORGE:

    class FakeInitialModel:
        """What stands there before anything is loaded: an object, and true."""

        def __init__(self) -> None:
            self.cond_stage_model = None
            self.chunk_length = 75

    class SdModelData:
        def __init__(self) -> None:
            self.sd_model: Any = FakeInitialModel()
            self.forge_loading_parameters: dict[str, Any] = {}
            self.forge_hash = ""

        def get_sd_model(self) -> Any:
            return self.sd_model

        def set_sd_model(self, v: Any) -> None:
            self.sd_model = v

    def forge_model_reload() -> tuple[Any, bool]:
        """Load what the user chose, unless it is there."""
        if not isinstance(model_data.sd_model, FakeInitialModel):
            return model_data.sd_model, False
        _load()
        return model_data.sd_model, True

else:

    class SdModelData:
        def __init__(self) -> None:
            self.sd_model: Any = None
            self.loaded_sd_models: list[Any] = []
            self.was_loaded_at_least_once = False
            self.lock = threading.Lock()

        def get_sd_model(self) -> Any:
            """The model; where none is there, each call tries to load one."""
            if self.was_loaded_at_least_once or self.sd_model is not None:
                return self.sd_model
            with self.lock:
                try:
                    load_model()
                except Exception as error:
                    errors.display(error, "loading stable diffusion model")
                    self.sd_model = None
            return self.sd_model

        def set_sd_model(self, v: Any, already_loaded: bool = False) -> None:
            self.sd_model = v
            self.loaded_sd_models = [v, *(m for m in self.loaded_sd_models if m is not v)]


#: How often somebody made the host look for a model; tests read it.
loads = 0


def _load() -> None:
    global loads
    loads += 1
    if ON_DISK == "none":
        raise FileNotFoundError("No checkpoints found. Can't run without a checkpoint.")
    from modules import script_callbacks, thin_models

    model_data.set_sd_model(thin_models.make(ON_DISK))
    script_callbacks.model_loaded_callback(model_data.sd_model)


def load_model(checkpoint_info: Any = None, already_loaded_state_dict: Any = None) -> Any:
    """A1111 loads at once; Forge loads in its own way and this does nothing there."""
    if not thin.FORGE:
        _load()
        model_data.was_loaded_at_least_once = True
    return model_data.sd_model


if thin.since(1, 10):

    def reload_model_weights(
        sd_model: Any = None, info: Any = None, forced_reload: bool = False
    ) -> Any:
        return model_data.sd_model

else:

    def reload_model_weights(sd_model: Any = None, info: Any = None) -> Any:
        return model_data.sd_model


model_data = SdModelData()

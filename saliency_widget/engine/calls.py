"""Calling a module with its own hooks and without those of the whole process."""

from __future__ import annotations

from typing import Any

from torch import nn


def call_without_global_hooks(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What ``module(*args, **kwargs)`` does where nobody registered hooks for every module."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if key in module._forward_pre_hooks_with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is not None:
                args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    result = module.forward(*args, **kwargs)
    for key, hook in list(module._forward_hooks.items()):
        if key in module._forward_hooks_with_kwargs:
            changed = hook(module, args, kwargs, result)
        else:
            changed = hook(module, args, result)
        if changed is not None:
            result = changed
    return result

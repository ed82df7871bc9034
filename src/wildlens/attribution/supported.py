"""Refusal of networks for which captum would be silently wrong, before anything is computed.

DeepLIFT and guided backpropagation hook modules: an activation that is a function (torch.relu), one
that captum has no rule for, or a module that is called twice is missed or mixed up, and the result
is a plausible but wrong map. Therefore the calls of one forward pass are recorded.
"""

import copy
from collections import Counter

import torch
from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from wildlens.errors import WildLensError

LINEAR = (
    nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d, nn.Flatten, nn.Identity, nn.Dropout,
    nn.Dropout2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Upsample, nn.ReflectionPad2d, nn.ZeroPad2d,
    nn.Unflatten,
)  # fmt: skip
# guided backpropagation is defined for rectifiers, and does not change these
UNGUIDED = (nn.Tanh, nn.Sigmoid, nn.Softplus, nn.MaxPool2d)
# fmt: off
LINEAR_FUNCTIONS = {
    "add", "sub", "rsub", "neg", "cat", "stack", "mean", "sum", "squeeze", "unsqueeze", "reshape",
    "view", "flatten", "permute", "transpose", "getitem", "get", "to", "contiguous", "float",
    "interpolate", "pad", "expand", "clone", "size", "dim", "unbind",
}
LINEAR_IN_ONE = {"mul", "rmul", "div", "truediv", "matmul", "rmatmul", "conv2d", "linear", "einsum"}
# fmt: on


class _Watch(TorchFunctionMode):
    """Collects functions outside of torch's modules that are not linear in the images."""

    def __init__(self):
        super().__init__()
        self.depth = 0
        self.calls: Counter[str] = Counter()
        self.functions: list[str] = []

    def enter(self, name: str):
        def hook(*_):
            self.depth += 1
            self.calls[name] += 1

        return hook

    def leave(self, *_):
        self.depth -= 1

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", str(func)).strip("_")
        # only the images require a gradient: what does, depends on them
        dependent = [_depends(arg) for arg in (*args, *(kwargs or {}).values())]
        linear = name in LINEAR_FUNCTIONS or (name in LINEAR_IN_ONE and sum(dependent) == 1)
        if name in ("div", "truediv"):
            linear = linear and dependent[0]
        if self.depth == 0 and any(dependent) and not linear:
            self.functions.append(name)
        return func(*args, **(kwargs or {}))


def _depends(value) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_depends, value))
    return isinstance(value, Tensor) and value.requires_grad


def check_deeplift(classifier: nn.Module) -> None:
    """WildLensError unless each activation is a module with a rule in captum, called once."""
    watch, modules = _observe(classifier)
    known = (*LINEAR, *SUPPORTED_NON_LINEAR)
    _refuse_functions("deeplift", watch)
    _refuse_modules("deeplift", modules, known)
    _refuse_reuse("deeplift", watch, modules, tuple(SUPPORTED_NON_LINEAR))


def check_guided(classifier: nn.Module) -> None:
    """WildLensError unless all rectifiers are ReLU modules, which alone captum guides."""
    watch, modules = _observe(classifier)
    _refuse_functions("guided_gradcam", watch)
    _refuse_modules("guided_gradcam", modules, (*LINEAR, *UNGUIDED, nn.ReLU))


def check_gradcam(classifier: nn.Module, before: int = 0) -> None:
    """WildLensError unless there is such a block, called once: captum would see one call only.

    Args:
        before: number of the block, counted back from the last (0).
    """
    probe, calls = copy.deepcopy(classifier).requires_grad_(False), Counter()
    if before >= len(probe.blocks):
        raise WildLensError(
            f"attribution.gradcam_block is {before}, but the classifier has {len(probe.blocks)}"
            f" convolution blocks: at most {len(probe.blocks) - 1} lie before the last"
        )
    block = probe.blocks[-1 - before]
    block.register_forward_hook(lambda *_: calls.update(["block"]))
    probe(_mean_image(classifier))
    if calls["block"] != 1:
        _refuse("gradcam", f"a block ({type(block).__name__}) {calls['block']} times")


def _observe(classifier: nn.Module) -> tuple[_Watch, dict[str, nn.Module]]:
    """Record one forward pass of a copy: calls, and torch's own modules by name."""
    probe = copy.deepcopy(classifier).requires_grad_(False)
    modules = {
        name: module
        for name, module in probe.named_modules()
        if type(module).__module__.startswith("torch.nn.") and not list(module.children())
    }
    watch = _Watch()
    for name, module in modules.items():
        module.register_forward_pre_hook(watch.enter(name))
        module.register_forward_hook(watch.leave)
    image = _mean_image(classifier).requires_grad_()
    with torch.enable_grad(), watch:
        probe(image)
    return watch, {name: module for name, module in modules.items() if watch.calls[name]}


def _mean_image(classifier: nn.Module) -> Tensor:
    """(1, C, H, W) of the band means, of a size that the classifier takes."""
    side = getattr(classifier, "tile_size", 64)
    return classifier.standardise.mean[None, :, None, None].expand(1, -1, side, side).clone()


def _refuse_functions(method: str, watch: _Watch) -> None:
    if watch.functions:
        _refuse(method, f"'{watch.functions[0]}' as a function, which cannot be hooked")


def _refuse_modules(method: str, modules: dict[str, nn.Module], known: tuple[type, ...]) -> None:
    for name, module in modules.items():
        # exactly these types: captum does not look for subclasses
        if type(module) not in known:
            _refuse(method, f"'{name}' ({type(module).__name__}), for which captum has no rule")


def _refuse_reuse(method: str, watch: _Watch, modules, types: tuple[type, ...]) -> None:
    for name, module in modules.items():
        if isinstance(module, types) and watch.calls[name] > 1:
            _refuse(method, f"'{name}' ({type(module).__name__}) {watch.calls[name]} times")


def _refuse(method: str, what: str) -> None:
    raise WildLensError(
        f"method '{method}': the classifier uses {what}; its attributions would be wrong without a "
        "word: explain it by occlusion or integrated_gradients"
    )

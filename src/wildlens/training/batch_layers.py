"""Layers that depend on the whole batch, for several processes with a share of it each.

All other layers of our networks treat each image separately.
"""

import torch
from torch import Tensor, nn
from torch.autograd import Function

from wildlens.networks.classifier import PixelOcclusion
from wildlens.training.processes import Processes


def synchronise(network: nn.Module, processes: Processes) -> nn.Module:
    """Replace such layers of a network by ones that see all shares; weights and names stay.

    On GPUs batch statistics are computed by torch's SyncBatchNorm, which runs on GPUs only.
    """
    if processes.count == 1:
        return network
    if processes.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, layer in network.named_children():
        if type(layer) is nn.BatchNorm2d:
            setattr(network, name, BatchNorm(layer, processes))
        elif isinstance(layer, nn.Dropout | PixelOcclusion):
            setattr(network, name, Masked(layer, processes))
        else:
            synchronise(layer, processes)
    return network


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation by mean and variance over all processes.

    Two passes (mean, then squared deviations) make it as accurate as in one process.
    """

    def __init__(self, layer: nn.BatchNorm2d, processes: Processes):
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.load_state_dict(layer.state_dict())
        self.processes = processes

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        dtype, x = x.dtype, x.float() if x.dtype == torch.bfloat16 else x
        mean = self._mean(x)
        deviation = x - mean[:, None, None]
        variance = self._mean(deviation.square())
        with torch.no_grad():
            count = x.shape[0] * x.shape[2] * x.shape[3] * self.processes.count
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (deviation * scale[:, None, None] + self.bias[:, None, None]).to(dtype)

    def _mean(self, x: Tensor) -> Tensor:
        """(n, C, H, W) of each process -> (C,) over all."""
        return _Sum.apply(x.mean(dim=(0, 2, 3)), self.processes) / self.processes.count


class _Sum(Function):
    """Sum over the processes; the gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(context, tensor: Tensor, processes: Processes) -> Tensor:
        context.processes = processes
        return processes.sum(tensor.clone())

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        return context.processes.sum(gradient.clone()), None


class Masked(nn.Module):
    """A layer that multiplies by random numbers, drawn for the whole batch in every process."""

    pointwise = True  # see networks.receptive_field

    def __init__(self, layer: nn.Module, processes: Processes):
        super().__init__()
        self.layer, self.processes = layer, processes

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        # ones in the memory layout of the whole batch
        ones = torch.ones_like(torch.cat([x.detach()] * self.processes.count))
        return x * self.processes.share(self.layer(ones))

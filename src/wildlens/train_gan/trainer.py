"""The networks of the modified CycleGAN, their optimizers, and one training step."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import Generator
from wildlens.settings import Gan
from wildlens.train_gan import losses
from wildlens.train_gan.averaging import RunningMean
from wildlens.train_gan.objective import Objective
from wildlens.training.batch_layers import synchronise
from wildlens.training.data import TrainingSet
from wildlens.training.processes import Processes
from wildlens.training.random_states import load_optimizer

GRADIENT_NORM = 5.0  # gradients are clipped to it: large updates make the generators diverge


def generator_arguments(settings: Gan, bands: int) -> dict:
    """Arguments of a generator's constructor, as stored in the model file."""
    return {
        "bands": bands,
        "width": settings.width,
        "downsamplings": settings.downsamplings,
        "blocks": settings.blocks,
    }


@dataclass
class Trainer:
    """The networks of the modified CycleGAN, their optimizers, and one training step."""

    maximizer: Generator
    minimizer: Generator
    discriminators: nn.ModuleDict
    objective: Objective
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    kept: dict[str, RunningMean]
    processes: Processes

    @classmethod
    def build(
        cls,
        classifier: nn.Module,
        data: TrainingSet,
        arguments: dict,
        settings: Gan,
        device: torch.device,
        processes: Processes,
    ) -> "Trainer":
        """New networks, with weights drawn from torch's current random state."""
        maximizer, minimizer = Generator(**arguments), Generator(**arguments)
        discriminators = nn.ModuleDict(
            {
                name: PatchDiscriminator(len(data.bands), settings.discriminator_width)
                for name in ("maximizer", "minimizer")
            }
        )
        for network in (maximizer, minimizer, *discriminators.values()):
            network.standardise.set_statistics(data.mean, data.sd)
            network.to(device, memory_format=torch.channels_last)
            synchronise(network, processes)
        pair = [*maximizer.parameters(), *minimizer.parameters()]
        betas = (0.5, 0.999)
        unit = data.sd[:, None, None].to(device) if settings.loss_unit == "standardised" else 1.0
        objective = Objective(classifier, maximizer, minimizer, discriminators, unit, settings)
        return cls(
            maximizer=maximizer,
            minimizer=minimizer,
            discriminators=discriminators,
            objective=objective,
            generator_optimizer=torch.optim.Adam(pair, settings.rate, betas),
            discriminator_optimizer=torch.optim.Adam(
                discriminators.parameters(), settings.rate, betas
            ),
            kept={
                "maximizer": RunningMean(maximizer, settings.averaging),
                "minimizer": RunningMean(minimizer, settings.averaging),
            },
            processes=processes,
        )

    def state(self) -> dict:
        """All that the remaining steps depend on."""
        networks = {name: network.state_dict() for name, network in self._trained().items()}
        return {
            "networks": networks,
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
        }

    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""
        for name, network in self._trained().items():
            network.load_state_dict(state["networks"][name])
        load_optimizer(self.generator_optimizer, state["generator_optimizer"])
        load_optimizer(self.discriminator_optimizer, state["discriminator_optimizer"])

    def _trained(self) -> dict[str, nn.Module]:
        kept = {f"kept_{name}": mean.network for name, mean in self.kept.items()}
        return kept | {
            "maximizer": self.maximizer,
            "minimizer": self.minimizer,
            "discriminators": self.discriminators,
        }

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of all networks."""
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = rate

    def step(self, images: Tensor, lambda_am: float) -> dict[str, float]:
        """One step of both generators, then one of both discriminators.

        Args:
            images: (N, C, H, W), this process's share of the batch.

        Returns:
            Losses and scores of the whole batch, by name.
        """
        run = self.objective.run
        high, low = run(self.maximizer, images), run(self.minimizer, images)
        row, loss = self.generator_loss(images, high, low, lambda_am)
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.processes.average_gradients([self.maximizer, self.minimizer])
        for generator in (self.maximizer, self.minimizer):
            nn.utils.clip_grad_norm_(generator.parameters(), GRADIENT_NORM)
        self.generator_optimizer.step()
        row["discriminator"] = self._discriminator_step(images, high.detach(), low.detach())
        self.kept["maximizer"].update(self.maximizer)
        self.kept["minimizer"].update(self.minimizer)
        return dict(zip(row, self.processes.mean(list(row.values())), strict=True))

    def generator_loss(
        self, images: Tensor, high: Tensor, low: Tensor, lambda_am: float
    ) -> tuple[dict[str, float], Tensor]:
        """Terms of the objective and mean scores by name, and the loss to minimise."""
        terms, logits = self.objective.terms(images, high, low)
        row = {name: value.item() for name, value in terms.items()}
        row |= {name: value.detach().sigmoid().mean().item() for name, value in logits.items()}
        return row, self.objective.weighted(terms, lambda_am)

    def _discriminator_step(self, images: Tensor, high: Tensor, low: Tensor) -> float:
        run = self.objective.run
        loss = sum(
            losses.discrimination(
                run(self.discriminators[name], images), run(self.discriminators[name], fake)
            )
            for name, fake in (("maximizer", high), ("minimizer", low))
        )
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.processes.average_gradients([self.discriminators])
        self.discriminator_optimizer.step()
        return loss.item()

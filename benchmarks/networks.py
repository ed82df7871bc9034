"""Speed of occlusion compared with captum, and of a GAN training step with a plain CycleGAN."""

from types import SimpleNamespace

import torch
from captum.attr import Occlusion as Captum
from torch import nn

from benchmarks.measure import Turns, take_turns
from wildlens.methods.occlusion import Occlusion
from wildlens.networks.classifier import UNetClassifier
from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import Generator
from wildlens.settings import Gan
from wildlens.train_gan import losses
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.processes import Processes

WINDOW, STRIDE = 16, 8


def occlusion(classifier: nn.Module, size: int, turns: int) -> tuple[Turns, float, float]:
    """Turns of WildLens and captum; largest difference of their maps; largest value."""
    bands = len(classifier.standardise.mean)
    torch.manual_seed(0)
    images = torch.rand(1, bands, size, size) * 0.3
    ours = Occlusion(classifier, torch.zeros(bands, 1, 1), WINDOW, STRIDE)
    theirs = Captum(classifier)
    results = {}

    def run_ours():
        results["ours"] = ours(images)[0]

    def run_theirs():
        results["captum"] = theirs.attribute(
            images,
            sliding_window_shapes=(bands, WINDOW, WINDOW),
            strides=(bands, STRIDE, STRIDE),
            baselines=0.0,
        )[0, 0]

    found = take_turns({"WildLens": run_ours, "captum": run_theirs}, turns)
    difference = (results["ours"] - results["captum"]).abs().max().item()
    return found, difference, results["captum"].abs().max().item()


def paper_classifier(bands: int, size: int) -> nn.Module:
    """The paper's classifier, untrained, since its speed does not depend on its weights."""
    return UNetClassifier(bands, size, strides=(3, 3, 3)).eval().requires_grad_(False)


def gan_step(classifier: nn.Module, turns: int) -> Turns:
    """Turns of our training step and of a plain CycleGAN's, with the same networks and batch."""
    bands, settings = len(classifier.standardise.mean), Gan()
    data = SimpleNamespace(
        bands=list(range(bands)),
        mean=classifier.standardise.mean,
        sd=classifier.standardise.sd,
    )
    arguments = generator_arguments(settings, bands)
    where, alone = torch.device("cpu"), Processes()
    trainer = Trainer.build(classifier, data, arguments, settings, where, alone)
    plain = _PlainCycleGan(arguments, settings)
    x, y = torch.rand(2, settings.batch_size, bands, settings.crop, settings.crop)
    x, y = (images.contiguous(memory_format=torch.channels_last) for images in (x, y))
    return take_turns(
        {
            "WildLens": lambda: trainer.step(x, settings.lambda_am),
            "plain CycleGAN": lambda: plain.step(x, y),
        },
        turns,
    )


class _PlainCycleGan:
    """The usual step (Zhu et al. 2017): adversarial, cycle and identity losses in two domains."""

    def __init__(self, arguments: dict, settings: Gan):
        self.there, self.back = Generator(**arguments), Generator(**arguments)
        width = settings.discriminator_width
        self.judges = nn.ModuleList(PatchDiscriminator(arguments["bands"], width) for _ in range(2))
        for network in (self.there, self.back, *self.judges):
            network.to(memory_format=torch.channels_last)
        pair = [*self.there.parameters(), *self.back.parameters()]
        self.optimizer = torch.optim.Adam(pair, settings.rate, (0.5, 0.999))
        self.judges_optimizer = torch.optim.Adam(self.judges.parameters(), settings.rate)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """One step of both generators, then of both discriminators."""
        fake_y, fake_x = self.there(x), self.back(y)
        self.judges.requires_grad_(False)
        loss = losses.adversarial(self.judges[0](fake_y)) + losses.adversarial(
            self.judges[1](fake_x)
        )
        for image, again in ((x, self.back(fake_y)), (y, self.there(fake_x))):
            loss = loss + 10 * (image - again).abs().mean()
        for image, same in ((x, self.back(x)), (y, self.there(y))):
            loss = loss + 5 * (image - same).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.judges.requires_grad_(True)
        judged = losses.discrimination(self.judges[0](y), self.judges[0](fake_y.detach()))
        judged = judged + losses.discrimination(self.judges[1](x), self.judges[1](fake_x.detach()))
        self.judges_optimizer.zero_grad()
        judged.backward()
        self.judges_optimizer.step()

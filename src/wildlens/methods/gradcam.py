"""GradCAM (Selvaraju et al. 2017) on a convolution block of the classifier, through captum.

It takes the block's output after normalisation and activation. Before them zero is arbitrary: a
bias that the normalisation removes would change the map and not the classifier.
"""

from dataclasses import dataclass

from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wildlens.attribution.method import Method
from wildlens.attribution.supported import check_gradcam
from wildlens.settings import Attribution


@dataclass(frozen=True)
class GradCam(Method):
    """Activations weighted by their mean gradient, negative ones cut, enlarged to the image.

    Attributes:
        before: number of the block, counted back from the last (0).
    """

    classifier: nn.Module
    before: int = 0

    def __call__(self, images: Tensor) -> Tensor:
        block = self.classifier.blocks[-1 - self.before]
        cells = LayerGradCam(self.classifier, block).attribute(
            images.clone().requires_grad_(), relu_attributions=True
        )
        enlarged = interpolate(cells, images.shape[-2:], mode="bilinear", align_corners=False)
        return enlarged[:, 0].detach()


def create(models, settings: Attribution) -> GradCam:
    """The method on the classifier; refused where captum would be silently wrong."""
    check_gradcam(models.classifier, settings.gradcam_block)
    return GradCam(models.classifier, settings.gradcam_block)

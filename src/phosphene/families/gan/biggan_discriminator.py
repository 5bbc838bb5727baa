"""The discriminators of BigGAN and BigGAN-deep, for one who trains them.

Source: Brock et al. 2019, appendix B, figures 15c and 16c, tables 4 to 9; the projection of the
class is Miyato and Koyama 2018, "cGANs with Projection Discriminator", section 3.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.families.gan.biggan import start_orthogonal
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.biggan_layers import DBlock, DeepDBlock, SelfAttention


class Discriminator(nn.Module):
    """Judges pictures, and whether they fit their class: the mirror image of a generator.

    logit = linear(h) + <embedding of the class, h>, where h is the sum over positions of the last
    features. The embedding is linear in the class weights.
    """

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths[::-1]
        heights = [*config.stage_heights[-2::-1], config.bottom[0]]  # after each halving
        blocks: list[nn.Module] = []
        if config.deep:
            blocks.append(nn.Conv2d(config.channels, widths[0], 3, padding=1))
            pairs = list(pairwise(widths))
        else:
            pairs = list(pairwise([config.channels, *widths[:-1]]))
        for i, ((before, after), height) in enumerate(zip(pairs, heights, strict=True)):
            if config.deep:
                blocks.append(DeepDBlock(before, after, down=True))
                blocks += [DeepDBlock(after, after, down=False) for _ in range(config.depth - 1)]
            else:
                blocks.append(DBlock(before, after, down=True, first=i == 0))
                blocks += [DBlock(after, after, down=False) for _ in range(config.depth - 1)]
            if height in config.attention_resolutions:
                blocks.append(SelfAttention(after))
        if not config.deep:
            blocks.append(DBlock(widths[-2], widths[-1], down=False))
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(widths[-1], 1)
        if config.num_classes:
            self.embed = nn.Embedding(config.num_classes, widths[-1])
        start_orthogonal(self)

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, "b 1"]:
        """Logits: higher is more real.

        Raises:
            RecipeError: classes missing.
        """
        x = self.blocks(images.contiguous(memory_format=torch.channels_last))
        features = F.relu(x).sum(dim=(2, 3))
        logits: Tensor = self.linear(features)
        if self.config.num_classes:
            if classes is None:
                raise RecipeError("this discriminator judges pictures of classes; give them")
            fit = (classes @ self.embed.weight) * features
            logits = logits + fit.sum(dim=1, keepdim=True)
        return logits

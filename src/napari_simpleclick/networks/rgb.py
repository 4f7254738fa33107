"""What published networks do to an image before they look at it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RGB_MEAN = (0.485, 0.456, 0.406)
RGB_STD = (0.229, 0.224, 0.225)
"""ImageNet statistics of RGB in [0, 1]; only the image is normalised."""


class NormaliseRGB(nn.Module):
    """Subtract the mean of ImageNet and divide by its deviation; stores no tensor."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", RGB_MEAN), ("std", RGB_STD)):
            tensor = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Turn RGB (B,3,H,W) in [0, 1] into what the network was trained on."""
        return (image - self.mean) / self.std

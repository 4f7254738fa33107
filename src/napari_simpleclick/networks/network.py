"""What every network is: an encoder of images, an encoder of prompts, a decoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_simpleclick.networks.attempt import Attempt, Refinement
from napari_simpleclick.networks.disks import draw_disks

if TYPE_CHECKING:
    from collections.abc import Sequence

Features = tuple[Tensor, ...]
"""All that a network knows of a batch of images, whatever is asked about them."""

EncodedPrompt = Tensor | tuple[Tensor, ...]
"""A prompt as a network's decoder takes it; a (B,3,H,W) tensor for most."""

Place = tuple[float, float]
"""Row and column in px of the network's input, unrounded."""


@dataclass(frozen=True)
class NetworkSpec:
    """What a network takes; known without its weights.

    Parameters
    ----------
    image_size : tuple of int
        (height, width) in px that it was trained at.
    multiple_of : int
        The sides of an input, px, have to be multiples of this.
    prior : bool
        Whether it was trained to start from a prior mask.
    boxes, scribbles : bool
        Whether it was trained with them.
    encodes_once : bool
        Whether most of its work depends on the image alone, so that features are
        worth keeping.
    takes_boxes : bool
        Whether its prompt encoder takes boxes as they are; for the others, they are
        brought into clicks and a prior.
    zooms : bool
        Whether it is shown an object closely once there is one; not worth while where
        looking at the image takes longest, and once was enough in training.
    most_enlarged : float or None
        How many times a crop around an object is enlarged at most in the fast mode; it
        has been measured that answers are as good then. None always enlarges it to
        ``image_size``.
    light : bool
        Whether two looks take no longer than a person notices, where bfloat16 is fast.
    refines : bool
        Whether it looks again, closely, at what an answer changed: it has
        :meth:`Network.segment`, :meth:`Network.encode_focus` and
        :meth:`Network.refinement`.
    """

    image_size: tuple[int, int] = (448, 448)
    multiple_of: int = 1
    prior: bool = True
    boxes: bool = False
    scribbles: bool = False
    encodes_once: bool = False
    refines: bool = False
    takes_boxes: bool = False
    zooms: bool = True
    most_enlarged: float | None = None
    light: bool = False


@dataclass(frozen=True, eq=False)
class CropPrompts:
    """What is asked about one crop, in px of the network's input.

    Parameters
    ----------
    prior : Tensor
        (1, 1, H, W) probability of the prior mask in [0, 1]; zeros for none.
    positive, negative : tuple of tuple of float
        Rows and columns of the clicks, oldest first.
    boxes : tuple of tuple of float
        First row and column, last row and column of the boxes, oldest first; only for
        networks that take them.
    region : tuple of int or None
        Where the crop lies; what was remembered about another one does not hold.
    """

    prior: Tensor
    positive: tuple[Place, ...] = ()
    negative: tuple[Place, ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    region: tuple[int, ...] | None = None

    def points(self, least: int = 0) -> Tensor:
        """Give the clicks as draw_disks takes them: (1, 2N, 2), padding (-1, -1).

        Parameters
        ----------
        least : int
            Smallest N; prompts of a batch need the same.
        """
        slots = max(len(self.positive), len(self.negative), least)
        points = torch.full((1, 2 * slots, 2), -1.0)
        for start, places in ((0, self.positive), (slots, self.negative)):
            for slot, place in enumerate(places, start):
                points[0, slot] = torch.tensor(place)
        return points.to(self.prior.device)


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that the weights of a network have to agree on; a family adds to it.

    Parameters
    ----------
    image_size : tuple of int
        (height, width) in px that it is trained at.
    """

    image_size: tuple[int, int] = field(default=(448, 448), kw_only=True)

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        raise NotImplementedError

    def build(self) -> Network:
        """Build a network with fresh weights, in training mode."""
        raise NotImplementedError

    def is_variant(self, other: NetworkConfig) -> bool:
        """Whether another configuration is this one but for its input size."""
        return replace(self, image_size=other.image_size) == other

    def metadata(self) -> dict[str, str]:
        """Tell what a checkpoint has to say that its tensors do not."""
        return {}


class Network(nn.Module):
    """Image and prompt to mask logits, in two steps.

    A family implements :meth:`encode` and :meth:`decode`; one whose prompts are not
    click disks also :meth:`encode_prompt` and :meth:`flip_prompt`; the rest is for
    training.

    Parameters
    ----------
    config : NetworkConfig
        What the weights have to agree on.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def spec(self) -> NetworkSpec:
        """What the network takes."""
        return self.config.spec

    def resize(self, image_size: tuple[int, int]) -> None:
        """Make it one for another input size in px, in place."""
        self.config = replace(self.config, image_size=image_size)

    def depth_of(self, name: str) -> int:
        """Tell how many layers lie between a parameter and the output.

        Layer-wise decay of the learning rate follows it; 0 learns at the full rate.
        """
        return 0

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return False

    def is_taught(self, name: str) -> bool:
        """Whether a parameter learns from the few objects that a person has accepted.

        All that learns then has to fit into a small file and a few minutes.
        """
        return not self.is_encoder(name)

    def takes_part(self, name: str) -> bool:
        """Whether any answer depends on a parameter; published files may hold more."""
        return True

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return False

    def shapes_features(self, name: str) -> bool:
        """Whether what :meth:`encode` gives depends on a parameter or buffer."""
        return True

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter: on matrices and kernels alone."""
        return self.get_parameter(name).ndim >= 2

    def for_inference(self) -> Network:
        """Give a network of the same answers that only has to answer.

        Returns
        -------
        Network
            This one, or a copy in which what training needs is merged away, such as
            batch norms; its logits are the same but for rounding.
        """
        return self

    def encode(self, image: Tensor) -> Features:
        """Work out what does not depend on prompts.

        Parameters
        ----------
        image : Tensor
            (B,3,H,W) RGB in [0, 1].

        Returns
        -------
        tuple of Tensor
            Features of the batch, for :meth:`decode`.
        """
        raise NotImplementedError

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a prompt.

        Parameters
        ----------
        features : tuple of Tensor
            What :meth:`encode` made of the images.
        prompt : Tensor
            (B,3,H,W): prior mask probability, positive and negative click disks; or
            what else :meth:`encode_prompt` makes.

        Returns
        -------
        Tensor
            (B,1,H,W) logits; a sigmoid makes them probabilities.
        """
        raise NotImplementedError

    def attempt(self, features: Features, prompt: EncodedPrompt) -> Attempt:
        """Answer a prompt, and give all that training looks at besides.

        Parameters
        ----------
        features, prompt
            What :meth:`decode` takes.
        """
        return Attempt(self.decode(features, prompt))

    def attempt_whole(self, image: Tensor, prompt: EncodedPrompt) -> Attempt:
        """Make an attempt on images (B,3,H,W): :meth:`encode`, :meth:`attempt`."""
        return self.attempt(self.encode(image), prompt)

    def encode_prompt(
        self, prompts: CropPrompts, memory: Any = None
    ) -> tuple[EncodedPrompt, Any]:
        """Bring prompts into the form that :meth:`decode` takes.

        Parameters
        ----------
        prompts : CropPrompts
            What is asked about one crop.
        memory : object
            What the call before on the same object gave back; None for the first.

        Returns
        -------
        Tensor
            (1,3,H,W): prior and click disks, unless a family has its own form.
        object
            What to remember until the next prompt, comparable; None for nothing.
        """
        size = (prompts.prior.shape[2], prompts.prior.shape[3])
        return torch.cat([prompts.prior, draw_disks(prompts.points(), size)], 1), None

    def segment(
        self, features: Features, prompt: EncodedPrompt
    ) -> tuple[Tensor, Tensor]:
        """Answer a prompt for an answer to be refined.

        Parameters
        ----------
        features : tuple of Tensor
            What :meth:`encode` made of the images.
        prompt : Tensor
            What :meth:`encode_prompt` made.

        Returns
        -------
        Tensor
            (B,1,H,W) logits, as :meth:`decode` gives them.
        Tensor
            (B,C,h,w), what :meth:`refine` takes as ``features``.
        """
        raise NotImplementedError

    def encode_focus(self, prompts: CropPrompts) -> Tensor:
        """Bring prompts on a focus crop into the form that :meth:`refine` takes."""
        raise NotImplementedError

    def refine(
        self,
        image: Tensor,
        prompt: Tensor,
        features: Tensor,
        logits: Tensor,
        box: Tensor | Sequence[float],
    ) -> Tensor:
        """Answer more finely on a part of the image, the focus crop.

        Parameters
        ----------
        image : Tensor
            (B,3,h,w) RGB in [0, 1] of the focus crop.
        prompt : Tensor
            (B,2 or 3,h,w), what :meth:`encode_focus` made; a prior is not looked at.
        features, logits : Tensor
            What :meth:`segment` gave.
        box : Tensor or sequence of float
            Left, top, right and bottom of the focus crop in px of ``logits``,
            half-open, unrounded; (B, 4), or (B, 5) with a number before them, as
            lists of boxes often have it; one row or none for B = 1.

        Returns
        -------
        Tensor
            (B,1,h,w) logits on the focus crop.
        """
        return self.refinement(image, prompt, features, logits, box).logits

    def refinement(
        self,
        image: Tensor,
        prompt: Tensor,
        features: Tensor,
        logits: Tensor,
        box: Tensor | Sequence[float],
    ) -> Refinement:
        """Refine, and give all that training looks at; takes what refine takes."""
        raise NotImplementedError

    def flip_prompt(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Mirror a prompt left to right, as its image is mirrored."""
        assert isinstance(prompt, Tensor)
        return prompt.flip(3)

    def forward(self, image: Tensor, prompt: EncodedPrompt) -> Tensor:
        """Predict logits: :meth:`encode`, then :meth:`decode`.

        Parameters
        ----------
        image : Tensor
            (B,3,H,W) RGB in [0, 1].
        prompt : Tensor
            (B,3,H,W), see :meth:`decode`.

        Returns
        -------
        Tensor
            (B,1,H,W) logits.
        """
        return self.decode(self.encode(image), prompt)


def join_prompts(prompts: Sequence[EncodedPrompt]) -> EncodedPrompt:
    """Make one batch of several encoded prompts of the same shape."""
    if all(isinstance(prompt, Tensor) for prompt in prompts):
        return torch.cat([prompt for prompt in prompts if isinstance(prompt, Tensor)])
    return tuple(torch.cat(parts) for parts in zip(*prompts, strict=True))

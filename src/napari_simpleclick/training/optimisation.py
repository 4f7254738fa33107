"""What learns, how fast, and when: parameter groups and learning rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from napari_simpleclick.errors import UserError
from napari_simpleclick.weights.checkpoints import family_of

if TYPE_CHECKING:
    from napari_simpleclick.networks import Network
    from napari_simpleclick.training.config import Stage, TrainConfig


def choose_trainable(network: Network, freeze_encoder: bool) -> None:
    """Switch off gradients of what is not used or not to be trained, in place."""
    unused = family_of(network.config).unused
    for name, parameter in network.named_parameters():
        known = unused is not None and unused.match(name) is not None
        idle = known or not network.takes_part(name)
        frozen = freeze_encoder and network.is_encoder(name)
        parameter.requires_grad_(not (idle or frozen))


def make_optimizers(
    network: Network, config: TrainConfig
) -> list[torch.optim.Optimizer]:
    """Make the optimisers, with a learning rate scale for each parameter group.

    With ``muon``, the matrices of the transformer blocks learn by orthogonalised
    momentum, at the size of step of AdamW (K. Jordan et al., "Muon", 2024; scale:
    J. Liu et al., "Muon is Scalable for LLM Training", 2025), all else by AdamW.

    Parameters
    ----------
    network : Network
        Parameters without gradient are left out.
    config : TrainConfig
        The run.

    Returns
    -------
    list of torch.optim.Optimizer
        One, or two with ``muon``. Each group has the key ``scale``, the factor of its
        learning rate.

    Raises
    ------
    UserError
        If this PyTorch has no Muon.
    """
    groups: dict[tuple[bool, float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if network.decays(name) else 0.0
            scale = config.layer_decay ** network.depth_of(name)
            if network.is_encoder(name):
                scale *= config.encoder_scale
            begins = [part for part in config.rates if name.startswith(part)]
            scale *= config.rates[max(begins, key=len)] if begins else 1.0
            block = parameter.ndim == 2 and network.in_block(name)
            muon = config.optimizer == "muon" and block
            groups.setdefault((muon, decay, scale), []).append(parameter)
    settings: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for (muon, decay, scale), parameters in groups.items():
        group = {"params": parameters, "weight_decay": decay, "scale": scale}
        settings[muon].append(group)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    made: list[torch.optim.Optimizer] = [kind(settings[0])]
    if settings[1]:
        if not hasattr(torch.optim, "Muon"):
            raise UserError(
                f"optimizer: 'muon' needs PyTorch 2.9 or newer, not "
                f"{torch.__version__}; upgrade it or use 'adamw'."
            )
        made.append(torch.optim.Muon(settings[1], adjust_lr_fn="match_rms_adamw"))
    return made


def rate_at(stage: Stage, step: int) -> float:
    """Learning rate of a step: warm-up, then the fall, or the published drops."""
    if stage.drops:
        return stage.rate * 0.1 ** sum(step >= drop for drop in stage.drops)
    rise = min(stage.warm_up, stage.steps // 4)
    if step < rise:
        return stage.rate * (step + 1) / rise
    left = 1 - step / stage.steps
    if stage.fall == "cosine":
        left = 0.5 - 0.5 * math.cos(math.pi * left)
    return stage.rate * (stage.final_rate + (1 - stage.final_rate) * left)

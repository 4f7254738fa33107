"""Weighted logistic regression, which needs no more than SciPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Rows = NDArray[np.float32]

MOST_STEPS = 200
"""Of the optimiser; far more than it needs with a penalty."""


@dataclass(frozen=True, eq=False)
class Logistic:
    """A line between two kinds of rows.

    Parameters
    ----------
    mean, spread : ndarray
        (D,) float32, by which columns are brought to a common scale.
    weights : ndarray
        (D,) float32.
    bias : float
        Log odds of a row that is average in all columns.
    """

    mean: Rows
    spread: Rows
    weights: Rows
    bias: float

    @classmethod
    def fitted(
        cls,
        rows: Rows,
        positive: NDArray[np.bool_],
        share: NDArray[np.float32] | None = None,
        penalty: float = 1.0,
    ) -> Logistic:
        """Fit by penalised maximum likelihood; both kinds weigh the same.

        Parameters
        ----------
        rows : ndarray
            (N, D) float32.
        positive : ndarray
            (N,) bool, at least one of each kind.
        share : ndarray or None
            (N,) weight of each row within its kind; None for the same.
        penalty : float
            Of the squared weights, against the mean of the log likelihoods.
        """
        mean, spread = rows.mean(0), rows.std(0) + 1e-4
        plain = ((rows - mean) / spread).astype(np.float64)
        weight = np.ones(len(rows)) if share is None else share.astype(np.float64)
        weight = weight.copy()
        for kind in (positive, ~positive):
            weight[kind] *= 0.5 / weight[kind].sum()
        sign = np.where(positive, 1.0, -1.0)

        def loss(guess: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            odds = sign * (plain @ guess[:-1] + guess[-1])
            slope = -weight * sign * expit(-odds)
            gradient = np.append(plain.T @ slope + penalty * guess[:-1], slope.sum())
            value = (weight * np.logaddexp(0, -odds)).sum()
            return value + 0.5 * penalty * (guess[:-1] ** 2).sum(), gradient

        start = np.zeros(plain.shape[1] + 1)
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS}
        ).x
        return cls(mean, spread, found[:-1].astype(np.float32), float(found[-1]))

    def mixed(self, other: Logistic, share: float) -> Logistic:
        """Average the log odds with those of another line.

        Parameters
        ----------
        other : Logistic
            Fitted to these columns, or to the first of them.
        share : float
            That of the other line, 0 to 1.
        """
        count = other.weights.size
        slopes = share * other.weights / other.spread
        weights = (1 - share) * self.weights
        weights[:count] += slopes * self.spread[:count]
        shift = other.bias * share + float(slopes @ (self.mean[:count] - other.mean))
        return Logistic(
            self.mean, self.spread, weights, (1 - share) * self.bias + shift
        )

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Give the probability of being positive, (N,) float32, of rows (N, D).

        Columns beyond those that it was fitted to are not looked at.
        """
        rows = rows[:, : self.weights.size]
        odds = ((rows - self.mean) / self.spread) @ self.weights + self.bias
        return np.asarray(expit(odds), np.float32)

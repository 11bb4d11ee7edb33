"""Moments of many maps from one pass over them, and the statistics made from those."""

from __future__ import annotations

import torch
from torch import Tensor

STATISTICS = ("mean", "mean_abs", "square", "variance")


class Moments:
    """Mean and central moments of the maps added so far (Welford 1962; third and fourth by Pébay 2008).

    Nothing is subtracted from a sum of squares, so that the moments are exact where all maps are equal, and the second
    is never negative.

    Parameters
    ----------
    like
        A map, whose shape, device and type the moments take.
    order
        The highest moment, 2 or 4.

    Attributes
    ----------
    count
        Number of maps.
    mean
        Their mean.
    sums
        Sums of the 2nd, and where wanted the 3rd and 4th, power of the deviations from the mean.
    """

    def __init__(self, like: Tensor, order: int = 2) -> None:
        self.count = 0
        self.mean = torch.zeros_like(like)
        self.sums = [torch.zeros_like(like) for _ in range(2, order + 1)]

    def add(self, value: Tensor) -> None:
        """Take in one map."""
        before, self.count = self.count, self.count + 1
        n = self.count
        delta = value - self.mean
        step = delta / n
        self.mean += step
        term = delta.mul_(step).mul_(before)
        if len(self.sums) > 1:
            second, third, fourth = self.sums
            square = step * step
            fourth.addcmul_(term, square, value=n * n - 3 * n + 3)
            fourth.addcmul_(square, second, value=6).addcmul_(step, third, value=-4)
            third.addcmul_(term, step, value=n - 2).addcmul_(step, second, value=-3)
        self.sums[0] += term

    def joined(self, other: Moments) -> Moments:
        """The moments of these maps and those of ``other`` together."""
        if not self.count or not other.count:
            return self if self.count else other
        a, b = self.count, other.count
        n = a + b
        result = Moments.__new__(Moments)
        delta = other.mean - self.mean
        result.count = n
        # In place where it can be: most of the time goes into asking for memory.
        result.mean = (delta * (b / n)).add_(self.mean)
        result.sums = [(self.sums[0] + other.sums[0]).add_(delta.square().mul_(a * b / n))]
        if len(self.sums) > 1:
            (a2, a3, a4), (b2, b3, b4) = self.sums, other.sums
            third = a3 + b3 + delta**3 * (a * b * (a - b) / n**2) + 3 * delta * (a * b2 - b * a2) / n
            fourth = (
                a4
                + b4
                + delta**4 * (a * b * (a * a - a * b + b * b) / n**3)
                + 6 * delta**2 * (a * a * b2 + b * b * a2) / n**2
                + 4 * delta * (a * b3 - b * a3) / n
            )
            result.sums += [third, fourth]
        return result


class Spread:
    """All statistics of the gradients added so far, each with its standard error.

    "mean" is the mean of g, "mean_abs" that of |g|, "square" that of g^2, "variance" the unbiased variance of g.

    Parameters
    ----------
    like
        A map, whose shape, device and type everything takes.
    order
        The highest moment, 4 or 2. With 2 the standard errors of "square" and "variance" cannot be asked for, and
        adding takes half the time.
    """

    def __init__(self, like: Tensor, order: int = 4) -> None:
        self.signed = Moments(like, order)
        self.absolute = Moments(like)

    @property
    def count(self) -> int:
        """How many gradients there are."""
        return self.signed.count

    def add(self, gradient: Tensor) -> None:
        """Take in one gradient."""
        self.signed.add(gradient)
        self.absolute.add(gradient.abs())

    def joined(self, other: Spread) -> Spread:
        """The statistics of both together."""
        result = Spread.__new__(Spread)
        result.signed = self.signed.joined(other.signed)
        result.absolute = self.absolute.joined(other.absolute)
        return result

    def statistic(self, name: str) -> Tensor | None:
        """One of :data:`STATISTICS`; None where there are too few gradients for it."""
        if self.count < (2 if name == "variance" else 1):
            return None
        n, mean, second = self.count, self.signed.mean, self.signed.sums[0]
        if name == "mean":
            return mean.clone()
        if name == "mean_abs":
            return self.absolute.mean.clone()
        return mean**2 + second / n if name == "square" else second / (n - 1)

    def standard_error(self, name: str) -> Tensor | None:
        """The standard error of a statistic, from the same gradients; None where there is one gradient only."""
        n = self.count
        if n < 2:
            return None
        if name in ("mean", "mean_abs"):
            moments = self.signed if name == "mean" else self.absolute
            return (moments.sums[0] / (n - 1) / n).sqrt()
        mean = self.signed.mean
        m2, m3, m4 = (moment / n for moment in self.signed.sums)
        if name == "square":
            spread = (m4 - m2**2 + 4 * mean * (m3 + mean * m2)) / (n - 1)
        else:
            spread = (m4 - m2**2 * ((n - 3) / (n - 1))) / n
        # Not below zero but for rounding.
        return spread.clamp(min=0).sqrt()

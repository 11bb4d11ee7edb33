"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.rollout import AttentionRollout, GradientRollout

__all__ = ["AttentionRollout", "Gradient", "GradientRollout"]

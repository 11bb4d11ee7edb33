"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.gradient import Gradient

__all__ = ["Gradient"]

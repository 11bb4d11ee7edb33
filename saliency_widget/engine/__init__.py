"""From a model, a picture and targets to scores and gradients. Nothing here knows of widgets."""

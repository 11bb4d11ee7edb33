"""What the user brings: the image, its preprocessing, the model, the labels; and a demo of each."""

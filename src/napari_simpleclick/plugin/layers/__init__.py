"""napari layers on one side, annotation on the other."""

"""The process that teaches: ``python -m``, the name of this package, a folder."""

import sys

from napari_simpleclick.training.teaching.job import main

main(sys.argv[1:])

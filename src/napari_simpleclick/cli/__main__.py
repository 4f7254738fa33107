"""Run the command line with ``python -m napari_simpleclick.cli``."""

from napari_simpleclick.cli import main

if __name__ == "__main__":
    main()

# `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Debian packages that a window needs; installed only where they are missing and may be.
WINDOW := xvfb libegl1 libgl1 libopengl0 libgl1-mesa-dri libglx-mesa0 libxkbcommon-x11-0 \
	libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-shape0 libdbus-1-3 \
	libxcb-xinerama0 libxcb-randr0 libxcb-render-util0
ifneq ($(wildcard constraints.txt),)
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
endif
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s)),)
export LIBGL_ALWAYS_SOFTWARE := 1
HEADLESS := xvfb-run -a -s '-screen 0 1400x900x24'
DEMO := demo --screenshot demo.png
else
DEMO := demo
endif

# One process a core, one thread a process; each has a display of its own, and takes work
# from the other when it has none. What is compiled is kept for the processes they start.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= \
	$(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: demo test coverage lint docs window clean

demo: $(VENV)/.installed window
	$(HEADLESS) $(BIN)/napari-simpleclick $(DEMO)

test: $(VENV)/.installed window
	$(PYTEST) -m "not slow" --durations 10

# All tests; the second threshold is for what needs no window.
coverage: $(VENV)/.installed window
	$(PYTEST) --durations 10 --cov --cov-report=
	$(BIN)/coverage report --fail-under 80
	$(BIN)/coverage report --fail-under 90 --omit '*/plugin/*' --format total

lint: $(VENV)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy --num-workers auto

docs: $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --editable ".[all]" --group dev
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # pip takes one core
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c "import ensurepip" 2>/dev/null || $(MAKE) apt PACKAGES=python3-venv
	$(PYTHON) -m venv $(VENV)

window:
	@if [ -n "$(HEADLESS)" ] && command -v dpkg >/dev/null \
		&& ! dpkg -s $(WINDOW) >/dev/null 2>&1; then $(MAKE) apt PACKAGES="$(WINDOW)"; fi

.PHONY: apt
apt:
	@if [ "$$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq $(PACKAGES) >/dev/null \
	|| { echo "Install these Debian packages first: $(PACKAGES)"; exit 1; }

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache demo.png

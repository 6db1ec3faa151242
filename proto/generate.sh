#!/bin/sh
# Regenerate the stubs in clients/python/authz/v1 from proto/authz/v1. Usage: proto/generate.sh PYTHON
set -eu
python=$1
cd "$(dirname "$0")"
out=../clients/python
rm -f "$out"/authz/v1/*_pb2*
"$python" -m grpc_tools.protoc -I. --python_out="$out" --pyi_out="$out" authz/v1/*.proto
"$python" -m grpc_tools.protoc -I. --grpc_python_out="$out" \
    --plugin=protoc-gen-mypy_grpc="$(dirname "$python")/protoc-gen-mypy_grpc" \
    --mypy_grpc_out=quiet:"$out" authz/v1/*_service.proto

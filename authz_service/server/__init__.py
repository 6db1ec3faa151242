"""The gRPC server: the only package that knows protobuf and gRPC."""

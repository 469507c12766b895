"""The gRPC contract of Arcana: messages and stubs made from the .proto files, and a client."""

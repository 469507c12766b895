"""The gRPC door (grpclib): guard, answers, health, reflection."""

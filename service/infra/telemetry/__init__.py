"""How the service is watched: metrics for Prometheus, traces for OpenTelemetry."""

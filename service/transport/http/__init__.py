"""The REST door (Sanic): guard, answers, headers, documentation."""

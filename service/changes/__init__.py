"""The feed of what changed about users, from which every worker and every follower learns it."""

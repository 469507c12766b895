"""What can be refused about watches."""

from service.core.errors import Kind, Refusal


class ResumeExpired(Refusal):
    """What happened since is not known any more, or not all of it."""

    kind, code = Kind.WRONG_STATE, "resume_expired"
    message = "The resume token is too old. Begin anew, with a snapshot and without a token."


class WatchTooSlow(Refusal):
    """The watcher took nothing for too long."""

    kind, code = Kind.LIMITED, "watch_too_slow"
    message = "The stream was not read in time. Resume with the last resume token."

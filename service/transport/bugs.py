"""What is written down about an exception that is not a refusal."""

import logging
import traceback

_log = logging.getLogger("arcana.errors")


def log_bug(error: BaseException, **facts: object) -> None:
    """Log where ``error`` happened and of what type it is, beside ``facts``.

    Never its message: a database driver's holds SQL parameters, and with them e-mail addresses.
    """
    stack = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    _log.error(
        "Unexpected %s",
        _type_name(error),
        extra={**facts, "causes": _causes(error), "stack": stack},
    )


def _causes(error: BaseException) -> list[str]:
    names: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(names) < 5:
        names.append(_type_name(cause))
        cause = cause.__cause__ or cause.__context__
    return names


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")

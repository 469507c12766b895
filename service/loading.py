"""Loading of modules without the garbage collector, which would look at each over and over."""

import gc


def begin() -> None:
    """Modules are loaded from now on. A quarter of a start went into collections of nothing."""
    gc.disable()


def end() -> None:
    """All are loaded. What they are made of stays for good, and is never looked at again."""
    gc.freeze()
    gc.enable()

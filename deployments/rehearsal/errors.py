"""
What a rehearsal cannot do, in sentences for people.

    RehearsalError
    ├── WrongInputError     what was asked for makes no sense: nothing was started
    └── BrokenError         the rehearsal itself did not work, whatever it rehearsed
"""


class RehearsalError(Exception):
    """Any of them."""


class WrongInputError(RehearsalError):
    """A scenario, a fault or an option is wrong; the message says where and what would be right."""


class BrokenError(RehearsalError):
    """Something that every rehearsal needs did not work."""

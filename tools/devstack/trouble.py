"""What can go wrong around the stack, told in one sentence that says what to do."""


class StackError(Exception):
    """The stack cannot start or cannot go on; the message is for the person who typed the command."""

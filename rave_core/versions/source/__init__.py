"""The strategy ``source``: the closure of the code that an operation reaches, in normal form."""

"""The stage before the first resource: reads Azure, checks the declaration, and returns what this update declares.

`stack.py` is the way in. Everything that is wrong is one error, raised here, so that a refusal changes nothing. What
comes out is `declaration.py`, plain values on which the components act; they check nothing again.
"""

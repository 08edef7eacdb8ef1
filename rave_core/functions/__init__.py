"""What is known about a function: its identity, its annotations, and short forms of its arguments."""

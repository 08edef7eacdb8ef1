"""What is known of a function: who it is, what is noted on it, its arguments in short."""

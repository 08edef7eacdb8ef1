"""Text for people, and from them: durations, sizes, and characters that are safe on a terminal."""

"""What one worker has, and how it answers."""

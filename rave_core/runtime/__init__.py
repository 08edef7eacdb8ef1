"""What is open: settings, plugins and a clock, with the caches and the engine that they give."""

"""The processors that come with the monitor. A state is MessagePack, so it survives changes of the code."""

"""The messages that the demo replays."""

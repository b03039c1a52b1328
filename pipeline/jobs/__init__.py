"""What runs for months: process, load, run; and the demo."""

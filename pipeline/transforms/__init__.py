"""Beam transforms, one a module."""

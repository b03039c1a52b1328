"""Makes the models that `pipeline.tagging` reads; needs the extra `train`."""

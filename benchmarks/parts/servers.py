"""Whether this machine can run the servers of the tests."""

import shutil
import sys


def end_where_missing() -> None:
    """End well, with a sentence, where Kafka and Flink cannot be installed."""
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            print(f"not measured: no {program} here (Debian's package is {package})")
            sys.exit(0)

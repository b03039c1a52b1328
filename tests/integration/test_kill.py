"""`kill -9` of any process at random moments leaves the published tables unchanged."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from process_tree import tree
from published_tables import LONG, configured, finish, published, start

KILLS = 50 if LONG else 6


@pytest.mark.timeout(3 * 3600 if LONG else 400)
def test_killed_at_random_moments_it_publishes_the_same_tables(
    tmp_path: Path, undisturbed: Path, request: pytest.FixtureRequest
) -> None:
    streams = request.getfixturevalue("shared_data") / "streams" if LONG else None
    disturbed = configured(tmp_path / "disturbed", streams)
    choose = random.Random(5)
    supervisor = start(disturbed)
    for _ in range(KILLS):
        time.sleep(choose.uniform(0.2, 4.0 if LONG else 5.0))
        victim = choose.choice(list(tree(supervisor.pid)))
        os.kill(victim, signal.SIGKILL)
        if victim == supervisor.pid:
            supervisor.wait()
            supervisor = start(disturbed)
    supervisor.terminate()
    # The last one may not have come as far as to handle the signal.
    assert supervisor.wait(15) in (0, -signal.SIGTERM)
    finish(disturbed)
    expected, found = published(undisturbed), published(disturbed)
    assert expected["about"][0][1] > 20_000
    assert len(expected["forecasts"]) > 100 or LONG
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name

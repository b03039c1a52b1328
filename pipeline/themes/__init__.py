"""What frustrates, in the authors' own words: causes that are alike, over time."""

-- Themes of frustration, as they were last found; see pipeline/themes. Words are only
-- those that many authors used, and no message can be told from them.

-- `words` by falling `weights`: what a theme is known again by.
CREATE TABLE IF NOT EXISTS themes (
    theme INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    words VARCHAR[] NOT NULL,
    weights DOUBLE[] NOT NULL
);

CREATE TABLE IF NOT EXISTS theme_weeks (
    theme INTEGER NOT NULL,
    week DATE NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL
);

-- How many causes of a week its themes were found in, and how many messages of the week
-- that named one had been deleted or edited by then, so far as the warehouse knew.
CREATE TABLE IF NOT EXISTS theme_causes (
    week DATE NOT NULL,
    causes INTEGER NOT NULL
);
ALTER TABLE theme_causes ADD COLUMN IF NOT EXISTS taken_back BIGINT DEFAULT 0;

-- By how much the messages of a week that name a cause became fewer, as cells were counted:
-- deletions and edits, for retention leaves the warehouse alone.
CREATE TABLE IF NOT EXISTS cause_losses (
    week DATE NOT NULL,
    lost BIGINT NOT NULL
);

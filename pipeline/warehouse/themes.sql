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

-- How many causes of a week its themes were found in.
CREATE TABLE IF NOT EXISTS theme_causes (
    week DATE NOT NULL,
    causes INTEGER NOT NULL
);

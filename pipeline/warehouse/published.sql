-- The published file: all that ever leaves the operator's hands.
-- It holds no text, no author and no message; every cell has passed the gate.
-- Times are UTC. `scope` is 'all', a source ('ubuntu') or a channel ('ubuntu/#ubuntu').

CREATE TABLE prevalence_hourly (
    scope VARCHAR NOT NULL,
    at TIMESTAMP NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL,
    marked INTEGER NOT NULL,
    prevalence DOUBLE NOT NULL
);

CREATE TABLE prevalence_daily (
    scope VARCHAR NOT NULL,
    day DATE NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL,
    marked INTEGER NOT NULL,
    prevalence DOUBLE NOT NULL
);

CREATE TABLE prevalence_weekly (
    scope VARCHAR NOT NULL,
    week DATE NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL,
    marked INTEGER NOT NULL,
    prevalence DOUBLE NOT NULL
);

CREATE TABLE causes_daily (
    scope VARCHAR NOT NULL,
    day DATE NOT NULL,
    cause VARCHAR NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL,
    marked INTEGER NOT NULL,
    prevalence DOUBLE NOT NULL
);

CREATE TABLE forecasts (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    origin DATE NOT NULL,
    target DATE NOT NULL,
    mean DOUBLE NOT NULL,
    lower DOUBLE NOT NULL,
    upper DOUBLE NOT NULL,
    model VARCHAR NOT NULL,
    skill BOOLEAN NOT NULL
);

CREATE TABLE alarms (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    origin DATE NOT NULL,
    kind VARCHAR NOT NULL,
    threshold DOUBLE NOT NULL,
    probability DOUBLE NOT NULL,
    alarm BOOLEAN NOT NULL,
    skill BOOLEAN NOT NULL
);

CREATE TABLE periods (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    started DATE NOT NULL,
    peaked DATE NOT NULL,
    ended DATE,
    peak_prevalence DOUBLE NOT NULL
);

CREATE TABLE backtests (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    origins INTEGER NOT NULL,
    mase DOUBLE,
    coverage DOUBLE,
    alarm_precision DOUBLE,
    alarm_recall DOUBLE,
    brier_skill DOUBLE,
    chosen BOOLEAN NOT NULL,
    skill BOOLEAN NOT NULL
);

CREATE TABLE coverage (
    source VARCHAR NOT NULL,
    day DATE NOT NULL,
    messages INTEGER,
    state VARCHAR NOT NULL
);

CREATE TABLE labels (
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    parent VARCHAR,
    definition VARCHAR NOT NULL,
    reference VARCHAR NOT NULL,
    min_authors INTEGER NOT NULL,
    finest VARCHAR NOT NULL
);

CREATE TABLE about (
    version VARCHAR NOT NULL,
    published_at TIMESTAMP NOT NULL,
    newest_message_at TIMESTAMP,
    messages BIGINT NOT NULL,
    dead_letters BIGINT NOT NULL,
    min_authors INTEGER NOT NULL,
    min_authors_markers INTEGER NOT NULL,
    taggers VARCHAR NOT NULL,
    notice VARCHAR NOT NULL
);

COMMENT ON TABLE prevalence_hourly IS 'Share of messages that carry a label, by scope and hour. Markers are never this fine.';
COMMENT ON TABLE prevalence_daily IS 'Share of messages that carry a label, by scope and day.';
COMMENT ON TABLE prevalence_weekly IS 'Share of messages that carry a label, by scope and ISO week.';
COMMENT ON TABLE causes_daily IS 'Share of messages that name a cause of frustration, by scope and day.';
COMMENT ON TABLE forecasts IS 'Forecasts of daily prevalence, made at the end of each origin day; past origins are the track record.';
COMMENT ON TABLE alarms IS 'Probability, at each origin, that high prevalence comes within the horizon.';
COMMENT ON TABLE periods IS 'Periods of high prevalence, found in retrospect.';
COMMENT ON TABLE backtests IS 'Track record of every model on every series.';
COMMENT ON TABLE coverage IS 'Whether each source was heard on each day, so that silence is not taken for calm.';
COMMENT ON TABLE labels IS 'What each label means, where it comes from, and when it may be published.';
COMMENT ON TABLE about IS 'One row: what this file is, how old it is, and how it protects authors.';

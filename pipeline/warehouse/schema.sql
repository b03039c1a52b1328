-- The private warehouse: one process writes it, nobody else reads it.
-- It holds no text. Times are UTC. No keys or indexes: they would slow every load,
-- and the loader already writes each key once.

CREATE TABLE schema_version (version INTEGER NOT NULL);

-- The next offset to read of each partition; written with the rows it led to.
CREATE TABLE positions (
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    next_offset BIGINT NOT NULL
);

-- One row for each (source, id, revision) that is no deletion.
-- `author` is the pseudonym's 16 hex digits as a number, quicker to count by.
-- `marks` holds the flagged ones, one for each task and label.
CREATE TABLE messages (
    source VARCHAR NOT NULL,
    platform VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    revision BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    author UBIGINT NOT NULL,
    bot BOOLEAN NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    language VARCHAR,
    marks STRUCT(task VARCHAR, label VARCHAR, score FLOAT)[] NOT NULL
);

-- Every revision after the first, and every deletion: the highest revision counts,
-- whatever the order in which they came. `settled` once the days of the earlier
-- revisions are counted anew.
CREATE TABLE edits (
    source VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    revision BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    settled BOOLEAN NOT NULL
);

-- Days whose cells no longer agree with the messages.
CREATE TABLE touched_days (day DATE NOT NULL);

-- Every state that a source reported on a day.
CREATE TABLE pulses (
    source VARCHAR NOT NULL,
    day DATE NOT NULL,
    state VARCHAR NOT NULL
);

-- Where each dead letter came from, so that none counts twice; never its content.
-- `origin` is topic:partition:offset, or what a connector read and the line in it.
CREATE TABLE dead_letters (
    origin VARCHAR NOT NULL,
    stage VARCHAR NOT NULL
);

CREATE TABLE taggers (tagger VARCHAR NOT NULL);

-- Who wrote how much in a scope and a time; `grain` is 'hour', 'day' or 'week'.
-- Bots, deleted messages and revisions that an edit replaced do not count.
CREATE TABLE cells (
    grain VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    starts TIMESTAMP NOT NULL,
    messages BIGINT NOT NULL,
    authors BIGINT NOT NULL
);

-- How much of a cell carries a label, where any does.
CREATE TABLE marked_cells (
    grain VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    starts TIMESTAMP NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    marked BIGINT NOT NULL,
    marked_authors BIGINT NOT NULL
);

-- What the configuration and labels.toml say now; written anew at each start.
CREATE TABLE labels (
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    parent VARCHAR,
    definition VARCHAR NOT NULL,
    reference VARCHAR NOT NULL,
    min_authors INTEGER NOT NULL,
    finest VARCHAR NOT NULL
);

-- What the forecasts of a series were computed from; unchanged input, unchanged rows.
-- `since` is the day from which on its window starts where it does, and `past` tells what
-- the days before were: while they are the same, what was said on them stays.
CREATE TABLE forecast_inputs (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    since DATE NOT NULL,
    past VARCHAR NOT NULL
);

-- The newest forecasts, as they will be published: see published.sql.

CREATE TABLE forecasts (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    origin DATE NOT NULL,
    target DATE NOT NULL,
    mean DOUBLE NOT NULL,
    lower DOUBLE NOT NULL,
    upper DOUBLE NOT NULL,
    lower_95 DOUBLE NOT NULL,
    upper_95 DOUBLE NOT NULL,
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

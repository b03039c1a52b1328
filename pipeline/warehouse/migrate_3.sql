-- From version 2: of each series is known since when its window starts where it does.
-- No series has such a date yet, so nothing is held and all are forecast anew.

CREATE TABLE fresh (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    since DATE NOT NULL,
    past VARCHAR NOT NULL
);

INSERT INTO fresh SELECT scope, task, label, '', DATE '9999-12-31', '' FROM forecast_inputs;

DROP TABLE forecast_inputs;

ALTER TABLE fresh RENAME TO forecast_inputs;

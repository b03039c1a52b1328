-- From version 1: forecasts have 95 % intervals. They are made anew from the cells.

DROP TABLE forecasts;

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

DELETE FROM forecast_inputs;

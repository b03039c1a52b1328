-- Fills the published file, attached as `published`, from the warehouse. Rows are
-- sorted as they are asked for, so that zone maps skip most of a table.

INSERT INTO published.prevalence_hourly
SELECT scope, starts, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE grain = 'hour' AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.prevalence_daily
SELECT scope, starts::DATE, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE grain = 'day' AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.prevalence_weekly
SELECT scope, starts::DATE, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE grain = 'week' AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.causes_daily
SELECT scope, starts::DATE, label, messages, authors, marked, prevalence
FROM publishable
WHERE grain = 'day' AND task = 'cause'
ORDER BY scope, label, starts;

INSERT INTO published.forecasts FROM forecasts ORDER BY scope, task, label, origin, target;
INSERT INTO published.alarms FROM alarms ORDER BY scope, task, label, kind, origin;
INSERT INTO published.periods FROM periods ORDER BY scope, task, label, kind, started;
INSERT INTO published.backtests FROM backtests ORDER BY scope, task, label, model;
INSERT INTO published.labels FROM labels ORDER BY task, label;

-- The published file: all that ever leaves the operator's hands.
-- It holds no text, no author and no message; every cell has passed the gate.
-- Times are UTC. `scope` is 'all', a source ('ubuntu') or a channel ('ubuntu/#ubuntu').

CREATE TABLE prevalence_hourly (
    scope VARCHAR NOT NULL,
    hour TIMESTAMP NOT NULL,
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

CREATE TABLE themes (
    week DATE NOT NULL,
    theme INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    messages INTEGER NOT NULL,
    authors INTEGER NOT NULL
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

CREATE TABLE companions (
    scope VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    started DATE NOT NULL,
    companion_task VARCHAR NOT NULL,
    companion VARCHAR NOT NULL,
    before DOUBLE NOT NULL,
    during DOUBLE NOT NULL
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

COMMENT ON TABLE prevalence_hourly IS
    'Share of messages that carry a label, by scope and hour. Markers are never this fine.';
COMMENT ON COLUMN prevalence_hourly.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN prevalence_hourly.hour IS
    'When the hour began, UTC.';
COMMENT ON COLUMN prevalence_hourly.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN prevalence_hourly.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN prevalence_hourly.messages IS
    'Messages that people wrote; bots, deleted messages and replaced revisions do not count.';
COMMENT ON COLUMN prevalence_hourly.authors IS
    'Distinct authors of these messages; one person under two names counts twice.';
COMMENT ON COLUMN prevalence_hourly.marked IS
    'Messages among them that carry the label.';
COMMENT ON COLUMN prevalence_hourly.prevalence IS
    'marked divided by messages, from 0 to 1.';

COMMENT ON TABLE prevalence_daily IS
    'Share of messages that carry a label, by scope and day.';
COMMENT ON COLUMN prevalence_daily.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN prevalence_daily.day IS
    'The day, UTC.';
COMMENT ON COLUMN prevalence_daily.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN prevalence_daily.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN prevalence_daily.messages IS
    'Messages that people wrote; bots, deleted messages and replaced revisions do not count.';
COMMENT ON COLUMN prevalence_daily.authors IS
    'Distinct authors of these messages; one person under two names counts twice.';
COMMENT ON COLUMN prevalence_daily.marked IS
    'Messages among them that carry the label.';
COMMENT ON COLUMN prevalence_daily.prevalence IS
    'marked divided by messages, from 0 to 1.';

COMMENT ON TABLE prevalence_weekly IS
    'Share of messages that carry a label, by scope and ISO week.';
COMMENT ON COLUMN prevalence_weekly.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN prevalence_weekly.week IS
    'The Monday on which the ISO week began, UTC.';
COMMENT ON COLUMN prevalence_weekly.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN prevalence_weekly.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN prevalence_weekly.messages IS
    'Messages that people wrote; bots, deleted messages and replaced revisions do not count.';
COMMENT ON COLUMN prevalence_weekly.authors IS
    'Distinct authors of these messages; one person under two names counts twice.';
COMMENT ON COLUMN prevalence_weekly.marked IS
    'Messages among them that carry the label.';
COMMENT ON COLUMN prevalence_weekly.prevalence IS
    'marked divided by messages, from 0 to 1.';

COMMENT ON TABLE causes_daily IS
    'Share of messages that name a cause of frustration, by scope and day.';
COMMENT ON COLUMN causes_daily.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN causes_daily.day IS
    'The day, UTC.';
COMMENT ON COLUMN causes_daily.cause IS
    'What frustrates; see the labels of the task cause.';
COMMENT ON COLUMN causes_daily.messages IS
    'Messages that people wrote; bots, deleted messages and replaced revisions do not count.';
COMMENT ON COLUMN causes_daily.authors IS
    'Distinct authors of these messages; one person under two names counts twice.';
COMMENT ON COLUMN causes_daily.marked IS
    'Messages among them that name the cause.';
COMMENT ON COLUMN causes_daily.prevalence IS
    'marked divided by messages, from 0 to 1.';

COMMENT ON TABLE themes IS
    'What frustrated people have in common, by ISO week, of all sources together; found anew each day, weeks that are over only.';
COMMENT ON COLUMN themes.week IS
    'The Monday on which the ISO week began, UTC.';
COMMENT ON COLUMN themes.theme IS
    'The theme''s number, which it keeps from week to week.';
COMMENT ON COLUMN themes.name IS
    'Its most characteristic words, each used by as many authors as a cell must have.';
COMMENT ON COLUMN themes.messages IS
    'Messages that name a cause of this theme.';
COMMENT ON COLUMN themes.authors IS
    'Distinct authors of these messages; one person under two names counts twice.';

COMMENT ON TABLE forecasts IS
    'Forecasts of daily prevalence, made at the end of each origin day; past origins are the track record.';
COMMENT ON COLUMN forecasts.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN forecasts.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN forecasts.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN forecasts.origin IS
    'The last day that was known when the forecast was made.';
COMMENT ON COLUMN forecasts.target IS
    'The day that is forecast.';
COMMENT ON COLUMN forecasts.mean IS
    'Prevalence that is as likely exceeded as not reached on the target day, from 0 to 1: a median.';
COMMENT ON COLUMN forecasts.lower IS
    'Lower end of the 80 % interval.';
COMMENT ON COLUMN forecasts.upper IS
    'Upper end of the 80 % interval.';
COMMENT ON COLUMN forecasts.lower_95 IS
    'Lower end of the 95 % interval.';
COMMENT ON COLUMN forecasts.upper_95 IS
    'Upper end of the 95 % interval.';
COMMENT ON COLUMN forecasts.model IS
    'The method that made the forecast; see the table backtests.';
COMMENT ON COLUMN forecasts.skill IS
    'Whether the combination of all models is proven better than the best naive method in the backtest; if not, the forecast is a naive one, the 7-day mean unless another is proven better.';

COMMENT ON TABLE alarms IS
    'Probability, at each origin, that high prevalence comes within the horizon.';
COMMENT ON COLUMN alarms.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN alarms.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN alarms.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN alarms.origin IS
    'The last day that was known when the probability was given.';
COMMENT ON COLUMN alarms.kind IS
    'What is warned of: ''level'', a day above the threshold; ''rise'', a climb above it.';
COMMENT ON COLUMN alarms.threshold IS
    'Prevalence above which a day counts as high.';
COMMENT ON COLUMN alarms.probability IS
    'Probability that a day within the horizon is high, from 0 to 1.';
COMMENT ON COLUMN alarms.alarm IS
    'Whether the probability was high enough to warn.';
COMMENT ON COLUMN alarms.skill IS
    'Whether such probabilities were better than the usual frequency in the backtest.';

COMMENT ON TABLE periods IS
    'Periods of high prevalence, found in retrospect; those of a scope that fell silent stay.';
COMMENT ON COLUMN periods.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN periods.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN periods.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN periods.kind IS
    'What was high: ''level'', days above those before; ''rise'', a steep climb.';
COMMENT ON COLUMN periods.started IS
    'First day of the period.';
COMMENT ON COLUMN periods.peaked IS
    'Day of the highest prevalence.';
COMMENT ON COLUMN periods.ended IS
    'Last day of the period; NULL while it lasts, and where nothing was heard of the scope since.';
COMMENT ON COLUMN periods.peak_prevalence IS
    'Prevalence on the day of the peak, from 0 to 1; a withheld day counts as 1.5 marked messages.';

COMMENT ON TABLE companions IS
    'What rose together with a period of a high level: at most five causes, themes, emotions and markers each. Coincidence is no proof of a cause.';
COMMENT ON COLUMN companions.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN companions.task IS
    'What kind of label the period is of; see the table labels.';
COMMENT ON COLUMN companions.label IS
    'The label that the period is of.';
COMMENT ON COLUMN companions.started IS
    'First day of the period; with scope, task and label it names a row of periods whose kind is ''level''.';
COMMENT ON COLUMN companions.companion_task IS
    'What kind of label rose with it; ''theme'' for a row of themes, of all sources together only.';
COMMENT ON COLUMN companions.companion IS
    'The label that rose with it, or the theme''s name.';
COMMENT ON COLUMN companions.before IS
    'Its share of the messages of the 28 days before the period, from 0 to 1; withheld days count as 1.5 messages.';
COMMENT ON COLUMN companions.during IS
    'Its share of the messages of the period, from 0 to 1, likewise.';

COMMENT ON TABLE backtests IS
    'Track record of every model on every series.';
COMMENT ON COLUMN backtests.scope IS
    '''all'', a source, or a source and its channel as ''source/channel''.';
COMMENT ON COLUMN backtests.task IS
    'What kind of label it is; see the table labels.';
COMMENT ON COLUMN backtests.label IS
    'The label; see the table labels.';
COMMENT ON COLUMN backtests.model IS
    'The method that was tested; ''published'' is what was told, whichever it came from.';
COMMENT ON COLUMN backtests.origins IS
    'Days at whose ends forecasts were made with what was known then.';
COMMENT ON COLUMN backtests.mase IS
    'Mean absolute error, over the whole horizon, divided by the mean day-to-day change up to each origin; smaller is better, beside the naive methods of the series; a withheld day counts as 1.5 marked messages.';
COMMENT ON COLUMN backtests.coverage IS
    'Share of days that fell into their 80 % interval; a withheld day counts as 1.5 marked messages.';
COMMENT ON COLUMN backtests.alarm_precision IS
    'Share of alarms that were followed by a high day within the horizon; a withheld day counts as 1.5 marked messages.';
COMMENT ON COLUMN backtests.alarm_recall IS
    'Of the origins with a high day to come within the horizon, the share with an alarm; a withheld day counts as 1.5 marked messages.';
COMMENT ON COLUMN backtests.brier_skill IS
    'How much better the probabilities were than the usual frequency: 1 is perfect, 0 no better; a withheld day counts as 1.5 marked messages.';
COMMENT ON COLUMN backtests.chosen IS
    'Whether forecasts of the series come from this method.';
COMMENT ON COLUMN backtests.skill IS
    'Whether the method is proven better than the best naive one. Only the combination is published for that: the best of many is also the luckiest. Of ''published'', whether forecasts of the series have skill.';

COMMENT ON TABLE coverage IS
    'Whether each source was heard on each day, so that silence is not taken for calm.';
COMMENT ON COLUMN coverage.source IS
    'The source, by its configured name.';
COMMENT ON COLUMN coverage.day IS
    'The day, UTC; every day between the source''s first and last.';
COMMENT ON COLUMN coverage.messages IS
    'Messages that people wrote; NULL where too few wrote to be published.';
COMMENT ON COLUMN coverage.state IS
    'The worst that the connector said of itself that day: ''ok'', ''rate-limited'', ''stopped'' or ''failing''; ''silent'' when it said nothing and nobody, or too few, wrote.';

COMMENT ON TABLE labels IS
    'What each label means, where it comes from, and when it may be published.';
COMMENT ON COLUMN labels.task IS
    'What kind of label it is: an emotion, a cause of frustration, or a marker of strain.';
COMMENT ON COLUMN labels.label IS
    'The label''s name.';
COMMENT ON COLUMN labels.parent IS
    'The broader label that it belongs to, if any.';
COMMENT ON COLUMN labels.definition IS
    'What it means, in one line.';
COMMENT ON COLUMN labels.reference IS
    'The publication or data set that defines it.';
COMMENT ON COLUMN labels.min_authors IS
    'Fewest distinct authors with which a cell of this label is published.';
COMMENT ON COLUMN labels.finest IS
    'The finest time for which it is published: ''hour'' or ''day''.';

COMMENT ON TABLE about IS
    'One row: what this file is, how old it is, and how it protects authors.';
COMMENT ON COLUMN about.version IS
    'The version of groundswell that published this file.';
COMMENT ON COLUMN about.published_at IS
    'When this file was published, UTC.';
COMMENT ON COLUMN about.newest_message_at IS
    'When the newest message was sent, UTC, to the minute.';
COMMENT ON COLUMN about.messages IS
    'Messages received, bots and later revisions among them.';
COMMENT ON COLUMN about.dead_letters IS
    'Records that could not be processed.';
COMMENT ON COLUMN about.min_authors IS
    'Fewest distinct authors of a published cell.';
COMMENT ON COLUMN about.min_authors_markers IS
    'Fewest distinct authors of a published cell of a marker.';
COMMENT ON COLUMN about.taggers IS
    'The taggers that labelled the messages, separated by commas.';
COMMENT ON COLUMN about.notice IS
    'What the operator wants readers to know.';

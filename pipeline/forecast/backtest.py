"""Rolling origin: what every model would have said at the end of every day.

Everything said of an origin is a function of the days up to it. A forecast made again
later, with more days known, is therefore the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.forecast import combination
from pipeline.forecast.beside import beside
from pipeline.forecast.intervals import several_offsets
from pipeline.forecast.models import Model, all_models
from pipeline.forecast.scale import Scale, scale_for
from pipeline.forecast.series import MIN_KNOWN, Array, Series, continued, ratio
from pipeline.forecast.skill import beats

WINDOW = 3 * 365
"""Days of errors from which methods are compared."""

SHARE = 0.8
"""Of the days within the published intervals."""

DEFAULT = "7-day mean"
"""The naive method that is published until another one proves better."""


_SMALLEST_CHANGE = 1e-15


@dataclass(frozen=True, eq=False)
class Track:
    """What every model said of a series.

    Args:
        values: the series, shape (days,); NaN: gap.
        scale: the scale of even noise.
        horizon: days ahead.
        first: the first origin, a position in `values`.
        names: of the models.
        naive: which of them are naive methods.
        paths: expected values, shape (models, days, horizon); the path in row t was
            said at the end of day t; NaN before `first`.
        limits: what no forecast leaves: lower, shape (days, 1), and upper.
    """

    values: Array
    scale: Scale
    horizon: int
    first: int
    names: tuple[str, ...]
    naive: tuple[bool, ...]
    paths: Array
    limits: tuple[Array, float]

    def errors(self) -> Array:
        """What came minus what was said, on the scale of even noise.

        Shape (models, days, horizon), by *target*: row d holds the errors of what was
        said of day d one day before, two days before, and so on. So all of the rows
        up to an origin are known at that origin.
        """
        came, said = self.scale.forward(self.values), self.scale.forward(self.paths)
        return by_target(came, said)


@dataclass(frozen=True)
class Choice:
    """The model that an origin's forecast is published from, and whether by skill."""

    model: int
    skill: bool


def refit_days(first: int, days: int) -> list[int]:
    """The origins at which parameters are learnt anew: rarer as the series grows.

    Every 7 days at first, then whenever a tenth has come, at least every 28 days.
    """
    origins = []
    day = first
    while day < days:
        origins.append(day)
        day += min(max(7, (day + 1) // 10), 28)
    return origins


def track(  # noqa: PLR0913 - a series, what is beside it, and who is told
    series: Series,
    horizon: int,
    progress: Callable[[float], object] = float,
    before: Mapping[str, Array] | None = None,
    *,
    related: Sequence[Series] = (),
    also: Sequence[str] = (),
) -> Track:
    """Let every model forecast at every origin.

    Args:
        series: at least `MIN_KNOWN` known days.
        horizon: days ahead.
        progress: told what further share of the work is done.
        before: by model, its paths of an earlier track of the same series and horizon,
            shape (origins, horizon), as far as the days up to an origin are the same.
            They are taken over; the result is the same without them.
        related: other labels of the same scope, for the models that listen to them.
        also: extra models asked for by name, of `pipeline.forecast.models.EXTRAS`.

    Raises:
        InputError: the series is too short, or an extra model is not there.
    """
    series.check_usable()
    values = series.values
    known = np.cumsum(np.isfinite(values))
    first = int(np.argmax(known >= MIN_KNOWN))
    scale = scale_for(series)
    models = all_models(scale, beside(series, related), also)
    kept = before or {}

    def done(days: int) -> None:
        progress(days / (values.size - first) / len(models))

    # Fits of a few parameters gain nothing from threads, which wait at full speed.
    with threadpool_limits(1):
        paths = np.array(
            [
                roll(m, values, horizon, first, done=done, before=kept.get(m.name))
                for m in models
            ]
        )
    limits = _limits(series)
    paths = np.clip(paths, *limits)
    together = np.clip(_combined(scale, values, paths), *limits)
    return Track(
        values=values,
        scale=scale,
        horizon=horizon,
        first=first,
        names=(*(model.name for model in models), combination.NAME),
        naive=(*(model.naive for model in models), False),
        paths=np.concatenate([paths, together[np.newaxis]]),
        limits=limits,
    )


def roll(  # noqa: PLR0913 - a model, what it is shown, and who is told
    model: Model,
    values: Array,
    horizon: int,
    first: int,
    *,
    done: Callable[[int], object] = int,
    before: Array | None = None,
) -> Array:
    """One model's paths, shape (days, horizon); NaN before the origin `first`.

    `done` is told how many further days have been forecast from. Paths of the first
    origins that are known from `before`, shape (origins, horizon), are taken over.
    """
    paths, known = continued(before, (values.size, horizon))
    # A naive method has no parameters to learn anew.
    fits = [first] if model.naive else refit_days(first, values.size)
    for begin, end in pairwise([*fits, values.size]):
        if end > known:
            _roll_on(model, values, paths, range(begin, end), known)
        done(end - begin)
    return paths


def _roll_on(
    model: Model, values: Array, paths: Array, days: range, known: int
) -> None:
    """Fill in the paths said with one fit, those of the first `known` days aside."""
    model.fit(values[: days[0] + 1])
    for day in days:
        if day > days[0]:
            model.update(float(values[day]))
        if day >= known:
            paths[day] = model.forecast(paths.shape[1])


def by_target(came: Array, said: Array) -> Array:
    """Errors by target day; see `Track.errors`.

    Args:
        came: shape (days,).
        said: shape (models, days, horizon).
    """
    errors = np.full(said.shape, np.nan)
    for ahead in range(1, said.shape[2] + 1):
        errors[:, ahead:, ahead - 1] = came[ahead:] - said[:, :-ahead, ahead - 1]
    return errors


def losses(track: Track) -> Array:
    """Mean absolute error of what was said of each day, shape (models, days)."""
    return _losses(track.values, track.paths)


def choose(track: Track, losses: Array, origin: int) -> Choice:
    """The model to publish at an origin, from the errors known by then.

    The combination if it beats the best naive method. Otherwise a naive one: the mean
    of a week, unless the best naive method beats that. One candidate is tried, not the
    best of many: that one would be the luckiest too.
    """
    recent = _recent(losses, origin)
    mean = _mean_known(recent, axis=1)
    naive = np.array(track.naive)
    rival = int(np.argmin(np.where(naive & np.isfinite(mean), mean, np.inf)))
    candidate = track.names.index(combination.NAME)
    default = track.names.index(DEFAULT)
    if beats(recent[rival] - recent[candidate], track.horizon):
        return Choice(candidate, skill=True)
    better = beats(recent[default] - recent[rival], track.horizon)
    return Choice(rival if better else default, skill=False)


def known_days(track: Track, losses: Array, origin: int) -> int:
    """Of how many days the errors are known that decide at an origin."""
    candidate = track.names.index(combination.NAME)
    return int(np.isfinite(_recent(losses, origin)[candidate]).sum())


def skilled(track: Track, losses: Array, origin: int) -> list[bool]:
    """Of each model, whether it beats the best naive method at an origin."""
    recent = _recent(losses, origin)
    mean = _mean_known(recent, axis=1)
    naive = np.array(track.naive)
    rival = recent[int(np.argmin(np.where(naive, mean, np.inf)))]
    return [
        not is_naive and beats(rival - loss, track.horizon)
        for is_naive, loss in zip(track.naive, recent, strict=True)
    ]


def _recent(losses: Array, origin: int) -> Array:
    return losses[:, max(0, origin + 1 - WINDOW) : origin + 1]


def mase(track: Track, path: Array, origins: Sequence[int]) -> float | None:
    """Mean absolute error over the mean day-to-day change up to each origin.

    Args:
        track: of the series.
        path: expected values, shape (days, horizon).
        origins: those to score.

    Returns:
        None where there is nothing to compare, or the series never changed.

    Source: R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast
    accuracy", International Journal of Forecasting 22 (2006).
    """
    change = mean_change(track.values)
    errors = [
        np.abs(truth - path[origin]) / change[origin]
        for origin, truth in _targets(track, origins)
        if change[origin] > _SMALLEST_CHANGE
    ]
    return _mean_or_none(errors)


def mean_change(values: Array) -> Array:
    """Mean absolute change between neighbouring known days, up to each day.

    Args:
        values: shape (days,); the result, too.
    """
    change = np.abs(np.diff(values, prepend=np.nan))
    known = np.isfinite(change)
    return ratio(np.cumsum(np.where(known, change, 0.0)), np.cumsum(known))


def bands(track: Track, share: float = SHARE) -> tuple[Array, Array]:
    """Lower and upper ends of the intervals, each (models, days, horizon).

    `share` of the days are to lie within. NaN before the first origin. The expected
    value lies within.
    """
    lower, upper = several_bands(track, [share])
    return lower[0], upper[0]


def several_bands(track: Track, shares: Sequence[float]) -> tuple[Array, Array]:
    """`bands` of several shares in one pass, each (shares, models, days, horizon)."""
    scaled, paths = track.scale.forward(track.values), track.scale.forward(track.paths)
    tails = [(1.0 - share) / 2.0 for share in shares]
    below, above = several_offsets(track.errors(), scaled, tails)
    lower = track.scale.back(paths + below)
    upper = track.scale.back(paths + above)
    lower = np.clip(np.minimum(lower, track.paths), *track.limits)
    return lower, np.clip(np.maximum(upper, track.paths), *track.limits)


def coverage(
    track: Track, lower: Array, upper: Array, origins: Sequence[int]
) -> float | None:
    """Share of the targets within their interval; None where none is known.

    Args:
        track: of the series.
        lower: shape (days, horizon).
        upper: shape (days, horizon).
        origins: those to score.
    """
    inside = [
        np.where(
            np.isnan(truth),
            np.nan,
            (lower[origin] <= truth) & (truth <= upper[origin]),
        )
        for origin, truth in _targets(track, origins)
    ]
    return _mean_or_none(inside)


def _combined(scale: Scale, values: Array, paths: Array) -> Array:
    came, said = scale.forward(values), scale.forward(paths)
    return scale.back(combination.combined(said, _losses(came, said)))


def _losses(came: Array, said: Array) -> Array:
    return _mean_known(np.abs(by_target(came, said)), axis=2)


def _targets(track: Track, origins: Sequence[int]) -> list[tuple[int, Array]]:
    return [
        (origin, track.values[origin + 1 : origin + 1 + track.horizon])
        for origin in origins
    ]


def _mean_known(values: Array, axis: int) -> Array:
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis), known.sum(axis))


def _mean_or_none(values: Sequence[Array]) -> float | None:
    known = np.concatenate([np.empty(0), *values])
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else None


def _limits(series: Series) -> tuple[Array, float]:
    """No forecast leaves what the series has shown to be possible.

    A share lies in [0, 1]; a measurement that was never negative stays so.
    """
    values = series.values
    lowest = np.minimum.accumulate(np.where(np.isnan(values), np.inf, values))
    lower = np.where(lowest >= 0, 0.0, -np.inf)
    return lower[:, np.newaxis], 1.0 if series.counted else np.inf

"""Small pictures: lines over a logarithmic axis with baselines, bars, as SVG; a level, as HTML.

Colours come from the page's style sheet, so that light, dark and print work; text stays text, so
that the reader's fonts draw Chinese.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 770, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 200, 16, 40
_LINE = 13
"""Height of a line of text."""
_FEW, _ROOM = 7, 36
"""Places of points that are all named on an axis, and between two names of it at least."""
_NAMES, _ROW = 250, 24
"""Of a picture of intervals: room for names, and the height of a line."""

Points = Sequence[tuple[float, float]]


def curve(lines: Mapping[str, Points], baselines: Mapping[str, float], x_label: str) -> str:
    """Lines (x > 0, y) over log x, with a horizontal line for each baseline, as SVG."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    xs = [math.log10(x) for x, _ in points]
    ys = [y for _, y in points] + list(baselines.values())
    x_scale = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    # Beside baselines the beginning of a run, far above them, is cut off.
    top = min(max(ys), 1.6 * max([*baselines.values(), min(ys)])) if baselines else max(ys)
    bottom = min(ys) - 0.03 * abs(min(ys))
    y_scale = _scale(top, bottom, _TOP, _HEIGHT - _BOTTOM)
    parts = [_y_axis(bottom, top, y_scale), _x_axis(xs, x_scale, x_label)]
    parts += [_baselines(baselines, y_scale)]
    heights = _apart([y_scale(line[-1][1]) + 4 for line in lines.values()])
    for number, (name, line) in enumerate(lines.items()):
        path = " ".join(
            f"{x_scale(math.log10(x)):.1f},{max(_TOP, y_scale(y)):.1f}" for x, y in line
        )
        x, y = line[-1]
        parts.append(f'<polyline class="line{number}" points="{path}"/>')
        if len(line) == 1:
            at = f'cx="{x_scale(math.log10(x)):.1f}" cy="{y_scale(y):.1f}"'
            parts.append(f'<circle class="point" {at} r="4"/>')
        place = f'x="{x_scale(math.log10(x)) + 6:.1f}" y="{heights[number]:.1f}"'
        parts.append(f'<text class="line{number}" {place}>{escape(name)} {y:.3f}</text>')
    return _svg(parts, f"{', '.join(lines)}: {x_label}")


def bars(heights: Sequence[tuple[str, float]], x_label: str) -> str:
    """A bar for each (label, height), as SVG."""
    if not heights:
        return ""
    most = max(height for _, height in heights) or 1
    step = (_WIDTH - _LEFT - 16) / len(heights)
    parts = []
    for i, (label, height) in enumerate(heights):
        x, size = _LEFT + i * step, (_HEIGHT - _TOP - _BOTTOM) * height / most
        y = _HEIGHT - _BOTTOM - size
        title = f"<title>{escape(label)}: {height:,.0f}</title>"
        parts.append(
            f'<rect x="{x + 2:.1f}" y="{y:.1f}" width="{max(1, step - 4):.1f}" '
            f'height="{size:.1f}">{title}</rect>'
        )
        if len(heights) <= 24 or i % 4 == 0:
            parts.append(_label(x + step / 2, _HEIGHT - _BOTTOM + 16, label, "middle"))
    parts.append(_label((_LEFT + _WIDTH) / 2, _HEIGHT - 4, x_label, "middle"))
    parts.append(_label(_LEFT - 6, _TOP + 10, f"{most:,.0f}", "end"))
    parts.append(_label(_LEFT - 6, _HEIGHT - _BOTTOM, "0", "end"))
    return _svg(parts, x_label)


def level(share: float, kind: str = "") -> str:
    """A bar to stand beside a figure in a table, filled by `share`, as HTML of any width.

    kind: a class of the style sheet. A share above 0 shows at every size.
    """
    filled = f'<i style="width: {100 * min(share, 1):.2f}%"></i>' if share > 0 else ""
    return f'<span class="level {escape(kind)}" aria-hidden="true">{filled}</span>'


def intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """A line for each (name, value, low, high), values from 0 to 1, as SVG."""
    if not rows:
        return ""
    lowest = min(low for _, _, low, _ in rows)
    scale = _scale(min(lowest, 0.99), 1.0, _NAMES, _WIDTH - 16)
    height, parts = _ROW * len(rows) + 30, []
    for tick in _ticks(min(lowest, 0.99), 1.0):
        x = scale(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 24}"/>')
        parts.append(_label(x, height - 8, f"{tick:.4g}", "middle"))
    for i, (name, value, low, high) in enumerate(rows):
        y = _ROW * (i + 0.5)
        parts.append(
            f'<text class="name" x="{_NAMES - 10}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(name)}</text>"
            f'<line class="range" x1="{scale(low):.1f}" x2="{scale(high):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><circle class="point" cx="{scale(value):.1f}" cy="{y:.1f}" r="4">'
            f"<title>{value:.4f} ({low:.4f}–{high:.4f})</title></circle>"
        )
    return _svg(parts, ", ".join(name for name, *_ in rows), height)


def changes(groups: Mapping[str, Sequence[float]], x_label: str, zero: bool = True) -> str:
    """A row of points for each name, over one straight axis, as SVG. The first point of a row is
    filled; of equally many points each has its height in every row.

    zero: the axis reaches to 0, where a line stands.
    """
    values = [value for group in groups.values() for value in group]
    if not values:
        return ""
    spread = [*values, 0.0] if zero else values
    low, high = min(spread), max(spread)
    scale = _scale(low, high, _NAMES, _WIDTH - 16)
    room = _ROW * 3
    height, parts = room * len(groups) + 40, []
    for tick in _ticks(low, high):
        x = scale(tick)
        kind = "floor" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 34}"/>')
        parts.append(_label(x, height - 18, f"{tick:.4g}", "middle"))
    for row, (name, group) in enumerate(groups.items()):
        parts.append(_label(_NAMES - 10, room * (row + 0.5) + 4, name, "end"))
        for number, value in enumerate(group):
            y = room * row + 8 + (room - 16) * (number + 0.5) / len(group)
            kind = "point" if number == 0 else "ring"
            parts.append(
                f'<circle class="{kind}" cx="{scale(value):.1f}" cy="{y:.1f}" r="4">'
                f"<title>{value:+.4f}</title></circle>"
            )
    parts.append(_label((_NAMES + _WIDTH) / 2, height - 4, x_label, "middle"))
    return _svg(parts, f"{', '.join(groups)}: {x_label}", height)


class _scale:
    """A straight map from values to picture coordinates."""

    def __init__(self, low: float, high: float, start: float, stop: float) -> None:
        self._low, self._start = low, start
        self._factor = (stop - start) / ((high - low) or 1)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._factor


def _ticks(low: float, high: float) -> list[float]:
    """About five round values."""
    step = _round_step((high - low) / 5)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _y_axis(low: float, high: float, scale: _scale) -> str:
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{scale(t):.1f}" '
        f'y2="{scale(t):.1f}"/>' + _label(_LEFT - 6, scale(t) + 4, f"{t:.4g}", "end")
        for t in _ticks(low, high)
    )


def _x_axis(xs: Sequence[float], scale: _scale, name: str) -> str:
    """Where the points are, if they are few; else powers of ten and their triples."""
    ticks, low, high = sorted(set(xs)), min(xs), max(xs)
    if len(ticks) > _FEW:
        powers = range(math.floor(low), math.ceil(high) + 1)
        logs = (math.log10(digit) + power for power in powers for digit in (1, 3))
        ticks = [at for at in logs if low <= at <= high]
    labels, last = [], -math.inf
    for at in ticks:
        if scale(at) - last >= _ROOM:
            last = scale(at)
            labels.append(_label(last, _HEIGHT - _BOTTOM + 16, f"{10**at:,.0f}", "middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return "".join(labels) + _label(middle, _HEIGHT - 4, name, "middle")


def _apart(heights: Sequence[float]) -> list[float]:
    """The same, those that would overlap as lines of text moved down."""
    found, lowest = dict[int, float](), -math.inf
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        found[number] = lowest = max(heights[number], lowest + _LINE)
    return [found[number] for number in range(len(heights))]


def _baselines(baselines: Mapping[str, float], scale: _scale) -> str:
    """Dashed lines, their names on the right, moved apart where they would overlap."""
    parts, places = [], [max(scale(value), _TOP) for value in baselines.values()]
    rows = zip(baselines.items(), places, _apart([y + 4 for y in places]), strict=True)
    for (name, value), y, text_y in rows:
        parts.append(
            f'<line class="floor" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="floor" x="{_WIDTH - _RIGHT + 90}" y="{text_y:.1f}">'
            f"{escape(name)} {value:.3f}</text>"
        )
    return "".join(parts)


def _round_step(raw: float) -> float:
    power = 10 ** math.floor(math.log10(raw or 1))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= raw))


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], name: str, height: int = _HEIGHT) -> str:
    """name: of the picture, for who does not see it."""
    label = f'role="img" aria-label="{escape(name)}"'
    return f'<svg viewBox="0 0 {_WIDTH} {height}" {label}>{"".join(parts)}</svg>'
